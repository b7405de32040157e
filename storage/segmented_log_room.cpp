// Room found ahead of the writes, so that a full disk is noticed before anything is promised.

#include "storage/log_shared.hpp"
#include "storage/segmented_log.hpp"

#include <algorithm>

namespace cairn::storage {

namespace {

// A segment with fewer free index entries than one for so many bytes asked for is left early.
constexpr std::uint64_t k_bytes_per_entry_expected = 1024;

// What a full disk keeps for all that a node needs besides its frames.
constexpr std::uint64_t k_left_free_bytes = 256 * k_kib_bytes;

}  // namespace

// An allocation that fails half-way takes the last free bytes, for a moment or for good, and
// whoever else writes then finds none. So it is not even tried.
status segmented_log::disk_has(std::uint64_t bytes, const std::string& path) const {
  const auto left = std::min(k_left_free_bytes, config_.segment_bytes / 4);
  const auto free = env_.free_bytes(directory_);
  if (!free || *free >= bytes + left) return {};
  return error{errc::disk_full, fmt::format("{}: no room for {} bytes more, the disk has {} left",
                                            path, bytes, *free)};
}

bool segmented_log::has_entries_for(std::uint64_t bytes) const {
  const std::uint64_t capacity = active_->handles->writable_entries().size();
  const std::uint64_t wanted = bytes / k_bytes_per_entry_expected + 1;
  return capacity - active_->extent.frames >= std::min(wanted, capacity / 2);
}

std::uint64_t segmented_log::room_frames() const {
  if (!refusal() || !active_ || !active_->handles->map || roll_before_next_) return 0;
  return active_->handles->writable_entries().size() - active_->extent.frames;
}

std::uint64_t segmented_log::room_bytes() const {
  const std::uint64_t entries_left = room_frames();
  if (entries_left == 0) return 0;
  const std::uint64_t end = active_->extent.end_bytes;
  const std::uint64_t capacity = active_->handles->writable_entries().size();
  const std::uint64_t promised = room_end_ - std::min(room_end_, end);
  const std::uint64_t space_end = std::min(active_->allocated_bytes, config_.segment_bytes);
  std::uint64_t ahead = space_end - std::min(space_end, end);
  if (entries_left < capacity / 2) {
    ahead = std::min(ahead, (entries_left - 1) * k_bytes_per_entry_expected);
  }
  return std::max(promised, ahead);
}

status segmented_log::reserve(std::uint64_t bytes) {
  if (auto s = refusal(); !s) return s;
  if (bytes > k_segment_bytes_max - k_store_header_bytes) {
    return error{errc::too_large, fmt::format("no segment has room for {} bytes", bytes)};
  }
  if (active_ && !active_->handles->map) {
    if (auto s = reopen_for_writing(active_); !s) return fence(s);
    if (!active_->handles->map) {
      return error{errc::disk_full, fmt::format("{}: no room for an index of {} bytes",
                                                active_->index_path, index_bytes())};
    }
  }
  if (!active_) return begin_segment(bytes);
  // A segment without records cannot be followed by another: both would have the same name.
  const bool may_roll = active_->extent.next_offset > active_->header.base_offset;
  const bool fits_here = active_->extent.end_bytes + bytes <= config_.segment_bytes;
  const bool fits_next = k_store_header_bytes + bytes <= config_.segment_bytes;
  const bool roll = roll_before_next_ || !has_entries_for(bytes) || (!fits_here && fits_next);
  if (may_roll && roll) return begin_segment(bytes);
  // More than a segment takes: it is written beyond its end only if the disk is full by then.
  const std::uint64_t end = active_->extent.end_bytes + bytes;
  if (end > k_segment_bytes_max) {
    return error{errc::too_large,
                 fmt::format("{}: no room for {} bytes more", active_->store_path, bytes)};
  }
  if (room_frames() == 0) {
    return error{errc::overloaded,
                 fmt::format("{}: full of entries without records", active_->index_path)};
  }
  if (auto s = reserve_active(end); !s) return s.code() == errc::io_error ? fence(s) : s;
  room_end_ = std::max(room_end_, end);
  return {};
}

}  // namespace cairn::storage
