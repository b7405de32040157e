// Removing from the front (retention) and from the back (a Raft follower's conflict).

#include "storage/durable_mark.hpp"
#include "storage/log_shared.hpp"
#include "storage/log_start.hpp"
#include "storage/recovery.hpp"
#include "storage/segmented_log.hpp"
#include "storage/slot_file.hpp"
#include "storage/spare_segments.hpp"

#include <algorithm>
#include <utility>

namespace cairn::storage {

status segmented_log::trim_prefix(record_offset offset) {
  if (auto s = refusal(); !s) return s;
  if (offset.value() > std::max(shared_->visible_end.load(), shared_->lowest.load())) {
    return error{errc::invalid_argument,
                 fmt::format("cannot trim before offset {}: the log ends at {}", offset.value(),
                             shared_->visible_end.load())};
  }
  const record_offset lowest = std::max(offset, lowest_offset());
  // Also when the lowest offset stays: the segment that was active then may be sealed by now.
  const std::size_t count = count_below(lowest);
  if (count == 0 && lowest == lowest_offset()) return {};
  // The configuration at the new start is looked up in the file: it must not list what has been
  // truncated.
  if (count > 0 && configs_changed_) {
    if (auto s = save_configs(); !s) return s.code() == errc::io_error ? fence(s) : s;
  }
  // The new beginning first: after a crash the files below it are known to be left-overs.
  log_start next = start_after(count);
  next.lowest = lowest;
  if (auto s = save_start(next); !s) return s;
  shared_->lowest.store(lowest.value(), std::memory_order_release);
  return remove_front(count);
}

log_start segmented_log::start_after(std::size_t count) const {
  log_start next = start_;
  const auto list = shared_->segments();
  for (std::size_t i = 0; i < count; ++i) {
    const store_extent& gone = (*list)[i]->extent;
    next.index = log_index(gone.next_index.value() - 1);
    next.first_offset = gone.next_offset;
    if (gone.frames == 0) continue;
    next.term = gone.last_term;
    next.last_timestamp_ms = gone.last_timestamp_ms;
  }
  return next;
}

// Entries without records may stand at the end of a segment and not be visible yet.
bool segmented_log::may_go(const segment& part) {
  const log_index next = part.extent.next_index;
  if (!part.sealed || next.value() > shared_->visible_index.load() + 1) return false;
  const bool held = next > first_held_;
  held_back_ = held_back_ || held;
  return !held;
}

std::size_t segmented_log::count_below(record_offset offset) {
  // The list goes out of scope before files are removed: whoever has it may be reading them.
  const auto list = shared_->segments();
  const auto keep = std::ranges::find_if(
      *list, [&](const auto& part) { return part->extent.next_offset > offset || !may_go(*part); });
  return static_cast<std::size_t>(keep - list->begin());
}

status segmented_log::trim_to_bytes(std::uint64_t size_bytes_max) {
  std::uint64_t size = size_bytes();
  record_offset lowest = lowest_offset();
  for (const auto& part : *shared_->segments()) {
    if (size <= size_bytes_max || !may_go(*part)) break;
    size -= part->extent.end_bytes;
    lowest = part->extent.next_offset;
  }
  return trim_prefix(lowest);
}

status segmented_log::trim_older_than(unix_ms before_ms) {
  record_offset lowest = lowest_offset();
  for (const auto& part : *shared_->segments()) {
    if (part->extent.last_timestamp_ms >= before_ms || !may_go(*part)) break;
    lowest = part->extent.next_offset;
  }
  return trim_prefix(lowest);
}

status segmented_log::remove_front(std::size_t count) {
  if (count == 0) return {};
  segment_list list = *shared_->segments();
  segment_list removed(std::make_move_iterator(list.begin()),
                       std::make_move_iterator(list.begin() + static_cast<std::ptrdiff_t>(count)));
  list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(count));
  shared_->set_segments(std::move(list));
  status first_failure;
  for (auto& part : removed) {
    sealed_bytes_ -= part->extent.end_bytes;
    shared_->cache.forget(part);
    auto gone = env_.remove(part->index_path);
    // Only we know the segment now, hence nobody reads the file and it may be written over.
    const bool unused = part.use_count() == 1;
    if (!unused || !spares_->recycle(part->store_path, part->extent.end_bytes)) {
      if (auto s = env_.remove(part->store_path); !s && gone) gone = s;
    }
    if (!gone && first_failure) first_failure = gone;
  }
  if (auto s = env_.sync_directory(directory_); !s) return fence(s);
  return first_failure;
}

status segmented_log::truncate_suffix(log_index first_removed) {
  if (auto s = refusal(); !s) return s;
  CAIRN_CHECK(first_removed >= first_index() && first_removed <= next_index_,
              "truncate from index {} of a log of {}..{}", first_removed.value(),
              first_index().value(), next_index_.value());
  if (first_removed == next_index_) return {};
  segment_list list = *shared_->segments();
  std::size_t kept = list.size();
  while (kept > 1 && list[kept - 1]->header.base_index >= first_removed)
    --kept;
  const std::shared_ptr<segment> target = list[kept - 1];

  const auto kept_extent = extent_before(target, first_removed.since(target->header.base_index));
  if (!kept_extent) return kept_extent.error();
  const std::uint64_t position = kept_extent->end_bytes;
  const record_offset end = kept_extent->next_offset;
  CAIRN_CHECK(end.value() >= shared_->visible_end.load() &&
                  first_removed.value() > shared_->visible_index.load(),
              "truncating entry {} at offset {} that readers saw", first_removed.value(),
              end.value());

  // First: whoever publishes meanwhile must not look for the end of the last entry kept where the
  // next one was.
  shared_->unpublished.truncate(log_index(first_removed.value() - 1), {end, position});
  // The mark must never be too high, also after a power cut: lowered durably before anything goes.
  // What is kept of the active segment need not have been synced.
  set_mark(*target, target->sealed ? position : std::min(position, target->durable_bytes));
  if (auto s = mark_->sync(); !s) return fence(s);
  while (list.size() > kept) {
    const auto last = std::move(list.back());
    list.pop_back();
    if (last != active_) sealed_bytes_ -= last->extent.end_bytes;
    shared_->cache.forget(last);
    for (const auto& path : {last->store_path, last->index_path}) {
      if (auto s = env_.remove(path); !s) return fence(s);
    }
    // One by one from the end, so that a crash leaves no gap.
    if (auto s = env_.sync_directory(directory_); !s) return fence(s);
  }
  shared_->set_segments(std::move(list));
  if (target != active_) {
    sealed_bytes_ -= target->extent.end_bytes;
    if (auto s = reopen_for_writing(target); !s) return fence(s);
  }
  if (auto s = cut_active(*kept_extent); !s) return fence(s);
  forget_configs_from(first_removed);
  if (configs_changed_) {
    if (auto s = save_configs(); s.code() == errc::io_error) return fence(s);
  }
  return {};
}

result<store_extent> segmented_log::extent_before(const std::shared_ptr<segment>& target,
                                                  std::uint64_t entries_kept) {
  if (entries_kept >= target->extent.frames) return target->extent;
  store_extent extent = empty_extent(target->header);
  if (entries_kept == 0) return extent;
  // What is cut follows from the frame itself: an index entry that has rotted must not cut into a
  // frame that is kept.
  const auto last = shared_->cache.read_header(target, entries_kept - 1);
  if (!last) return last.error();
  extent.end_bytes = last->position;
  extent.frames = entries_kept - 1;
  extent.add(last->header);
  extent.first_term = target->extent.first_term;
  return extent;
}

status segmented_log::reopen_for_writing(const std::shared_ptr<segment>& target) {
  {
    // First: a chore that seals the segment either has ended or will do nothing.
    const std::lock_guard lock(target->handles_mutex);
    target->sealed = false;
  }
  auto handles = shared_->cache.acquire(target, false);
  if (!handles) return handles.error();
  const auto entries = (*handles)->entries(target->extent.frames);
  auto writable = std::make_shared<segment_handles>();
  auto store = env_.open(target->store_path, open_mode::read_write);
  if (!store) return store.error();
  writable->store = std::move(*store);
  if (auto s = open_writable_index(env_, target->index_path, entries, index_bytes(), *writable);
      !s) {
    return s;
  }
  shared_->cache.drop(target);
  {
    const std::lock_guard lock(target->handles_mutex);
    target->handles = std::move(writable);
  }
  target->durable_bytes = target->extent.end_bytes;
  target->allocated_bytes = target->filled_bytes = target->extent.end_bytes;
  target->syncs = 0;
  active_ = target;
  room_end_ = 0;
  roll_before_next_ = false;
  return {};
}

status segmented_log::cut_active(const store_extent& kept) {
  segment& target = *active_;
  if (kept.frames < target.extent.frames) {
    CAIRN_CHECK(target.published_entries <= kept.frames,
                "{}: cutting to {} entries, readers saw {}", target.store_path, kept.frames,
                target.published_entries.load());
    // Cut, not filled with zeros: a cut has happened or has not. Zeros can arrive in part, and the
    // frames left behind them would prove to the next start that all of it had been durable.
    if (auto s = target.handles->store->truncate(kept.end_bytes); !s) return s;
    if (auto s = target.handles->store->sync_data(); !s) return s;
    auto size = target.handles->store->size_bytes();
    if (!size) return size.error();
    target.allocated_bytes = std::min(target.allocated_bytes, *size);
    target.filled_bytes = std::min(target.filled_bytes, target.allocated_bytes);
    room_end_ = std::min(room_end_, target.allocated_bytes);
    target.advance(kept);
    target.durable_bytes = std::min(target.durable_bytes, kept.end_bytes);
  }
  next_offset_ = target.extent.next_offset;
  next_index_ = target.extent.next_index;
  // A segment without records cannot be followed by another: both would have the same name.
  if (next_offset_ == target.header.base_offset) roll_before_next_ = false;
  note_last_entry();
  durable_offset_ = std::min(durable_offset_, next_offset_);
  durable_index_ = std::min(durable_index_, log_index(next_index_.value() - 1));
  return {};
}

std::size_t segmented_log::segment_count() const {
  return shared_->segments()->size();
}

record_offset segmented_log::active_base_offset() const {
  return active_ ? active_->header.base_offset : next_offset_;
}

}  // namespace cairn::storage
