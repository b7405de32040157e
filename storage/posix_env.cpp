#include "storage/posix_env.hpp"

#include "storage/posix_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace cairn::storage {

namespace {

using posix::descriptor;
using posix::open_descriptor;
using posix::system_error;

constexpr unsigned k_file_mode = 0600;
constexpr unsigned k_directory_mode = 0700;

class posix_directory_lock final : public directory_lock {
public:
  explicit posix_directory_lock(descriptor held) : held_(std::move(held)) {}

private:
  descriptor held_;  // closing it releases the lock
};

struct directory_closer {
  void operator()(DIR* open) const { ::closedir(open); }
};

std::string parent_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Leaves the process id in the lock file for people. Best effort: the lock is what counts.
void write_owner(int number) {
  const auto text = fmt::format("{}\n", ::getpid());
  if (::ftruncate(number, 0) != 0) return;
  [[maybe_unused]] const auto wrote = ::pwrite(number, text.data(), text.size(), 0);
}

/// ", by process <id>" when the lock file says so.
std::string owner_of(int number) {
  std::array<char, 32> text{};
  const auto got = ::pread(number, text.data(), text.size() - 1, 0);
  if (got <= 0) return {};
  int id = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + got, id);
  return parsed.ec == std::errc{} ? fmt::format(", by process {}", id) : std::string{};
}

class posix_env final : public env {
public:
  result<std::unique_ptr<file>> open(const std::string& path, open_mode mode) override {
    int flags = O_RDONLY;
    if (mode == open_mode::read_write) flags = O_RDWR;
    if (mode == open_mode::create) flags = O_RDWR | O_CREAT | O_TRUNC;
    auto opened = open_descriptor(path, flags, k_file_mode);
    if (!opened.valid()) {
      const int failed = errno;
      if (failed == ENOENT && mode != open_mode::create) return no_such(path);
      return system_error(mode == open_mode::create ? "create" : "open", path, failed);
    }
    return posix::make_file(std::move(opened), path);
  }

  status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      const int failed = errno;
      return system_error(fmt::format("rename {} to", from), to, failed);
    }
    return {};
  }

  status remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return system_error("remove", path, errno);
    return {};
  }

  status make_directories(const std::string& path) override {
    if (path.empty()) return error{errc::io_error, "cannot make a directory without a name"};
    std::size_t end = 0;
    while (end < path.size()) {
      end = std::min(path.find('/', end + 1), path.size());
      const auto part = path.substr(0, end);
      if (part.back() == '/') continue;  // "//" or a slash at the end
      if (auto made = make_directory(part, path.find_first_not_of('/', end) == std::string::npos);
          !made) {
        return made;
      }
    }
    return {};
  }

  result<std::vector<directory_entry>> list(const std::string& path) override {
    const std::unique_ptr<DIR, directory_closer> open(::opendir(path.c_str()));
    if (!open) return errno == ENOENT ? no_such(path) : system_error("list", path, errno);
    std::vector<directory_entry> entries;
    while (true) {
      errno = 0;
      const dirent* next = ::readdir(open.get());
      if (next == nullptr) break;
      const std::string_view name(next->d_name);
      if (name == "." || name == "..") continue;
      struct stat info {};
      if (::fstatat(::dirfd(open.get()), next->d_name, &info, 0) != 0) {
        if (errno == ENOENT) continue;  // removed since, or a dangling symbolic link
        return system_error("look up", path + "/" + std::string(name), errno);
      }
      const bool is_directory = S_ISDIR(info.st_mode);
      entries.push_back({std::string(name), is_directory,
                         is_directory ? 0 : static_cast<std::uint64_t>(info.st_size)});
    }
    if (errno != 0) return system_error("list", path, errno);
    return entries;
  }

  status sync_directory(const std::string& path) override {
    const auto opened = open_descriptor(path, O_RDONLY | O_DIRECTORY);
    if (!opened.valid()) return system_error("open directory", path, errno);
    if (::fsync(opened.number()) != 0) return system_error("sync directory", path, errno);
    return {};
  }

  result<std::unique_ptr<directory_lock>> lock_directory(const std::string& path) override {
    const auto name = path + "/lock";
    auto opened = open_descriptor(name, O_RDWR | O_CREAT, k_file_mode);
    if (!opened.valid()) {
      return errno == ENOENT ? no_such(path) : system_error("open", name, errno);
    }
    // flock belongs to the open file description, not to the process: a second lock of this process
    // is refused like one of another.
    if (::flock(opened.number(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return system_error("lock", name, errno);
      return error{errc::locked, fmt::format("{} is in use{}", path, owner_of(opened.number()))};
    }
    write_owner(opened.number());
    return std::unique_ptr<directory_lock>(
        std::make_unique<posix_directory_lock>(std::move(opened)));
  }

  result<std::uint64_t> free_bytes(const std::string& path) override {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0) {
      return errno == ENOENT ? no_such(path) : system_error("look up free space of", path, errno);
    }
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  }

  unix_ms now_ms() override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }

  std::uint64_t monotonic_ns() override {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                          std::chrono::steady_clock::now().time_since_epoch())
                                          .count());
  }

  std::uint64_t random_u64() override {
    std::uint64_t value = 0;
    // Requests of up to 256 bytes are never cut short; EINTR only happens before the kernel's pool
    // is ready.
    while (::getrandom(&value, sizeof value, 0) != sizeof value) {
      CAIRN_CHECK(errno == EINTR, "getrandom: errno {}", errno);
    }
    return value;
  }

private:
  [[nodiscard]] static error no_such(const std::string& path) {
    return {errc::not_found, fmt::format("{} does not exist", path)};
  }

  /// Makes one directory and syncs its parent. `is_last`: sync even when it was there.
  [[nodiscard]] status make_directory(const std::string& path, bool is_last) {
    const bool made = ::mkdir(path.c_str(), k_directory_mode) == 0;
    if (!made) {
      const int failed = errno;
      struct stat info {};
      // Not only EEXIST: a read-only or foreign parent may say EROFS or EACCES first.
      if (::stat(path.c_str(), &info) != 0) return system_error("make directory", path, failed);
      if (!S_ISDIR(info.st_mode)) return system_error("make directory", path, ENOTDIR);
      if (!is_last) return {};
    }
    const auto parent = parent_of(path);
    // The parent of what was there already need not be ours to open.
    if (!made && ::access(parent.c_str(), R_OK) != 0) return {};
    return sync_directory(parent);
  }
};

}  // namespace

std::unique_ptr<env> make_posix_env() {
  return std::make_unique<posix_env>();
}

}  // namespace cairn::storage
