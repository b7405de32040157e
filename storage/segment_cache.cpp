#include "storage/log_shared.hpp"

#include <algorithm>

namespace cairn::storage {

result<std::shared_ptr<segment_handles>> segment_cache::acquire(
    const std::shared_ptr<segment>& target, bool cached_only) {
  target->last_used.store(clock_.fetch_add(1, std::memory_order_relaxed) + 1,
                          std::memory_order_relaxed);
  std::shared_ptr<segment_handles> handles;
  {
    std::unique_lock lock(target->handles_mutex, std::defer_lock);
    // Whoever has the lock may be waiting for the disk.
    if (!cached_only) {
      lock.lock();
    } else if (!lock.try_lock()) {
      return error{errc::would_block, "segment is being opened or sealed"};
    }
    // The active segment's index is the writer's own; only a sealed one is ever suspected.
    if (target->handles && !target->index_suspect.load(std::memory_order_relaxed)) {
      return target->handles;
    }
    if (cached_only) return error{errc::would_block, "segment is not open"};
    if (target->removed) {
      return error{errc::offset_trimmed, fmt::format("{} has been trimmed", target->store_path)};
    }
    auto opened = open_sealed_handles(env_, *target);
    if (opened.code() == errc::not_found) {
      return error{errc::offset_trimmed, fmt::format("{} has been trimmed", target->store_path)};
    }
    if (!opened) return opened.error();
    target->handles = *opened;
    handles = *opened;
  }
  adopt(target);
  return handles;
}

void segment_cache::adopt(const std::shared_ptr<segment>& target) {
  {
    const std::lock_guard lock(mutex_);
    if (std::ranges::find(open_, target) == open_.end()) open_.push_back(target);
  }
  evict_beyond_limit();
}

void segment_cache::drop(const std::shared_ptr<segment>& target) {
  {
    const std::lock_guard lock(mutex_);
    std::erase(open_, target);
  }
  const std::lock_guard lock(target->handles_mutex);
  target->handles.reset();
}

void segment_cache::forget(const std::shared_ptr<segment>& target) {
  drop(target);
  const std::lock_guard lock(target->handles_mutex);
  target->removed = true;
  target->handles.reset();
}

void segment_cache::evict_beyond_limit() {
  std::vector<std::shared_ptr<segment>> victims;
  {
    const std::lock_guard lock(mutex_);
    while (open_.size() > open_max_) {
      const auto oldest = std::ranges::min_element(
          open_, {}, [](const auto& s) { return s->last_used.load(std::memory_order_relaxed); });
      victims.push_back(*oldest);
      open_.erase(oldest);
    }
  }
  for (const auto& victim : victims) {
    const std::lock_guard lock(victim->handles_mutex);
    // A truncation may have made it the active segment again: its handles are the writer's.
    if (victim->sealed) victim->handles.reset();
  }
}

}  // namespace cairn::storage
