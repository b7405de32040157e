#pragma once
// Files, directories, clocks and randomness as storage needs them. The POSIX one (posix_env.hpp)
// talks to the kernel; the simulated one (tests/support/sim_env.hpp) loses, tears, flips and
// refuses on command. Nothing else in storage/ touches the operating system, so whatever storage
// does can be broken by a test.
//
// Errors of every call: io_error with the path and the system's words, unless stated otherwise.

#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/result.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::storage {

/// A shared writable mapping of the first bytes of a file. Unmapped on destruction; nothing is
/// synced by it. Bytes that were stored through it reach the disk at the latest with the file's
/// sync_data().
class mapping {
public:
  virtual ~mapping() = default;
  [[nodiscard]] virtual mutable_byte_span bytes() = 0;
};

/// One open file. Positions and sizes are bytes. pread is thread-safe; everything else belongs to
/// one thread at a time. Closed on destruction; closing makes nothing durable.
class file {
public:
  virtual ~file() = default;

  /// Reads into `to` from `position` until `to` is full or the file ends. Returns the count read.
  [[nodiscard]] virtual result<std::size_t> pread(mutable_byte_span to, std::uint64_t position) = 0;

  /// As pread, but returns would_block instead of waiting for the disk. An environment that cannot
  /// tell may always return would_block.
  [[nodiscard]] virtual result<std::size_t> pread_cached(mutable_byte_span to,
                                                         std::uint64_t position) = 0;

  /// Writes all pieces, one after the other, at `position`. A failure may have written any part.
  /// disk_full when the file had to grow and could not. Not durable until sync_data() returns ok.
  [[nodiscard]] virtual status pwrite(std::span<const byte_span> pieces,
                                      std::uint64_t position) = 0;

  /// Reserves disk space for [position, position + size) and grows the file to cover it; bytes
  /// beyond the old end read as zeros. disk_full when there is no room: then nothing that was
  /// stored has changed, though the file may have grown. Afterwards a pwrite inside the range
  /// cannot fail for lack of space.
  [[nodiscard]] virtual status allocate(std::uint64_t position, std::uint64_t size) = 0;

  /// Makes written data, and the size if it changed, durable (fdatasync). After a failure the state
  /// of the data is unknown for ever: never retry, fence.
  [[nodiscard]] virtual status sync_data() = 0;

  /// Cuts the file or extends it with zeros (a sparse hole). Durable after sync_data().
  [[nodiscard]] virtual status truncate(std::uint64_t size_bytes) = 0;

  [[nodiscard]] virtual result<std::uint64_t> size_bytes() = 0;

  /// Maps the first `size_bytes` read-write and shared. @pre the file is at least that long, with
  /// space reserved by allocate(), else an access can kill the process (SIGBUS).
  [[nodiscard]] virtual result<std::unique_ptr<mapping>> map(std::uint64_t size_bytes) = 0;

  /// Advises the kernel that the cached pages of the file will not be needed soon. Best effort.
  virtual void drop_cache() = 0;
};

/// Keeps a data directory for one process; released on destruction or when the process ends in
/// whatever way.
class directory_lock {
public:
  virtual ~directory_lock() = default;
};

enum class open_mode : std::uint8_t {
  read,        ///< must exist
  read_write,  ///< must exist
  create,      ///< read-write; made when missing, emptied when not. The name is durable after
               ///< sync_directory()
};

struct directory_entry {
  std::string name;  ///< without the path
  bool is_directory = false;
  std::uint64_t size_bytes = 0;
};

/// Thread-safe.
class env {
public:
  virtual ~env() = default;

  /// not_found when the file must exist and does not.
  [[nodiscard]] virtual result<std::unique_ptr<file>> open(const std::string& path,
                                                           open_mode mode) = 0;
  /// Replaces `to` atomically. Durable after sync_directory() of the parent (of both, if they
  /// differ).
  [[nodiscard]] virtual status rename(const std::string& from, const std::string& to) = 0;
  /// ok when it is already gone. Durable after sync_directory().
  [[nodiscard]] virtual status remove(const std::string& path) = 0;
  /// Makes the directory and missing parents, mode 0700, and syncs the parents of what it made.
  [[nodiscard]] virtual status make_directories(const std::string& path) = 0;
  /// Entries without "." and "..", in no order. not_found when there is no such directory.
  [[nodiscard]] virtual result<std::vector<directory_entry>> list(const std::string& path) = 0;
  /// Makes created, renamed and removed names in `path` durable.
  [[nodiscard]] virtual status sync_directory(const std::string& path) = 0;
  /// errc::locked when another process (or another lock of this one) has it.
  [[nodiscard]] virtual result<std::unique_ptr<directory_lock>> lock_directory(
      const std::string& path) = 0;
  /// Bytes that an unprivileged process may still write on the file system of `path`.
  [[nodiscard]] virtual result<std::uint64_t> free_bytes(const std::string& path) = 0;

  /// Wall clock. May jump.
  [[nodiscard]] virtual unix_ms now_ms() = 0;
  /// Never goes back; for durations only.
  [[nodiscard]] virtual std::uint64_t monotonic_ns() = 0;
  /// Unpredictable in production, seeded in tests.
  [[nodiscard]] virtual std::uint64_t random_u64() = 0;
};

}  // namespace cairn::storage
