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
  if (offset <= lowest_offset()) return {};
  if (offset.value() > shared_->visible_end.load()) {
    return error{errc::invalid_argument,
                 fmt::format("cannot trim before offset {}: the log ends at {}", offset.value(),
                             shared_->visible_end.load())};
  }
  // The new beginning first: after a crash the files below it are known to be left-overs.
  if (auto s = start_->save(encode_log_start(offset)); !s) return fence(s);
  shared_->lowest.store(offset.value(), std::memory_order_release);
  const auto list = shared_->segments();
  const auto keep = std::ranges::find_if(
      *list, [&](const auto& part) { return !part->sealed || part->extent.next_offset > offset; });
  return remove_front(static_cast<std::size_t>(keep - list->begin()));
}

status segmented_log::trim_to_bytes(std::uint64_t size_bytes_max) {
  const auto list = shared_->segments();
  std::uint64_t size = size_bytes();
  record_offset lowest = lowest_offset();
  for (const auto& part : *list) {
    if (size <= size_bytes_max || !part->sealed) break;
    if (part->extent.next_offset.value() > shared_->visible_end.load()) break;
    size -= part->extent.end_bytes;
    lowest = part->extent.next_offset;
  }
  return trim_prefix(lowest);
}

status segmented_log::trim_older_than(unix_ms before_ms) {
  record_offset lowest = lowest_offset();
  for (const auto& part : *shared_->segments()) {
    if (!part->sealed || part->extent.last_timestamp_ms >= before_ms) break;
    if (part->extent.next_offset.value() > shared_->visible_end.load()) break;
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

  // Where the cut is. `entry` may lie behind the last one if only whole segments go.
  const std::uint64_t entry = first_removed.since(target->header.base_index);
  auto handles = shared_->cache.acquire(target, false);
  if (!handles) return handles.error();
  std::uint64_t position = target->extent.end_bytes;
  record_offset end = target->extent.next_offset;
  if (entry < target->extent.frames) {
    const index_entry at = (*handles)->entries(target->extent.frames)[entry];
    position = at.position;
    end = target->header.base_offset.plus(at.relative_offset);
  }
  CAIRN_CHECK(end.value() >= shared_->visible_end.load(), "truncating offset {} that readers saw",
              end.value());

  // The mark must never be too high, also after a power cut: lowered durably before anything goes.
  set_mark(*target, position);
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
  if (auto s = cut_active(entry, position); !s) return fence(s);
  return {};
}

status segmented_log::reopen_for_writing(const std::shared_ptr<segment>& target) {
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
  target->sealed = false;
  target->durable_bytes = target->extent.end_bytes;
  target->allocated_bytes = target->extent.end_bytes;
  active_ = target;
  roll_before_next_ = false;
  return {};
}

status segmented_log::cut_active(std::uint64_t entries_kept, std::uint64_t position) {
  segment& target = *active_;
  if (entries_kept < target.extent.frames) {
    const std::uint64_t end = target.extent.end_bytes;
    if (auto s = erase_frames(*target.handles->store, position, end); !s) return s;
    auto size = target.handles->store->size_bytes();
    if (!size) return size.error();
    target.allocated_bytes = std::min(target.allocated_bytes, *size);
    store_extent extent = empty_extent(target.header);
    if (entries_kept > 0) {
      const index_entry last = target.handles->entries(target.extent.frames)[entries_kept - 1];
      frame_header_bytes bytes{};
      auto count = target.handles->store->pread(bytes, last.position);
      if (!count) return count.error();
      const auto frame = decode_frame_header(bytes, target.header.identity);
      if (!frame) {
        return error{errc::corruption,
                     fmt::format("{}: bad frame at position {}", target.store_path, last.position)};
      }
      extent.end_bytes = last.position;
      extent.frames = entries_kept - 1;
      extent.add(*frame);
    }
    target.advance(extent);
    target.durable_bytes = std::min(target.durable_bytes, extent.end_bytes);
  }
  next_offset_ = target.extent.next_offset;
  next_index_ = target.extent.next_index;
  last_timestamp_ms_ = target.extent.last_timestamp_ms;
  last_term_ = target.extent.last_term;
  const auto list = shared_->segments();
  if (target.extent.frames == 0 && list->size() > 1) {
    last_term_ = (*list)[list->size() - 2]->extent.last_term;
  }
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
