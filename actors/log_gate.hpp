#pragma once
// What a log's actors share with the ports in front of them without a message: the bounds of its
// queues, and why it does not serve. All of it is atomic counters and a few words, so that a
// refusal costs nothing and is immediate.

#include "storage/base/units.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace cairn::actors {

/// Bounds of one log. A CAF mailbox has none, so these are what keeps memory in check.
struct log_limits {
  std::uint64_t queued_bytes_max = 64 * k_mib_bytes;  ///< payloads accepted but not yet answered
  std::uint32_t queued_appends_max = 32 * 1024;       ///< the same, counted
  std::uint32_t waiting_readers_max = 20'000;         ///< reads that wait for a commit
  std::uint32_t cold_reads_max = 256;                 ///< reads that wait for the disk
  std::uint32_t segment_reads_max = 64;               ///< the same, of one segment
};

/// A counter with a ceiling.
class bounded_count {
public:
  explicit bounded_count(std::uint64_t max) : max_(max) {}

  /// Adds `n`, or adds nothing and says false when that would exceed the ceiling.
  [[nodiscard]] bool try_add(std::uint64_t n) {
    if (count_.fetch_add(n, std::memory_order_relaxed) + n <= max_) return true;
    count_.fetch_sub(n, std::memory_order_relaxed);
    return false;
  }
  /// As try_add(), but what is larger than the ceiling may go alone: else it never could.
  [[nodiscard]] bool try_add_or_alone(std::uint64_t n) {
    const auto before = count_.fetch_add(n, std::memory_order_relaxed);
    if (before == 0 || before + n <= max_) return true;
    count_.fetch_sub(n, std::memory_order_relaxed);
    return false;
  }
  void remove(std::uint64_t n) { count_.fetch_sub(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t max() const { return max_; }

private:
  const std::uint64_t max_;
  std::atomic<std::uint64_t> count_{0};
};

/// Thread-safe.
class log_gate {
public:
  explicit log_gate(const log_limits& limits);

  /// Takes room in the append queue. False, and nothing is taken, when it is full. An append that
  /// is larger than the whole queue is admitted when nothing else waits.
  [[nodiscard]] bool admit_append(std::uint64_t bytes);
  void release_appends(std::uint64_t count, std::uint64_t bytes);

  [[nodiscard]] std::uint64_t queued_appends() const { return appends_.count(); }
  [[nodiscard]] std::uint64_t queued_bytes() const { return bytes_.count(); }
  [[nodiscard]] std::uint64_t queued_bytes_max() const { return bytes_.max(); }
  [[nodiscard]] bool full() const {
    return appends_.count() >= appends_.max() || bytes_.count() >= bytes_.max();
  }
  /// An append was refused because there is too much under way; admit_append counts its own.
  void count_refused() { refused_appends_.fetch_add(1, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t refused_appends() const {
    return refused_appends_.load(std::memory_order_relaxed);
  }

  bounded_count waiting_readers;
  bounded_count cold_reads;
  const std::uint32_t segment_reads_max;

  /// The log takes no writes any more, for this reason. The first reason stays.
  void fence(std::string reason);
  void set_closing() { closing_.store(true, std::memory_order_release); }
  /// Written by the RaftActor alone, which knows what has been refused.
  void set_disk_full(bool full) { disk_full_.store(full, std::memory_order_relaxed); }
  [[nodiscard]] bool disk_full() const { return disk_full_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool fenced() const { return fenced_.load(std::memory_order_acquire); }
  [[nodiscard]] bool closing() const { return closing_.load(std::memory_order_acquire); }

  /// Brackets a write, so that a disk that hangs is seen from outside. 0: none under way.
  void write_begins(std::uint64_t now_ns) { write_since_ns_.store(now_ns); }
  void write_ended() { write_since_ns_.store(0); }

  /// Why this log does not serve as it should, one sentence each.
  [[nodiscard]] std::vector<std::string> unready_reasons(std::uint64_t now_ns) const;
  /// Why it takes no appends at all, or empty.
  [[nodiscard]] std::string closed_reason() const;

  // Gauges for metrics; written by the log's actor.
  std::atomic<std::uint64_t> size_bytes{0};
  std::atomic<std::uint64_t> segment_count{0};
  std::atomic<std::uint64_t> segment_restarts{0};
  // Likewise; written by the RaftActor.
  std::atomic<std::uint64_t> session_keys{0};
  std::atomic<std::uint64_t> session_producers{0};
  std::atomic<std::uint64_t> replayed_appends{0};

  /// A write that takes longer makes the node unready.
  static constexpr std::uint64_t k_hung_write_ns = 5'000'000'000;

private:
  bounded_count appends_;
  bounded_count bytes_;
  std::atomic<std::uint64_t> refused_appends_{0};
  std::atomic<bool> closing_{false};
  std::atomic<bool> disk_full_{false};
  std::atomic<bool> fenced_{false};
  std::atomic<std::uint64_t> write_since_ns_{0};
  mutable std::mutex mutex_;
  std::string fence_reason_;  // guarded by mutex_
};

}  // namespace cairn::actors
