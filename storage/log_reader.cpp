#include "storage/log_reader.hpp"

#include "storage/log_shared.hpp"

#include <algorithm>
#include <utility>

namespace cairn::storage {

namespace {

/// Entries [first, last) of one segment, to be read with one pread.
struct slice {
  std::size_t first = 0;
  std::size_t last = 0;
  std::uint64_t begin_bytes = 0;
  std::uint64_t end_bytes = 0;
};

/// Entries of a segment that may be looked at, and where the last of them ends (or further on).
struct readable {
  index_span entries;
  std::uint64_t end_bytes = 0;
};

readable published_part(const segment& part, const segment_handles& handles) {
  const std::uint64_t count = part.published_entries.load(std::memory_order_acquire);
  return {handles.entries(count), part.published_bytes.load(std::memory_order_relaxed)};
}

readable whole_part(const segment& part, const segment_handles& handles) {
  const std::uint64_t count = part.entries.load(std::memory_order_acquire);
  return {handles.entries(count), part.end_bytes.load(std::memory_order_relaxed)};
}

slice make_slice(const readable& from, std::size_t first, std::size_t last) {
  const auto& entries = from.entries;
  const std::uint64_t end = last < entries.size() ? entries[last].position : from.end_bytes;
  return {first, last, entries[first].position, end};
}

/// How many entries, from the front, end at or before `limit_bytes`.
std::size_t count_ending_by(const readable& from, std::uint64_t limit_bytes) {
  const auto& entries = from.entries;
  if (from.end_bytes <= limit_bytes) return entries.size();
  const std::size_t begin_by = count_to_position(entries, limit_bytes);
  return begin_by == 0 ? 0 : begin_by - 1;
}

error bad_frame(const segment& part, std::uint64_t position) {
  return {errc::corruption,
          fmt::format("{}: damaged frame at position {}", part.store_path, position)};
}

/// Reads the slice into one buffer and checks each frame. The entries and the store must agree on
/// where frames begin.
status read_slice(const segment& part, file& store, index_span entries, const slice& range,
                  bool cached_only, std::vector<stored_frame>& into) {
  const std::uint64_t size = range.end_bytes - range.begin_bytes;
  auto owner = std::make_shared_for_overwrite<std::byte[]>(size);
  const mutable_byte_span buffer(owner.get(), size);
  auto count = cached_only ? store.pread_cached(buffer, range.begin_bytes)
                           : store.pread(buffer, range.begin_bytes);
  if (!count) return count.error();
  const shared_bytes bytes(std::move(owner), byte_span(buffer).first(*count));
  std::uint64_t at = 0;
  for (std::size_t i = range.first; i < range.last; ++i) {
    const std::uint64_t position = range.begin_bytes + at;
    if (entries[i].position != position || at > bytes.size()) return bad_frame(part, position);
    const auto frame = decode_frame_header(bytes.span().subspan(at), part.header.identity);
    if (!frame || bytes.size() - at < k_frame_header_bytes + frame->payload_bytes) {
      return bad_frame(part, position);
    }
    auto payload = bytes.slice(at + k_frame_header_bytes, frame->payload_bytes);
    if (!payload_matches(*frame, payload.span())) return bad_frame(part, position);
    at += frame->stride_bytes();
    into.push_back({*frame, std::move(payload)});
  }
  return {};
}

/// The header of frame `i`. bad_frame unless the store has just that one where the entry says.
result<frame_header> read_header(const segment& part, file& store, index_span entries,
                                 std::size_t i, bool cached_only) {
  frame_header_bytes bytes{};
  auto count = cached_only ? store.pread_cached(bytes, entries[i].position)
                           : store.pread(bytes, entries[i].position);
  if (!count) return count.error();
  const auto frame = decode_frame_header(byte_span(bytes).first(*count), part.header.identity);
  if (!frame || frame->index != part.header.base_index.plus(i)) {
    return bad_frame(part, entries[i].position);
  }
  return *frame;
}

/// Runs `read` on the segment's handles. When store and index disagree and the segment is sealed,
/// the index is rebuilt and `read` runs once more: the index is a cache, the store is the truth.
template <class Read>
status with_segment(log_shared& shared, const std::shared_ptr<segment>& part, bool cached_only,
                    const Read& read) {
  for (bool again = false;; again = true) {
    auto handles = shared.cache.acquire(part, cached_only);
    if (!handles) return handles.error();
    auto done = read(**handles);
    if (done.code() != errc::corruption || again || !part->sealed) return done;
    part->index_suspect = true;
  }
}

/// The last segment that begins at or before `offset`. @pre there is one.
std::size_t segment_of(const segment_list& list, record_offset offset) {
  const auto after = std::ranges::upper_bound(
      list, offset, {}, [](const auto& part) { return part->header.base_offset; });
  return after == list.begin() ? 0 : static_cast<std::size_t>(after - list.begin()) - 1;
}

/// How the entries of one segment are chosen: from where, and where to stop.
struct budget {
  std::uint64_t bytes = 0;
  std::uint64_t records = 0;
};

}  // namespace

log_reader::log_reader(std::shared_ptr<log_shared> shared) : shared_(std::move(shared)) {}

record_offset log_reader::lowest_offset() const {
  return record_offset(shared_->lowest.load(std::memory_order_acquire));
}

record_offset log_reader::end_offset() const {
  return record_offset(shared_->visible_end.load(std::memory_order_acquire));
}

result<std::vector<stored_frame>> log_reader::read(record_offset from,
                                                   const read_limits& limits) const {
  const record_offset end = end_offset();  // before the list: what is visible is in the list
  std::vector<stored_frame> frames;
  if (from > end) {
    return error{errc::offset_not_written,
                 fmt::format("offset {} is beyond the end {}", from.value(), end.value())};
  }
  if (from < lowest_offset()) {
    return error{errc::offset_trimmed, fmt::format("offset {} is below the lowest {}", from.value(),
                                                   lowest_offset().value())};
  }
  if (from == end) return frames;
  const auto list = shared_->segments();
  if (list->empty() || list->front()->header.base_offset > from) {
    return error{errc::offset_trimmed, fmt::format("offset {} has been trimmed", from.value())};
  }
  budget left{limits.bytes_max, std::max<std::uint64_t>(limits.records_max, 1)};
  record_offset next = from;
  for (std::size_t i = segment_of(*list, from); i < list->size() && next < end; ++i) {
    const auto& part = (*list)[i];
    const std::size_t before = frames.size();
    bool segment_done = false;
    auto done =
        with_segment(*shared_, part, limits.cached_only, [&](segment_handles& handles) -> status {
          frames.resize(before);
          const readable known = published_part(*part, handles);
          const index_span entries = known.entries;
          if (entries.empty()) return {};
          const auto relative = [&](record_offset o) { return o.since(part->header.base_offset); };
          const std::size_t first = find_by_offset(entries, relative(next));
          // Stop before what is not visible, what exceeds the bytes, and what is more records than
          // asked for.
          std::size_t last = count_below_offset(entries, relative(end));
          last = std::min(last, count_below_offset(entries, relative(next) + left.records));
          last = std::min(last, count_ending_by(known, entries[first].position + left.bytes));
          if (last <= first) last = frames.empty() ? first + 1 : first;
          segment_done = last == entries.size();
          if (last == first) return {};
          const slice range = make_slice(known, first, last);
          if (auto s =
                  read_slice(*part, *handles.store, entries, range, limits.cached_only, frames);
              !s) {
            return s;
          }
          const auto& head = frames[before].header;
          if (head.base_offset > next || frames.back().header.next_offset() <= next) {
            return bad_frame(*part, range.begin_bytes);
          }
          return {};
        });
    if (!done) {
      // Some answer is better than none, unless it would hide damage.
      if (before > 0 && done.code() == errc::would_block) break;
      return done.error();
    }
    if (frames.size() == before || !segment_done) break;
    std::uint64_t used = 0;
    for (std::size_t k = before; k < frames.size(); ++k)
      used += frames[k].header.stride_bytes();
    const record_offset reached = frames.back().header.next_offset();
    const std::uint64_t records = reached > next ? reached.since(next) : 0;
    if (used >= left.bytes || records >= left.records) break;
    left.bytes -= used;
    left.records -= records;
    next = reached;
  }
  std::erase_if(frames, [](const auto& f) { return f.header.kind != frame_kind::data; });
  return frames;
}

result<std::vector<stored_frame>> log_reader::read_entries(log_index from,
                                                           const read_limits& limits) const {
  std::vector<stored_frame> frames;
  const auto list = shared_->segments();
  if (list->empty()) return frames;
  if (from < list->front()->header.base_index) {
    return error{errc::invalid_argument,
                 fmt::format("index {} is below the first index {}", from.value(),
                             list->front()->header.base_index.value())};
  }
  const auto after = std::ranges::upper_bound(
      *list, from, {}, [](const auto& part) { return part->header.base_index; });
  std::uint64_t bytes_left = limits.bytes_max;
  log_index next = from;
  for (auto it = after - 1; it != list->end(); ++it) {
    const auto& part = *it;
    const std::size_t before = frames.size();
    auto done =
        with_segment(*shared_, part, limits.cached_only, [&](segment_handles& handles) -> status {
          frames.resize(before);
          const readable known =
              limits.published_only ? published_part(*part, handles) : whole_part(*part, handles);
          const index_span entries = known.entries;
          const std::uint64_t first = next.since(part->header.base_index);
          if (first >= entries.size() || limits.before <= next) return {};
          std::size_t last = count_ending_by(known, entries[first].position + bytes_left);
          last = std::min<std::uint64_t>(last, limits.before.since(part->header.base_index));
          if (last <= first) last = frames.empty() ? first + 1 : first;
          if (last == first) return {};
          const slice range = make_slice(known, first, last);
          if (auto s =
                  read_slice(*part, *handles.store, entries, range, limits.cached_only, frames);
              !s) {
            return s;
          }
          // A good frame, but is it the one that the entry stands for?
          if (frames[before].header.index != next) return bad_frame(*part, range.begin_bytes);
          return {};
        });
    if (!done) return done.error();
    if (frames.size() == before) break;
    std::uint64_t used = 0;
    for (std::size_t k = before; k < frames.size(); ++k)
      used += frames[k].header.stride_bytes();
    next = frames.back().header.index.next();
    if (used >= bytes_left) break;
    bytes_left -= used;
  }
  return frames;
}

result<record_offset> log_reader::find_time(unix_ms time_ms, bool cached_only) const {
  const record_offset end = end_offset();
  const auto list = shared_->segments();
  // Segments rise in time. The first that begins at or after `time_ms` holds an answer, the one
  // before it may hold an earlier one.
  const auto at_or_after = std::ranges::lower_bound(
      *list, time_ms, {}, [](const auto& part) { return part->header.base_time_ms; });
  record_offset found = at_or_after == list->end() ? end : (*at_or_after)->header.base_offset;
  if (at_or_after != list->begin()) {
    const auto& part = *(at_or_after - 1);
    auto done = with_segment(*shared_, part, cached_only, [&](segment_handles& handles) -> status {
      const auto entries = handles.entries(part->published_entries.load(std::memory_order_acquire));
      const auto relative = static_cast<std::uint64_t>(time_ms - part->header.base_time_ms);
      const std::size_t i = find_by_time(entries, relative);
      // Believe the index only if the store says the same of both sides: after a power cut an entry
      // may be that of a frame that stood there before, with another time.
      if (i > 0) {
        auto before = read_header(*part, *handles.store, entries, i - 1, cached_only);
        if (!before) return before.error();
        if (before->timestamp_ms >= time_ms) return bad_frame(*part, entries[i - 1].position);
      }
      if (i == entries.size()) return {};
      auto first = read_header(*part, *handles.store, entries, i, cached_only);
      if (!first) return first.error();
      if (first->timestamp_ms < time_ms) return bad_frame(*part, entries[i].position);
      found = first->base_offset;
      return {};
    });
    if (!done) return done.error();
  }
  return std::clamp(found, std::min(lowest_offset(), end), end);
}

}  // namespace cairn::storage
