// What survives a power cut in the simulated env, and what does not. Each rule here is one that the
// tests of storage lean on.
#include "tests/support/sim_env.hpp"

#include <array>
#include <doctest/doctest.h>
#include <set>
#include <string>
#include <thread>

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

std::string read(file& from, std::uint64_t position, std::size_t size) {
  std::string text(size, '?');
  const auto got = from.pread(std::as_writable_bytes(std::span(text)), position);
  REQUIRE(got.ok());
  text.resize(*got);
  return text;
}

std::unique_ptr<file> must_open(sim_env& env, const std::string& path, open_mode mode) {
  auto opened = env.open(path, mode);
  REQUIRE(opened.ok());
  return std::move(*opened);
}

/// A file that survives, with `text` in it.
std::unique_ptr<file> durable_file(sim_env& env, const std::string& path, std::string_view text) {
  auto f = must_open(env, path, open_mode::create);
  REQUIRE(write(*f, text, 0).ok());
  REQUIRE(f->sync_data().ok());
  REQUIRE(env.sync_directory("/").ok());
  return f;
}

}  // namespace

TEST_CASE("sim env: what was written is read back, and a read stops at the end of the file") {
  sim_env env;
  auto f = must_open(env, "/a", open_mode::create);
  REQUIRE(write(*f, "hello world", 0).ok());
  REQUIRE(write(*f, "!", 10000).ok());
  CHECK(*f->size_bytes() == 10001);
  CHECK(read(*f, 6, 5) == "world");
  CHECK(read(*f, 9999, 10) == std::string("\0!", 2));
  CHECK(read(*f, 10001, 10).empty());
  CHECK(env.open("/b", open_mode::read).code() == errc::not_found);
  CHECK(env.open("/no/b", open_mode::create).code() == errc::io_error);
  CHECK(write(*must_open(env, "/a", open_mode::read), "x", 0).code() == errc::io_error);
  CHECK(*must_open(env, "/a", open_mode::create)->size_bytes() == 0);
}

TEST_CASE("sim env: positions beyond 4 GiB cost no memory") {
  sim_env env;
  auto f = must_open(env, "/a", open_mode::create);
  const std::uint64_t far = (std::uint64_t{5} << 30U) + 7;
  REQUIRE(write(*f, "far", far).ok());
  CHECK(*f->size_bytes() == far + 3);
  CHECK(read(*f, far - 2, 10) == std::string("\0\0far", 5));
  CHECK(env.used_bytes() == k_sim_page_bytes);
}

TEST_CASE("sim env: synced data under a synced name survives every power cut") {
  for (int seed = 0; seed < k_seeds; ++seed) {
    sim_env env(static_cast<std::uint64_t>(seed));
    durable_file(env, "/a", "kept");
    env.crash();
    CHECK(text_of(env.bytes("/a")) == "kept");
    CHECK(text_of(*env.durable_bytes("/a")) == "kept");
  }
}

TEST_CASE("sim env: an unsynced write survives by sector, in any order") {
  std::set<std::string> seen;
  for (int seed = 0; seed < k_seeds; ++seed) {
    sim_env env(static_cast<std::uint64_t>(seed));
    auto f = durable_file(env, "/a", std::string(4 * k_sim_sector_bytes, '.'));
    REQUIRE(write(*f, std::string(2 * k_sim_sector_bytes, '1'), 0).ok());
    REQUIRE(write(*f, std::string(2 * k_sim_sector_bytes, '2'), 2 * k_sim_sector_bytes).ok());
    env.crash();
    const auto after = text_of(env.bytes("/a"));
    REQUIRE(after.size() == 4 * k_sim_sector_bytes);
    std::string sectors;
    for (std::size_t i = 0; i < 4; ++i) {
      const auto sector = after.substr(i * k_sim_sector_bytes, k_sim_sector_bytes);
      REQUIRE(sector == std::string(k_sim_sector_bytes, sector[0]));  // never half a sector
      sectors += sector[0];
    }
    seen.insert(sectors);
  }
  CHECK(seen.contains("...."));
  CHECK(seen.contains("1122"));
  CHECK(seen.contains("..22"));  // the later write without the earlier one
  CHECK(seen.contains("1..2"));
  CHECK(seen.size() >= 10);
}

TEST_CASE("sim env: a sector written twice holds the old, the first or the second contents") {
  std::set<char> seen;
  for (int seed = 0; seed < k_seeds; ++seed) {
    sim_env env(static_cast<std::uint64_t>(seed));
    auto f = durable_file(env, "/a", "...");
    REQUIRE(write(*f, "111", 0).ok());
    REQUIRE(write(*f, "2", 1).ok());
    env.crash();
    const auto after = text_of(env.bytes("/a"));
    // The second write without the first is impossible: they are in one sector of one page.
    REQUIRE((after == "..." || after == "111" || after == "121"));
    seen.insert(after[1]);
  }
  CHECK(seen.size() == 3);
}

TEST_CASE("sim env: a change of size can survive without its data, and data without its size") {
  bool zeros = false;
  bool short_file = false;
  for (int seed = 0; seed < k_seeds; ++seed) {
    sim_env env(static_cast<std::uint64_t>(seed));
    auto f = durable_file(env, "/a", "abc");
    REQUIRE(write(*f, std::string(2000, 'x'), 3).ok());
    env.crash();
    const auto after = text_of(env.bytes("/a"));
    REQUIRE((after.size() == 3 || after.size() == 2003));
    CHECK(after.substr(0, 3) == "abc");
    if (after.size() == 2003 && after.substr(1024, 100) == std::string(100, '\0')) zeros = true;
    if (after.size() == 3) short_file = true;
  }
  CHECK(zeros);
  CHECK(short_file);
}

TEST_CASE("sim env: a cut that was not synced can come back, a synced one never") {
  bool came_back = false;
  for (int seed = 0; seed < k_seeds; ++seed) {
    sim_env env(static_cast<std::uint64_t>(seed));
    auto f = durable_file(env, "/a", std::string(3000, 'x'));
    REQUIRE(f->truncate(10).ok());
    CHECK(*f->size_bytes() == 10);
    env.crash();
    came_back = came_back || env.bytes("/a").size() == 3000;

    sim_env synced(static_cast<std::uint64_t>(seed));
    auto g = durable_file(synced, "/a", std::string(3000, 'x'));
    REQUIRE(g->truncate(10).ok());
    REQUIRE(g->sync_data().ok());
    REQUIRE(g->truncate(3000).ok());
    synced.crash();
    const auto after = text_of(synced.bytes("/a"));
    CHECK(after.substr(0, 10) == std::string(10, 'x'));
    CHECK(after.find('x', 10) == std::string::npos);
  }
  CHECK(came_back);
}

TEST_CASE("sim env: a name is durable after sync_directory only, whatever its file has synced") {
  bool vanished = false;
  bool survived = false;
  for (int seed = 0; seed < k_seeds; ++seed) {
    sim_env env(static_cast<std::uint64_t>(seed));
    auto f = must_open(env, "/a", open_mode::create);
    REQUIRE(write(*f, "text", 0).ok());
    REQUIRE(f->sync_data().ok());
    CHECK_FALSE(env.durable_bytes("/a").has_value());
    env.crash();
    if (env.exists("/a")) {
      survived = true;
      CHECK(text_of(env.bytes("/a")) == "text");
    } else {
      vanished = true;
    }
  }
  CHECK(vanished);
  CHECK(survived);
}

TEST_CASE("sim env: an unsynced rename is done or not done, never half") {
  std::set<std::string> seen;
  for (int seed = 0; seed < k_seeds; ++seed) {
    sim_env env(static_cast<std::uint64_t>(seed));
    durable_file(env, "/new", "new");
    durable_file(env, "/a", "old");
    REQUIRE(env.rename("/new", "/a").ok());
    CHECK_FALSE(env.exists("/new"));
    env.crash();
    REQUIRE(env.exists("/a"));
    const auto text = text_of(env.bytes("/a"));
    CHECK((text == "old") == env.exists("/new"));
    seen.insert(text);
  }
  CHECK(seen == std::set<std::string>{"new", "old"});
}

TEST_CASE("sim env: an unsynced remove can come back; names survive in order unless told") {
  std::set<std::string> in_order;
  std::set<std::string> any_order;
  for (int seed = 0; seed < k_seeds; ++seed) {
    for (const auto order : {name_order::journal, name_order::any_order}) {
      sim_env env(static_cast<std::uint64_t>(seed));
      env.set_name_order(order);
      durable_file(env, "/a", "a");
      durable_file(env, "/b", "b");
      REQUIRE(env.remove("/a").ok());
      REQUIRE(env.remove("/b").ok());
      REQUIRE(env.remove("/b").ok());
      env.crash();
      std::string left;
      for (const auto& name : env.names("/"))
        left += name;
      (order == name_order::journal ? in_order : any_order).insert(left);
    }
  }
  CHECK(in_order == std::set<std::string>{"ab", "b", ""});
  CHECK(any_order == std::set<std::string>{"ab", "b", "a", ""});
}

TEST_CASE("sim env: make_directories is durable, and a file in it needs its own directory synced") {
  sim_env env;
  REQUIRE(env.make_directories("/x/y").ok());
  auto f = must_open(env, "/x/y/f", open_mode::create);
  REQUIRE(env.sync_directory("/x/y").ok());
  auto g = must_open(env, "/x/g", open_mode::create);
  REQUIRE(env.sync_directory("/").ok());
  env.crash(crash_keep::none);
  CHECK(env.exists("/x/y/f"));
  CHECK_FALSE(env.exists("/x/g"));
  const auto entries = env.list("/x");
  REQUIRE(entries.ok());
  REQUIRE(entries->size() == 1);
  CHECK((*entries)[0].is_directory);
  CHECK(env.list("/nothing").code() == errc::not_found);
  CHECK(env.list("/x/y/f").code() == errc::io_error);
}

TEST_CASE("sim env: stores through a mapping survive by page unless synced") {
  std::set<std::string> seen;
  for (int seed = 0; seed < k_seeds; ++seed) {
    sim_env env(static_cast<std::uint64_t>(seed));
    auto f = must_open(env, "/a", open_mode::create);
    REQUIRE(f->allocate(0, 2 * k_sim_page_bytes).ok());
    REQUIRE(f->sync_data().ok());
    REQUIRE(env.sync_directory("/").ok());
    auto mapped = f->map(2 * k_sim_page_bytes);
    REQUIRE(mapped.ok());
    const auto bytes = (*mapped)->bytes();
    bytes[0] = std::byte{'a'};
    bytes[k_sim_page_bytes - 1] = std::byte{'a'};
    bytes[k_sim_page_bytes] = std::byte{'b'};
    CHECK(read(*f, 0, 1) == "a");
    env.crash();
    bytes[1] = std::byte{'z'};  // the memory of a dead mapping is still there, for nobody
    const auto after = text_of(env.bytes("/a"));
    CHECK(after[0] == after[k_sim_page_bytes - 1]);
    CHECK(after[1] == '\0');
    seen.insert({after[0] == 'a' ? 'a' : '-', after[k_sim_page_bytes] == 'b' ? 'b' : '-'});
  }
  CHECK(seen == std::set<std::string>{"ab", "a-", "-b", "--"});
}

TEST_CASE(
    "sim env: sync_data covers what was stored through a mapping, also after it is unmapped") {
  sim_env env;
  auto f = must_open(env, "/a", open_mode::create);
  REQUIRE(f->allocate(0, k_sim_page_bytes).ok());
  REQUIRE(env.sync_directory("/").ok());
  {
    auto mapped = f->map(100);
    auto second = f->map(50);
    REQUIRE(mapped.ok());
    REQUIRE(second.ok());
    (*mapped)->bytes()[7] = std::byte{'m'};
    CHECK((*second)->bytes()[7] == std::byte{'m'});
    REQUIRE(write(*f, "w", 8).ok());
    CHECK((*mapped)->bytes()[8] == std::byte{'w'});
  }
  REQUIRE(f->sync_data().ok());
  env.crash(crash_keep::none);
  CHECK(text_of(env.bytes("/a")).substr(7, 2) == "mw");
}

TEST_CASE("sim env: a file can be cut under a mapping, what is behind its end is rubbish") {
  sim_env env;
  auto f = must_open(env, "/a", open_mode::create);
  REQUIRE(f->allocate(0, 200).ok());
  auto mapped = f->map(200);
  REQUIRE(mapped.ok());
  (*mapped)->bytes()[10] = std::byte{'x'};
  REQUIRE(f->truncate(100).ok());
  CHECK((*mapped)->bytes()[10] == std::byte{'x'});
  CHECK((*mapped)->bytes()[150] != std::byte{});
  REQUIRE(f->allocate(0, 300).ok());
  CHECK((*mapped)->bytes()[150] == std::byte{});
  (*mapped)->bytes()[150] = std::byte{'y'};
  CHECK(read(*f, 149, 3) == std::string("\0y\0", 3));
}

TEST_CASE("sim env: after a crash every open file, mapping and lock is dead") {
  sim_env env;
  auto f = durable_file(env, "/a", "text");
  auto lock = env.lock_directory("/");
  REQUIRE(lock.ok());
  CHECK(env.lock_directory("/").code() == errc::locked);
  env.crash();
  CHECK(write(*f, "x", 0).code() == errc::io_error);
  CHECK(f->sync_data().code() == errc::io_error);
  CHECK(f->size_bytes().code() == errc::io_error);
  CHECK(f->truncate(0).code() == errc::io_error);
  CHECK(f->allocate(0, 1).code() == errc::io_error);
  CHECK(f->map(1).code() == errc::io_error);
  std::array<std::byte, 4> to{};
  CHECK(f->pread(to, 0).code() == errc::io_error);
  CHECK(f->pread_cached(to, 0).code() == errc::io_error);
  auto again = env.lock_directory("/");
  REQUIRE(again.ok());
  lock->reset();  // the dead one must not release the new one
  CHECK(env.lock_directory("/").code() == errc::locked);
  CHECK(text_of(env.bytes("/a")) == "text");
}

TEST_CASE("sim env: a killed process loses nothing that it has written") {
  sim_env env;
  auto f = must_open(env, "/a", open_mode::create);
  REQUIRE(write(*f, "text", 0).ok());
  env.kill();
  CHECK(text_of(env.bytes("/a")) == "text");
  CHECK(write(*f, "x", 0).code() == errc::io_error);
}

TEST_CASE("sim env: the same seed and calls give the same disk") {
  const auto run = [](std::uint64_t seed) {
    sim_env env(seed);
    sim_random random(seed);
    std::string all;
    for (int round = 0; round < 5; ++round) {
      for (const std::string name : {"/a", "/b", "/c"}) {
        auto f = must_open(env, name, open_mode::create);
        REQUIRE(write(*f, std::string(random.below(5000), 'x'), random.below(3000)).ok());
        if (random.coin()) REQUIRE(f->sync_data().ok());
        if (random.coin()) REQUIRE(env.sync_directory("/").ok());
      }
      env.crash();
      for (const auto& name : env.names("/"))
        all += name + text_of(env.bytes(name)) + ";";
    }
    return all + std::to_string(env.random_u64());
  };
  for (std::uint64_t seed = 1; seed < 20; ++seed)
    CHECK(run(seed) == run(seed));
  CHECK(run(1) != run(2));
}

TEST_CASE("sim env: a clone of the crashed disk leaves the original alone") {
  sim_env env;
  auto f = durable_file(env, "/a", "old");
  REQUIRE(write(*f, "new", 0).ok());
  auto kept = env.clone_crashed(7, crash_keep::all);
  auto lost = env.clone_durable();
  CHECK(text_of(kept->bytes("/a")) == "new");
  CHECK(text_of(lost->bytes("/a")) == "old");
  CHECK(text_of(*env.durable_bytes("/a")) == "old");
  REQUIRE(write(*must_open(*lost, "/a", open_mode::read_write), "xxx", 0).ok());
  CHECK(read(*f, 0, 3) == "new");
  REQUIRE(f->sync_data().ok());
  CHECK(text_of(*env.durable_bytes("/a")) == "new");
  CHECK(text_of(kept->bytes("/a")) == "new");
}

TEST_CASE("sim env: readers on other threads see whole writes") {
  sim_env env;
  auto f = must_open(env, "/a", open_mode::create);
  REQUIRE(write(*f, std::string(5000, 'a'), 0).ok());
  bool torn = false;
  std::thread reader([&] {
    for (int i = 0; i < 200; ++i) {
      std::string got(5000, '?');
      const auto count = f->pread(std::as_writable_bytes(std::span(got)), 0);
      torn = torn || !count.ok() || got != std::string(5000, got[0]);
    }
  });
  for (int i = 0; i < 200; ++i)
    CHECK(write(*f, std::string(5000, static_cast<char>('a' + i % 26)), 0).ok());
  reader.join();
  CHECK_FALSE(torn);
}

TEST_CASE("sim env: the clock moves when a test moves it") {
  sim_env env;
  const auto wall = env.now_ms();
  const auto monotonic = env.monotonic_ns();
  CHECK(env.now_ms() == wall);
  env.advance_ms(250);
  CHECK(env.now_ms() == wall + 250);
  CHECK(env.monotonic_ns() == monotonic + 250'000'000);
  env.set_now_ms(5);
  CHECK(env.now_ms() == 5);
  CHECK(env.monotonic_ns() == monotonic + 250'000'000);
}
