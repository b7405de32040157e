#pragma once
// Which SegmentActor has an offset. The LogActor writes it, ports look into it.

#include "storage/base/ids.hpp"

#include <caf/actor.hpp>
#include <map>
#include <mutex>

namespace cairn::actors {

/// Thread-safe. Asked only for reads that miss the page cache, so a lock is good enough.
class segment_directory {
public:
  void put(record_offset base_offset, caf::actor segment) {
    const std::lock_guard lock(mutex_);
    segments_.insert_or_assign(base_offset, std::move(segment));
  }

  void remove(record_offset base_offset) {
    const std::lock_guard lock(mutex_);
    segments_.erase(base_offset);
  }

  void clear() {
    const std::lock_guard lock(mutex_);
    segments_.clear();
  }

  /// The segment with the greatest base offset not above `offset`, else the lowest; a null handle
  /// when there is none.
  [[nodiscard]] caf::actor find(record_offset offset) const {
    const std::lock_guard lock(mutex_);
    if (segments_.empty()) return {};
    auto next = segments_.upper_bound(offset);
    return next == segments_.begin() ? next->second : std::prev(next)->second;
  }

  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return segments_.size();
  }

private:
  mutable std::mutex mutex_;
  std::map<record_offset, caf::actor> segments_;  // guarded by mutex_
};

}  // namespace cairn::actors
