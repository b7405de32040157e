#include "storage/posix_env.hpp"

#include "storage/base/units.hpp"
#include "tests/support/temporary_directory.hpp"

#include <algorithm>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace cairn;
using namespace cairn::storage;
using cairn::testing::temporary_directory;

namespace {

status write(file& to, std::string_view text, std::uint64_t position) {
  const std::array pieces{as_byte_span(text)};
  return to.pwrite(pieces, position);
}

std::string read(file& from, std::uint64_t position, std::size_t size) {
  std::string text(size, '?');
  const auto got = from.pread(std::as_writable_bytes(std::span(text)), position);
  REQUIRE(got.ok());
  text.resize(*got);
  return text;
}

std::unique_ptr<file> must_open(env& in, const std::string& path, open_mode mode) {
  auto opened = in.open(path, mode);
  REQUIRE_MESSAGE(opened.ok(), (opened.ok() ? "" : opened.error().detail));
  return std::move(*opened);
}

unsigned permissions(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 0777U;
}

}  // namespace

TEST_CASE("posix env: what was written is read back, and a read stops at the end of the file") {
  const temporary_directory dir;
  auto env = make_posix_env();
  auto f = must_open(*env, dir.file("a"), open_mode::create);
  REQUIRE(write(*f, "hello world", 0).ok());
  REQUIRE(write(*f, "!", 20).ok());
  CHECK(*f->size_bytes() == 21);
  CHECK(read(*f, 6, 5) == "world");
  CHECK(read(*f, 18, 100) == std::string("\0\0!", 3));
  CHECK(read(*f, 21, 10).empty());
  CHECK(read(*f, 1000, 10).empty());
  CHECK(f->sync_data().ok());
  CHECK(env->sync_directory(dir.path()).ok());
}

TEST_CASE("posix env: a write of more pieces than the kernel takes at once keeps their order") {
  const temporary_directory dir;
  auto env = make_posix_env();
  auto f = must_open(*env, dir.file("a"), open_mode::create);
  std::string whole;
  std::vector<std::string> texts;
  for (int i = 0; i < 5000; ++i) {
    // Empty pieces too: they must neither stop the loop nor make it endless.
    texts.push_back(i % 7 == 0 ? "" : std::to_string(i) + ",");
    whole += texts.back();
  }
  std::vector<byte_span> pieces;
  for (const auto& text : texts)
    pieces.push_back(as_byte_span(text));
  REQUIRE(f->pwrite(pieces, 3).ok());
  CHECK(read(*f, 3, whole.size() + 10) == whole);
  const std::array<byte_span, 2> nothing{};
  CHECK(f->pwrite(nothing, 0).ok());
  CHECK(f->pwrite({}, 0).ok());
  CHECK(*f->size_bytes() == whole.size() + 3);
}

TEST_CASE("posix env: create empties an existing file, the other modes need one") {
  const temporary_directory dir;
  auto env = make_posix_env();
  CHECK(env->open(dir.file("a"), open_mode::read).code() == errc::not_found);
  CHECK(env->open(dir.file("a"), open_mode::read_write).code() == errc::not_found);
  REQUIRE(write(*must_open(*env, dir.file("a"), open_mode::create), "text", 0).ok());
  CHECK(*must_open(*env, dir.file("a"), open_mode::read_write)->size_bytes() == 4);
  CHECK(*must_open(*env, dir.file("a"), open_mode::create)->size_bytes() == 0);
}

TEST_CASE("posix env: a failure names the path and the system's words") {
  const temporary_directory dir;
  auto env = make_posix_env();
  auto f = must_open(*env, dir.file("a"), open_mode::create);
  auto read_only = must_open(*env, dir.file("a"), open_mode::read);
  const auto refused = write(*read_only, "x", 7);
  REQUIRE(refused.code() == errc::io_error);
  CHECK(refused.error().detail.find(dir.file("a")) != std::string::npos);
  CHECK(refused.error().detail.find("at 7") != std::string::npos);
  CHECK(refused.error().detail.find("Bad file descriptor") != std::string::npos);

  const auto renamed = env->rename(dir.file("missing"), dir.file("b"));
  REQUIRE(renamed.code() == errc::io_error);
  CHECK(renamed.error().detail.find(dir.file("missing")) != std::string::npos);
  CHECK(renamed.error().detail.find("No such file") != std::string::npos);
  CHECK(env->sync_directory(dir.file("missing")).code() == errc::io_error);
  CHECK(env->sync_directory(dir.file("a")).code() == errc::io_error);
  CHECK(env->free_bytes(dir.file("missing")).code() == errc::not_found);
}

TEST_CASE("posix env: a device without room gives disk_full") {
  auto env = make_posix_env();
  auto full = env->open("/dev/full", open_mode::read_write);
  if (!full) {
    MESSAGE("no /dev/full here");
    return;
  }
  CHECK(write(**full, "x", 0).code() == errc::disk_full);
}

TEST_CASE("posix env: files are 0600 and directories 0700") {
  const temporary_directory dir;
  auto env = make_posix_env();
  REQUIRE(env->make_directories(dir.file("x/y//z/")).ok());
  CHECK(permissions(dir.file("x")) == 0700);
  CHECK(permissions(dir.file("x/y/z")) == 0700);
  auto f = must_open(*env, dir.file("x/y/z/f"), open_mode::create);
  CHECK(permissions(dir.file("x/y/z/f")) == 0600);
  CHECK(env->make_directories(dir.file("x/y")).ok());
  CHECK(env->make_directories(dir.file("x/y/z/f")).code() == errc::io_error);
  CHECK(env->make_directories(dir.file("x/y/z/f/g")).code() == errc::io_error);
  CHECK(env->make_directories("/").ok());
  CHECK(env->make_directories("").code() == errc::io_error);
}

TEST_CASE("posix env: descriptors do not leak into child processes") {
  const temporary_directory dir;
  auto env = make_posix_env();
  auto f = must_open(*env, dir.file("a"), open_mode::create);
  auto lock = env->lock_directory(dir.path());
  REQUIRE(lock.ok());
  std::size_t ours = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
    if (target.rfind(dir.path(), 0) != 0) continue;
    ++ours;
    const int flags = ::fcntl(std::stoi(entry.path().filename().string()), F_GETFD);
    CHECK((flags & FD_CLOEXEC) != 0);
  }
  CHECK(ours == 2);
}

TEST_CASE("posix env: list tells files, directories and sizes") {
  const temporary_directory dir;
  auto env = make_posix_env();
  REQUIRE(env->make_directories(dir.file("sub")).ok());
  REQUIRE(write(*must_open(*env, dir.file("a"), open_mode::create), "12345", 0).ok());
  auto entries = env->list(dir.path());
  REQUIRE(entries.ok());
  std::sort(entries->begin(), entries->end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  REQUIRE(entries->size() == 2);
  CHECK((*entries)[0].name == "a");
  CHECK((*entries)[0].size_bytes == 5);
  CHECK_FALSE((*entries)[0].is_directory);
  CHECK((*entries)[1].name == "sub");
  CHECK((*entries)[1].is_directory);
  CHECK(env->list(dir.file("missing")).code() == errc::not_found);
  CHECK(env->list(dir.file("a")).code() == errc::io_error);
}

TEST_CASE("posix env: rename replaces, remove of what is gone is ok") {
  const temporary_directory dir;
  auto env = make_posix_env();
  REQUIRE(write(*must_open(*env, dir.file("a"), open_mode::create), "new", 0).ok());
  REQUIRE(write(*must_open(*env, dir.file("b"), open_mode::create), "older", 0).ok());
  REQUIRE(env->rename(dir.file("a"), dir.file("b")).ok());
  CHECK(read(*must_open(*env, dir.file("b"), open_mode::read), 0, 10) == "new");
  CHECK(env->remove(dir.file("b")).ok());
  CHECK(env->remove(dir.file("b")).ok());
  CHECK(env->list(dir.path())->empty());
}

TEST_CASE("posix env: allocate grows with zeros and leaves what is there") {
  const temporary_directory dir;
  auto env = make_posix_env();
  auto f = must_open(*env, dir.file("a"), open_mode::create);
  REQUIRE(write(*f, "keep", 0).ok());
  REQUIRE(f->allocate(0, 64 * k_kib_bytes).ok());
  REQUIRE(f->allocate(0, 0).ok());
  CHECK(*f->size_bytes() == 64 * k_kib_bytes);
  CHECK(read(*f, 0, 6) == std::string("keep\0\0", 6));
  struct stat info {};
  REQUIRE(::stat(dir.file("a").c_str(), &info) == 0);
  CHECK(info.st_blocks * 512 >= 64 * 1024);
  REQUIRE(f->truncate(2).ok());
  CHECK(read(*f, 0, 10) == "ke");
  REQUIRE(f->truncate(4).ok());
  CHECK(read(*f, 0, 10) == std::string("ke\0\0", 4));
}

TEST_CASE("posix env: a mapping and the file show the same bytes") {
  const temporary_directory dir;
  auto env = make_posix_env();
  auto f = must_open(*env, dir.file("a"), open_mode::create);
  CHECK(f->map(4096).code() == errc::io_error);  // shorter than what is to be mapped
  REQUIRE(f->allocate(0, 10000).ok());
  auto mapped = f->map(10000);
  REQUIRE(mapped.ok());
  const auto bytes = (*mapped)->bytes();
  REQUIRE(bytes.size() == 10000);
  bytes[9999] = std::byte{'x'};
  CHECK(read(*f, 9999, 1) == "x");
  REQUIRE(write(*f, "y", 5000).ok());
  CHECK(bytes[5000] == std::byte{'y'});
  auto empty = f->map(0);
  REQUIRE(empty.ok());
  CHECK((*empty)->bytes().empty());
}

TEST_CASE("posix env: pread_cached reads what is cached and knows the end of the file") {
  const temporary_directory dir;
  auto env = make_posix_env();
  auto f = must_open(*env, dir.file("a"), open_mode::create);
  const std::string text(100000, 'c');
  REQUIRE(write(*f, text, 0).ok());
  std::string got(text.size() + 10, '?');
  const auto count = f->pread_cached(std::as_writable_bytes(std::span(got)), 0);
  if (count.code() == errc::would_block) {
    MESSAGE("the file system of the temporary directory cannot tell what is cached");
    return;
  }
  REQUIRE(count.ok());
  CHECK(*count == text.size());
  CHECK(got.substr(0, text.size()) == text);
  const auto past = f->pread_cached(std::as_writable_bytes(std::span(got)), text.size());
  REQUIRE(past.ok());
  CHECK(*past == 0);
}

TEST_CASE(
    "posix env: pread_cached of pages that were dropped would block, then pread fetches them") {
  const temporary_directory dir;
  auto env = make_posix_env();
  auto f = must_open(*env, dir.file("a"), open_mode::create);
  const std::string text(8 * k_mib_bytes, 'd');
  REQUIRE(write(*f, text, 0).ok());
  REQUIRE(f->sync_data().ok());
  f->drop_cache();
  std::string got(text.size(), '?');
  const auto cold = f->pread_cached(std::as_writable_bytes(std::span(got)), 0);
  // Dropping is advice, so a hit is legal; a short count without an error is not.
  if (cold.ok()) {
    CHECK(*cold == text.size());
  } else {
    CHECK(cold.code() == errc::would_block);
  }
  CHECK(read(*f, 0, text.size()) == text);
}

TEST_CASE("posix env: a directory has one lock, in one process and across processes") {
  const temporary_directory dir;
  auto env = make_posix_env();
  auto other = make_posix_env();
  {
    auto lock = env->lock_directory(dir.path());
    REQUIRE(lock.ok());
    const auto again = env->lock_directory(dir.path());
    REQUIRE(again.code() == errc::locked);
    CHECK(again.error().detail.find(dir.path()) != std::string::npos);
    CHECK(again.error().detail.find(std::to_string(::getpid())) != std::string::npos);
    CHECK(other->lock_directory(dir.path()).code() == errc::locked);
    const auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::_exit(make_posix_env()->lock_directory(dir.path()).code() == errc::locked ? 7 : 8);
    }
    int state = 0;
    REQUIRE(::waitpid(child, &state, 0) == child);
    CHECK(WIFEXITED(state));
    CHECK(WEXITSTATUS(state) == 7);
  }
  CHECK(other->lock_directory(dir.path()).ok());
  CHECK(permissions(dir.file("lock")) == 0600);
  CHECK(env->lock_directory(dir.file("missing")).code() == errc::not_found);
}

TEST_CASE("posix env: the clocks run forwards and random numbers differ") {
  auto env = make_posix_env();
  CHECK(env->now_ms() > 1'600'000'000'000);
  const auto before = env->monotonic_ns();
  CHECK(env->monotonic_ns() >= before);
  CHECK(env->random_u64() != env->random_u64());
}

TEST_CASE("posix env: concurrent readers see whole writes that came before") {
  const temporary_directory dir;
  auto env = make_posix_env();
  auto f = must_open(*env, dir.file("a"), open_mode::create);
  const std::string text(256 * k_kib_bytes, 'r');
  REQUIRE(write(*f, text, 0).ok());
  std::array<bool, 4> same{};
  std::vector<std::thread> readers;
  for (auto& result : same) {
    readers.emplace_back([&f, &result, &text] {
      std::string got(text.size(), '?');
      const auto count = f->pread(std::as_writable_bytes(std::span(got)), 0);
      result = count.ok() && got == text;
    });
  }
  for (auto& reader : readers)
    reader.join();
  CHECK(std::all_of(same.begin(), same.end(), [](bool ok) { return ok; }));
}

// Last, because it moves this process into a mount namespace of its own.
TEST_CASE("posix env: a full file system gives disk_full and keeps what was allocated writable") {
  const temporary_directory dir;
  const bool apart = ::unshare(CLONE_NEWNS) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
  if (!apart || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("none", dir.path().c_str(), "tmpfs", 0, "size=1m") != 0) {
    MESSAGE("this machine does not let us mount a small file system");
    return;
  }
  auto env = make_posix_env();
  auto reserved = must_open(*env, dir.file("reserved"), open_mode::create);
  REQUIRE(reserved->allocate(0, 256 * k_kib_bytes).ok());
  CHECK(*env->free_bytes(dir.path()) <= 768 * k_kib_bytes);
  auto f = must_open(*env, dir.file("f"), open_mode::create);
  const auto refused = f->allocate(0, 2 * k_mib_bytes);
  REQUIRE(refused.code() == errc::disk_full);
  CHECK(refused.error().detail.find(dir.file("f")) != std::string::npos);
  CHECK(refused.error().detail.find("No space left") != std::string::npos);
  CHECK(write(*f, std::string(2 * k_mib_bytes, 'x'), 0).code() == errc::disk_full);
  CHECK(write(*reserved, std::string(256 * k_kib_bytes, 'y'), 0).ok());
  CHECK(reserved->sync_data().ok());
  reserved.reset();
  f.reset();
  ::umount2(dir.path().c_str(), MNT_DETACH);
}
