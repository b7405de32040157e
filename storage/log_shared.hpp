#pragma once
// What a log's writer and its readers share.

#include "storage/base/ids.hpp"
#include "storage/base/result.hpp"
#include "storage/env.hpp"
#include "storage/segment.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace cairn::storage {

using segment_list = std::vector<std::shared_ptr<segment>>;

/// Keeps the handles of sealed segments open, the most recently used ones, so that a log of
/// thousands of segments needs few descriptors. Thread-safe.
class segment_cache {
public:
  segment_cache(env& env, std::size_t open_max) : env_(env), open_max_(open_max) {}

  /// The handles of a segment. Opens them if needed; with `cached_only` that is would_block
  /// instead, as opening may wait for the disk. offset_trimmed when the files have gone.
  [[nodiscard]] result<std::shared_ptr<segment_handles>> acquire(
      const std::shared_ptr<segment>& target, bool cached_only);

  /// From now on the segment's handles count as the cache's own and may be closed.
  void adopt(const std::shared_ptr<segment>& target);

  /// Closes the segment's handles as soon as no reader has them.
  void drop(const std::shared_ptr<segment>& target);

  /// As drop(), for a segment whose files are about to go: it is never opened again.
  void forget(const std::shared_ptr<segment>& target);

private:
  void evict_beyond_limit();

  env& env_;
  const std::size_t open_max_;
  std::atomic<std::uint64_t> clock_{0};
  std::mutex mutex_;  // guards open_; never held together with a segment's handles_mutex
  std::vector<std::shared_ptr<segment>> open_;
};

struct log_shared {
  log_shared(env& e, std::size_t open_max) : environment(e), cache(e, open_max) {}

  env& environment;
  segment_cache cache;
  /// Published range. Invariant: lowest <= visible_end; visible_end never falls.
  std::atomic<std::uint64_t> lowest{0};
  std::atomic<std::uint64_t> visible_end{0};

  /// Segments in offset order, the last one active. Immutable: a change makes a new list.
  [[nodiscard]] std::shared_ptr<const segment_list> segments() const {
    const std::lock_guard lock(mutex_);
    return segments_;
  }
  void set_segments(segment_list list) {
    auto next = std::make_shared<const segment_list>(std::move(list));
    const std::lock_guard lock(mutex_);
    segments_.swap(next);
  }

private:
  mutable std::mutex mutex_;
  std::shared_ptr<const segment_list> segments_ = std::make_shared<const segment_list>();
};

}  // namespace cairn::storage
