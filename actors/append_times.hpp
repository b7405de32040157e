#pragma once
// Where the time of an append goes: counts per stage, as histograms need them. Whoever measures has
// counters of its own and is their only writer, so that counting is a few plain additions without a
// lock or a locked instruction; whoever looks adds up what all of them have counted.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::actors {

/// Parts of an append's way. Each but `forward` and `total` is counted by the leader, and per
/// append: what a group or an entry has taken counts for each append in it.
enum class append_stage : std::uint8_t {
  queue,      ///< taken by the gateway (of another node's: arrived at the leader) -> an entry
  forward,    ///< on a node that does not lead: sent to the leader -> its outcome is here
  write,      ///< the write to the store that the entry was part of
  sync,       ///< the fdatasync behind it
  replicate,  ///< an entry -> on the disks of so many others that with the leader's they are a
              ///< quorum
  commit,     ///< an entry -> known to be on a quorum
  answer,     ///< committed -> visible here and handed to whoever asked
  total,      ///< taken by a gateway -> its answer is there, on whichever node
};
inline constexpr std::size_t k_append_stage_count = 8;
[[nodiscard]] std::string_view to_string(append_stage stage);

/// Upper bounds of the buckets; one more bucket is above them all.
inline constexpr std::array<std::uint64_t, 19> k_time_bounds_ns{
    10'000,        20'000,        50'000,        100'000,       200'000,
    500'000,       1'000'000,     2'000'000,     5'000'000,     10'000'000,
    20'000'000,    50'000'000,    100'000'000,   200'000'000,   500'000'000,
    1'000'000'000, 2'000'000'000, 5'000'000'000, 10'000'000'000};
inline constexpr std::size_t k_time_bucket_count = k_time_bounds_ns.size() + 1;

/// Index of the bucket that a duration belongs to: the first whose bound is not below it.
[[nodiscard]] std::size_t time_bucket_of(std::uint64_t ns);

/// Counts of one thread, to be handed on.
struct time_tally {
  std::array<std::uint32_t, k_time_bucket_count> counts{};
  std::uint64_t sum_ns = 0;

  /// `weight` appends took so long each.
  void add(std::uint64_t ns, std::uint32_t weight = 1) {
    counts[time_bucket_of(ns)] += weight;
    sum_ns += ns * weight;
  }
  [[nodiscard]] bool empty() const {
    return std::all_of(counts.begin(), counts.end(), [](std::uint32_t n) { return n == 0; });
  }
};

/// What has been counted in all.
struct time_totals {
  std::array<std::uint64_t, k_time_bucket_count> counts{};
  std::uint64_t sum_ns = 0;

  [[nodiscard]] std::uint64_t count() const;
  void add(const time_totals& more);
};

/// One writer, any number of readers. A reader may find a count without its time, or the other way
/// round: the next look has both.
class time_counts {
public:
  void add(std::uint64_t ns, std::uint64_t weight = 1);
  void add(const time_tally& tally);
  [[nodiscard]] time_totals totals() const;

private:
  static void increase(std::atomic<std::uint64_t>& counter, std::uint64_t by) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  std::array<std::atomic<std::uint64_t>, k_time_bucket_count> counts_{};
  std::atomic<std::uint64_t> sum_ns_{0};
};

/// The stages as one thread counts them.
class stage_counts {
public:
  [[nodiscard]] time_counts& of(append_stage stage) {
    return stages_[static_cast<std::size_t>(stage)];
  }
  [[nodiscard]] const time_counts& of(append_stage stage) const {
    return stages_[static_cast<std::size_t>(stage)];
  }

private:
  std::array<time_counts, k_append_stage_count> stages_;
};

/// All that is counted for one log. Thread-safe. Memory: some 1.3 KiB a writer (the RaftActor and
/// each thread of the gateway), some 170 bytes a peer.
class append_times {
public:
  /// Beyond so many peers that were ever known, new ones are not told apart.
  static constexpr std::size_t k_peers_max = 128;

  /// Counters for one thread; they stay part of the totals for ever.
  [[nodiscard]] std::shared_ptr<stage_counts> open();
  /// How long entries take to `node`'s disk and back, for the one thread that counts that. The same
  /// counters each time; null beyond k_peers_max.
  [[nodiscard]] std::shared_ptr<time_counts> open_peer(const std::string& node);

  [[nodiscard]] std::array<time_totals, k_append_stage_count> stages() const;
  /// By node id.
  [[nodiscard]] std::map<std::string, time_totals> peers() const;

private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<stage_counts>> writers_;         // guarded by mutex_
  std::map<std::string, std::shared_ptr<time_counts>> peers_;  // guarded by mutex_
};

}  // namespace cairn::actors
