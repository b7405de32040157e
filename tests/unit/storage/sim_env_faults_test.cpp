// The faults that the simulated env injects on command.
#include "tests/support/sim_env.hpp"

#include <array>
#include <doctest/doctest.h>
#include <set>
#include <string>

using namespace cairn;
using namespace cairn::testing;
using storage::file;
using storage::open_mode;

namespace {

constexpr int k_seeds = 200;

status write(file& to, std::string_view text, std::uint64_t position) {
  const std::array pieces{as_byte_span(text)};
  return to.pwrite(pieces, position);
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return std::string(as_text(bytes));
}

std::unique_ptr<file> must_open(sim_env& env, const std::string& path, open_mode mode) {
  auto opened = env.open(path, mode);
  REQUIRE(opened.ok());
  return std::move(*opened);
}

std::unique_ptr<file> durable_file(sim_env& env, const std::string& path, std::string_view text) {
  auto f = must_open(env, path, open_mode::create);
  REQUIRE(write(*f, text, 0).ok());
  REQUIRE(f->sync_data().ok());
  REQUIRE(env.sync_directory("/").ok());
  return f;
}

result<std::size_t> read_one(file& from, std::uint64_t position) {
  std::array<std::byte, 1> to{};
  return from.pread(to, position);
}

}  // namespace

TEST_CASE("sim env faults: the n-th operation of a kind on a path fails, once") {
  sim_env env;
  auto a = durable_file(env, "/a", "a");
  auto b = durable_file(env, "/b", "b");
  env.fail(sim_op::write, 2, errc::io_error, "/a");
  CHECK(write(*a, "1", 0).ok());
  CHECK(write(*b, "1", 0).ok());
  CHECK(write(*b, "2", 0).ok());
  CHECK(env.faults_left() == 1);
  const auto refused = write(*a, "2", 5);
  REQUIRE(refused.code() == errc::io_error);
  CHECK(refused.error().detail.find("/a at 5") != std::string::npos);
  CHECK(env.faults_left() == 0);
  CHECK(write(*a, "3", 0).ok());

  env.fail(sim_op::open, 1, errc::io_error);
  CHECK(env.open("/a", open_mode::read).code() == errc::io_error);
  env.fail(sim_op::create, 1, errc::disk_full);
  CHECK(env.open("/c", open_mode::create).code() == errc::disk_full);
  env.fail(sim_op::allocate, 1, errc::disk_full);
  CHECK(a->allocate(0, 9).code() == errc::disk_full);
  CHECK(*a->size_bytes() <= 9);
  env.fail(sim_op::truncate, 1, errc::io_error);
  CHECK(a->truncate(0).code() == errc::io_error);
  env.fail(sim_op::rename, 1, errc::io_error);
  CHECK(env.rename("/a", "/d").code() == errc::io_error);
  CHECK(env.exists("/a") != env.exists("/d"));
  env.fail(sim_op::remove, 1, errc::io_error);
  CHECK(env.remove("/b").code() == errc::io_error);
  env.fail(sim_op::sync_directory, 1, errc::io_error);
  CHECK(env.sync_directory("/").code() == errc::io_error);
  env.fail(sim_op::make_directories, 1, errc::io_error);
  CHECK(env.make_directories("/x").code() == errc::io_error);
  env.fail(sim_op::read, 1, errc::io_error);
  CHECK(read_one(*a, 0).code() == errc::io_error);
  env.fail(sim_op::list, 1, errc::io_error);
  CHECK(env.list("/").code() == errc::io_error);
  env.fail(sim_op::lock, 1, errc::io_error);
  CHECK(env.lock_directory("/").code() == errc::io_error);
  env.fail(sim_op::map, 1, errc::io_error);
  CHECK(a->map(0).code() == errc::io_error);
  CHECK(env.faults_left() == 0);
}

TEST_CASE("sim env faults: a failed write has written some part of it") {
  std::set<std::size_t> sizes;
  for (int seed = 0; seed < k_seeds; ++seed) {
    sim_env env(static_cast<std::uint64_t>(seed));
    auto f = durable_file(env, "/a", "");
    env.fail(sim_op::write, 1, errc::io_error);
    CHECK_FALSE(write(*f, "0123456789", 0).ok());
    const auto got = text_of(env.bytes("/a"));
    CHECK(got == std::string("0123456789").substr(0, got.size()));
    sizes.insert(got.size());
  }
  CHECK(sizes.size() == 11);
}

TEST_CASE("sim env faults: a failed sync is told once, then success with data gone") {
  bool lost = false;
  bool kept = false;
  bool evicted = false;
  bool cached = false;
  for (int seed = 0; seed < k_seeds; ++seed) {
    sim_env env(static_cast<std::uint64_t>(seed));
    auto f = durable_file(env, "/a", "old");
    REQUIRE(write(*f, "new", 0).ok());
    env.fail(sim_op::sync_data, 1, errc::io_error);
    CHECK(f->sync_data().code() == errc::io_error);
    const auto shown = text_of(env.bytes("/a"));
    CHECK(f->sync_data().ok());  // the trap
    env.crash(crash_keep::all);
    const auto after = text_of(env.bytes("/a"));
    (after == "old" ? lost : kept) = true;
    if (after == "old") (shown == "old" ? evicted : cached) = true;
  }
  CHECK(lost);
  CHECK(kept);
  CHECK(evicted);
  CHECK(cached);
}

TEST_CASE("sim env faults: a stopped world answers io_error until the power is back") {
  std::set<std::string> seen;
  for (int seed = 0; seed < k_seeds; ++seed) {
    sim_env env(static_cast<std::uint64_t>(seed));
    auto f = durable_file(env, "/a", "0");
    REQUIRE(f->allocate(0, k_sim_page_bytes).ok());
    REQUIRE(f->sync_data().ok());
    auto mapped = f->map(k_sim_page_bytes);
    REQUIRE(mapped.ok());
    const auto before = env.operations();
    env.stop_at(before + 2);
    REQUIRE(write(*f, "1", 0).ok());
    CHECK_FALSE(env.stopped());
    CHECK(f->sync_data().code() == errc::io_error);
    CHECK(env.stopped());
    CHECK(env.operations() == before + 2);
    CHECK(write(*f, "2", 0).code() == errc::io_error);
    CHECK(read_one(*f, 0).code() == errc::io_error);
    CHECK(env.open("/a", open_mode::read).code() == errc::io_error);
    CHECK(env.rename("/a", "/b").code() == errc::io_error);
    (*mapped)->bytes()[100] = std::byte{'x'};  // a dead process stores nothing
    CHECK(env.operations() == before + 2);
    env.crash();
    const auto after = text_of(env.bytes("/a"));
    CHECK(after[100] == '\0');
    seen.insert(after.substr(0, 1));
    CHECK(write(*must_open(env, "/a", open_mode::read_write), "3", 0).ok());
  }
  CHECK(seen == std::set<std::string>{"0", "1"});
}

TEST_CASE("sim env faults: the operation that stops the world happens or not") {
  std::set<bool> renamed;
  std::set<bool> made;
  for (int seed = 0; seed < k_seeds; ++seed) {
    sim_env env(static_cast<std::uint64_t>(seed));
    durable_file(env, "/a", "0");
    env.stop_at(env.operations() + 1);
    CHECK(env.rename("/a", "/b").code() == errc::io_error);
    env.crash(crash_keep::all);
    renamed.insert(env.exists("/b"));
    env.stop_at(env.operations() + 1);
    CHECK(env.make_directories("/x/y").code() == errc::io_error);
    env.crash(crash_keep::none);
    made.insert(env.exists("/x/y"));
    CHECK(env.exists("/x") == env.exists("/x/y"));
  }
  CHECK(renamed.size() == 2);
  CHECK(made.size() == 2);
}

TEST_CASE("sim env faults: a full disk refuses growth, never a write into what is allocated") {
  sim_env env;
  env.set_capacity_bytes(4 * k_sim_page_bytes);
  auto f = must_open(env, "/a", open_mode::create);
  REQUIRE(f->allocate(0, 3 * k_sim_page_bytes).ok());
  CHECK(*env.free_bytes("/") == k_sim_page_bytes);
  auto g = must_open(env, "/b", open_mode::create);
  CHECK(g->allocate(0, 2 * k_sim_page_bytes).code() == errc::disk_full);
  CHECK(*g->size_bytes() == 0);
  CHECK(write(*g, std::string(k_sim_page_bytes, 'x'), 0).ok());
  const auto refused = write(*g, "y", k_sim_page_bytes);
  REQUIRE(refused.code() == errc::disk_full);
  CHECK(refused.error().detail.find("/b") != std::string::npos);
  CHECK(write(*f, std::string(3 * k_sim_page_bytes, 'z'), 0).ok());
  CHECK(write(*g, "again", 0).ok());
  CHECK(f->sync_data().ok());
  // A hole takes no space until it is written.
  REQUIRE(g->truncate(100 * k_sim_page_bytes).ok());
  CHECK(write(*g, "y", 50 * k_sim_page_bytes).code() == errc::disk_full);
  REQUIRE(env.remove("/a").ok());
  REQUIRE(env.sync_directory("/").ok());
  CHECK(write(*g, "y", 50 * k_sim_page_bytes).ok());
}

TEST_CASE("sim env faults: a flipped bit is there for readers and after a crash") {
  sim_env env;
  auto f = durable_file(env, "/a", "abc");
  env.flip_bit("/a", 1, 1);
  CHECK(text_of(env.bytes("/a")) == "a`c");
  env.crash(crash_keep::none);
  CHECK(text_of(env.bytes("/a")) == "a`c");
}

TEST_CASE("sim env faults: a bad range fails the reads that touch it until it is written") {
  sim_env env;
  auto f = durable_file(env, "/a", std::string(2000, 'x'));
  env.set_bad_range("/a", 512, 512);
  CHECK(read_one(*f, 511).ok());
  const auto refused = read_one(*f, 512);
  REQUIRE(refused.code() == errc::io_error);
  CHECK(refused.error().detail.find("/a") != std::string::npos);
  CHECK(read_one(*f, 1023).code() == errc::io_error);
  CHECK(read_one(*f, 1024).ok());
  REQUIRE(write(*f, std::string(512, 'y'), 512).ok());
  CHECK(read_one(*f, 512).ok());
}

TEST_CASE("sim env faults: the sync hook runs before the sync, without a lock") {
  sim_env env;
  auto f = durable_file(env, "/a", "old");
  REQUIRE(write(*f, "new", 0).ok());
  std::string path;
  std::string durable;
  env.set_sync_hook([&](const std::string& of) {
    path = of;
    durable = text_of(*env.durable_bytes("/a"));
  });
  REQUIRE(f->sync_data().ok());
  CHECK(path == "/a");
  CHECK(durable == "old");
  CHECK(text_of(*env.durable_bytes("/a")) == "new");
}

TEST_CASE("sim env faults: cached reads can be made to block") {
  sim_env env;
  auto f = durable_file(env, "/a", "abc");
  std::array<std::byte, 10> to{};
  CHECK(*f->pread_cached(to, 0) == 3);
  env.set_reads_cached(false);
  CHECK(f->pread_cached(to, 0).code() == errc::would_block);
  CHECK(*f->pread(to, 0) == 3);
}

TEST_CASE("sim env faults: files can be put, cut, swapped and erased behind the program's back") {
  sim_env env;
  env.put_file("/x/a", as_byte_span("aaaa"));
  env.put_file("/x/b", as_byte_span("bb"));
  env.resize_file("/x/a", 2);
  env.overwrite("/x/a", 1, as_byte_span("AB"));
  env.swap_files("/x/a", "/x/b");
  env.crash(crash_keep::none);
  CHECK(text_of(env.bytes("/x/b")) == "aAB");
  CHECK(text_of(env.bytes("/x/a")) == "bb");
  env.erase_file("/x/a");
  env.crash(crash_keep::none);
  CHECK(env.names("/x") == std::vector<std::string>{"b"});
}

TEST_CASE("sim env faults: the log of operations names what failed") {
  sim_env env;
  auto f = durable_file(env, "/a", "abc");
  env.fail(sim_op::sync_data, 1, errc::io_error);
  CHECK_FALSE(f->sync_data().ok());
  const auto log = env.recent_operations();
  CHECK(log.find("write /a at 0 size 3: none") != std::string::npos);
  CHECK(log.find("sync_data /a at 0 size 0: io-error") != std::string::npos);
}
