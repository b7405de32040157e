#pragma once
// A disk, a clock and a source of randomness in memory that fail on command, as real ones were
// seen to fail. Whatever happens follows from the seed and the calls.
//
//   sim_env env(seed);
//   auto log = segmented_log::open(env, "/log", ...);
//   env.stop_at(env.operations() + 7);   // the 7th change of the disk from now is the last one
//   ...                                  // everything fails
//   env.crash();                         // power comes back
//   log = segmented_log::open(env, "/log", ...);
//
// Thread-safe as an env is. The functions below "crash" and "tamper" want nobody else at work.

#include "storage/env.hpp"
#include "tests/support/sim_directory.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn::testing {

/// Kinds of operations, for faults and messages. Those up to `lock` change the disk and are counted
/// by operations().
enum class sim_op : std::uint8_t {
  create,  ///< open with open_mode::create
  write,
  allocate,
  sync_data,
  truncate,
  rename,
  remove,
  make_directories,
  sync_directory,
  lock,
  open,  ///< of a file that exists
  read,
  map,
  list,
};

class sim_state;

class sim_env final : public storage::env {
public:
  explicit sim_env(std::uint64_t seed = 1);
  ~sim_env() override;

  // ---- storage::env

  [[nodiscard]] result<std::unique_ptr<storage::file>> open(const std::string& path,
                                                            storage::open_mode mode) override;
  [[nodiscard]] status rename(const std::string& from, const std::string& to) override;
  [[nodiscard]] status remove(const std::string& path) override;
  /// Durable on return, all of it or nothing.
  [[nodiscard]] status make_directories(const std::string& path) override;
  [[nodiscard]] result<std::vector<storage::directory_entry>> list(
      const std::string& path) override;
  [[nodiscard]] status sync_directory(const std::string& path) override;
  [[nodiscard]] result<std::unique_ptr<storage::directory_lock>> lock_directory(
      const std::string& path) override;
  [[nodiscard]] result<std::uint64_t> free_bytes(const std::string& path) override;
  [[nodiscard]] unix_ms now_ms() override;
  [[nodiscard]] std::uint64_t monotonic_ns() override;
  [[nodiscard]] std::uint64_t random_u64() override;

  // ---- power

  /// Cuts the power and brings it back: what was not synced survives as `keep` says, all open
  /// files, mappings and locks are dead (io_error), a stopped world goes on, faults are cleared.
  void crash(crash_keep keep = crash_keep::at_random);
  /// The process dies, the machine does not: as crash(), but everything that was written is there.
  void kill() { crash(crash_keep::all); }
  /// Changes of the disk so far, failed ones too.
  [[nodiscard]] std::uint64_t operations() const;
  /// Lets change number `operation` (operations() + 1 is the next one) be the last: it happens,
  /// wholly, partly or not at all, but is answered with io_error, as is everything after it, until
  /// crash().
  void stop_at(std::uint64_t operation);
  [[nodiscard]] bool stopped() const;
  /// Default: journal.
  void set_name_order(name_order order);

  // ---- faults

  /// Fails the `nth` (1 is the next) operation of a kind on a path that contains `path_part`. A
  /// failed write has written any part; a failed sync has dropped or kept any sectors and marked
  /// all of them clean, so that the next one succeeds. Each call adds a fault; each fires once.
  void fail(sim_op kind, std::uint64_t nth, errc code, std::string path_part = {});
  /// Faults that have not fired yet.
  [[nodiscard]] std::size_t faults_left() const;
  void clear_faults();
  /// Size of the disk for the contents of files. Nothing: without limit.
  void set_capacity_bytes(std::optional<std::uint64_t> capacity_bytes);
  /// Bytes that files take now.
  [[nodiscard]] std::uint64_t used_bytes() const;
  /// Reads that touch the range fail with io_error (a bad sector) until the path is written there.
  void set_bad_range(const std::string& path, std::uint64_t position, std::uint64_t size);
  /// Is called with the path at the start of every sync_data, outside of all locks: may block (a
  /// hung disk) or look at the env.
  void set_sync_hook(std::function<void(const std::string& path)> hook);
  /// True (default): pread_cached hits. False: it always would block.
  void set_reads_cached(bool cached);

  // ---- tampering, behind the back of the program

  /// Flips bit `bit` of the byte at `position`, on the disk and in the cache. @pre it exists.
  void flip_bit(const std::string& path, std::uint64_t position, unsigned bit = 0);
  /// Replaces bytes, or makes the file with parents, durably.
  void overwrite(const std::string& path, std::uint64_t position, byte_span bytes);
  void put_file(const std::string& path, byte_span bytes);
  void resize_file(const std::string& path, std::uint64_t size_bytes);
  void erase_file(const std::string& path);
  /// Exchanges the contents that two names stand for.
  void swap_files(const std::string& a, const std::string& b);

  // ---- looking

  [[nodiscard]] bool exists(const std::string& path) const;
  /// The bytes that a power cut now would surely leave. Nothing if the name would be gone.
  [[nodiscard]] std::optional<std::vector<std::byte>> durable_bytes(const std::string& path) const;
  /// The durable bytes of [position, position + to.size()), as many as there are. Nothing if the
  /// name would be gone.
  [[nodiscard]] std::optional<std::size_t> read_durable(const std::string& path,
                                                        std::uint64_t position,
                                                        mutable_byte_span to) const;
  /// Names that a power cut now would leave in a directory, sorted.
  [[nodiscard]] std::vector<std::string> durable_names(const std::string& path) const;
  /// The bytes that a read shows.
  [[nodiscard]] std::vector<std::byte> bytes(const std::string& path) const;
  /// Names in a directory, sorted.
  [[nodiscard]] std::vector<std::string> names(const std::string& path) const;
  /// Another disk with what this one would have after crash(keep); this one goes on.
  [[nodiscard]] std::unique_ptr<sim_env> clone_crashed(
      std::uint64_t seed, crash_keep keep = crash_keep::at_random) const;
  [[nodiscard]] std::unique_ptr<sim_env> clone_durable(std::uint64_t seed = 1) const {
    return clone_crashed(seed, crash_keep::none);
  }
  /// The last operations, one a line, for the message of a failed test.
  [[nodiscard]] std::string recent_operations() const;

  // ---- time

  void advance_ms(std::uint64_t milliseconds);
  /// Sets the monotonic clock. @pre not before what it shows.
  void set_monotonic_ns(std::uint64_t now);
  /// Sets the wall clock only; it may jump.
  void set_now_ms(unix_ms now);

private:
  std::shared_ptr<sim_state> state_;
};

}  // namespace cairn::testing
