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

result<located_header> segment_cache::read_header(const std::shared_ptr<segment>& target,
                                                  std::uint64_t number) {
  for (bool again = false;; again = true) {
    auto handles = acquire(target, false);
    if (!handles) return handles.error();
    const index_entry entry = (*handles)->entries(number + 1)[number];
    frame_header_bytes bytes{};
    auto count = (*handles)->store->pread(bytes, entry.position);
    if (!count) return count.error();
    const auto frame = decode_frame_header(byte_span(bytes).first(*count), target->header.identity);
    const log_index wanted = target->header.base_index.plus(number);
    if (frame && frame->index == wanted) return located_header{*frame, entry.position};
    if (again || !target->sealed) {
      return error{errc::corruption,
                   fmt::format("{}: damaged frame at position {}: no entry {}", target->store_path,
                               entry.position, wanted.value())};
    }
    target->index_suspect = true;  // built anew from the store by the next acquire()
  }
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
    const std::unique_lock lock(victim->handles_mutex, std::try_to_lock);
    if (!lock.owns_lock()) {
      // Somebody opens or seals it, which takes as long as the disk likes; the thread that evicts
      // may be the log's writer at a roll. One more stays open until the next eviction.
      const std::lock_guard list(mutex_);
      if (std::ranges::find(open_, victim) == open_.end()) open_.push_back(victim);
      continue;
    }
    // A truncation may have made it the active segment again: its handles are the writer's.
    if (victim->sealed) victim->handles.reset();
  }
}

}  // namespace cairn::storage
