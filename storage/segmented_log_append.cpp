// Appending: plan which frames go into which segment, find all the room, then write.

#include "storage/background_work.hpp"
#include "storage/base/checksum.hpp"
#include "storage/log_shared.hpp"
#include "storage/paths.hpp"
#include "storage/recovery.hpp"
#include "storage/segmented_log.hpp"
#include "storage/spare_segments.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace cairn::storage {

/// Where the next frame would go, while an append is planned.
struct segmented_log::cursor {
  record_offset base_offset;
  unix_ms base_time_ms = 0;
  std::uint64_t position = k_store_header_bytes;
  std::uint64_t frames = 0;
  std::uint64_t frames_max = 0;
  std::uint64_t limit_bytes = 0;  // the segment takes frames that end here or before
  record_offset next_offset;
};

/// Frames that go into one segment with one write.
struct segmented_log::run {
  std::size_t first = 0;
  std::size_t count = 0;
  bool new_segment = false;
  record_offset base_offset;
  std::uint64_t end_bytes = 0;  // position in the segment after the last of them
};

/// A store file with a durable header that lacks only its name.
struct segmented_log::prepared_segment {
  std::shared_ptr<segment> made;
  std::shared_ptr<segment_handles> handles;
  spare_segments::spare origin;
};

namespace {

std::uint64_t payload_size(const frame_input& frame) {
  std::uint64_t size = 0;
  for (const auto& piece : frame.payload)
    size += piece.size();
  return size;
}

std::uint64_t stride_of(const frame_input& frame) {
  return frame_stride_bytes(payload_size(frame));
}

// How much older than now a segment may call itself that begins before its first frame is known:
// the leader's clock, which stamps frames, may be behind ours.
constexpr unix_ms k_clock_lag_ms_max = 60'000;

}  // namespace

status segmented_log::check_frames(std::span<const frame_input> frames) const {
  log_index index = next_index_;
  term_id term = last_term_;
  unix_ms time = last_timestamp_ms_;
  record_offset offset = next_offset_;
  for (const auto& frame : frames) {
    CAIRN_CHECK(frame.index == index, "append of index {} where {} is next", frame.index.value(),
                index.value());
    CAIRN_CHECK(frame.term >= term, "append of term {} behind term {}", frame.term.value(),
                term.value());
    if (frame.timestamp_ms < time) {
      return error{errc::invalid_argument,
                   fmt::format("entry {} has the time {}, before {} of the entry before",
                               index.value(), frame.timestamp_ms, time)};
    }
    if (frame.base_offset && *frame.base_offset != offset) {
      return error{errc::invalid_argument,
                   fmt::format("entry {} is said to begin at offset {}, but the log is at {}",
                               index.value(), frame.base_offset->value(), offset.value())};
    }
    if (frame.kind == frame_kind::data && frame.record_count == 0) {
      return error{errc::invalid_argument, "a data frame without records"};
    }
    if (payload_size(frame) > k_frame_payload_bytes_max) {
      return error{errc::too_large, fmt::format("a frame of {} bytes, the limit is {}",
                                                payload_size(frame), k_frame_payload_bytes_max)};
    }
    index = index.next();
    term = frame.term;
    time = frame.timestamp_ms;
    offset = offset.plus(frame.record_count);
  }
  return {};
}

bool segmented_log::fits(const cursor& at, const frame_input& frame) const {
  constexpr std::uint64_t k_max = std::numeric_limits<std::uint32_t>::max();
  // A frame larger than a segment gets one of its own. Frames without records may stand before it:
  // a segment behind them would begin at the same offset and so have the same name.
  const bool alone = at.next_offset == at.base_offset;
  const std::uint64_t end = at.position + stride_of(frame);
  return at.frames < at.frames_max && end <= (alone ? k_max : at.limit_bytes) &&
         at.next_offset.since(at.base_offset) <= k_max &&
         static_cast<std::uint64_t>(frame.timestamp_ms - at.base_time_ms) <= k_max;
}

std::vector<segmented_log::run> segmented_log::plan(std::span<const frame_input> frames,
                                                    std::uint64_t active_limit_bytes) const {
  std::vector<run> runs;
  cursor at;
  bool open = active_ != nullptr && !roll_before_next_;
  if (open) {
    const bool mapped = active_->handles->map != nullptr;
    at = {active_->header.base_offset,
          active_->header.base_time_ms,
          active_->extent.end_bytes,
          active_->extent.frames,
          mapped ? active_->handles->writable_entries().size() : 0,
          active_limit_bytes,
          next_offset_};
    runs.push_back({0, 0, false, next_offset_, at.position});
  }
  at.next_offset = next_offset_;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (!open || !fits(at, frames[i])) {
      open = true;
      at = {at.next_offset,
            frames[i].timestamp_ms,
            k_store_header_bytes,
            0,
            index_bytes() / sizeof(index_entry),
            config_.segment_bytes,
            at.next_offset};
      runs.push_back({i, 0, true, at.next_offset, at.position});
    }
    at.position += stride_of(frames[i]);
    at.next_offset = at.next_offset.plus(frames[i].record_count);
    ++at.frames;
    ++runs.back().count;
    runs.back().end_bytes = at.position;
  }
  if (!runs.empty() && runs.front().count == 0) runs.erase(runs.begin());
  return runs;
}

result<record_offset> segmented_log::append(std::span<const frame_input> frames) {
  if (auto s = refusal(); !s) return s.error();
  if (auto s = check_frames(frames); !s) return s.error();
  const record_offset base = next_offset_;
  if (frames.empty()) return base;
  if (active_ && !active_->handles->map) {
    // The disk was full when the log was opened; perhaps there is room for the index now.
    if (auto s = reopen_for_writing(active_); !s) return fence(s).error();
  }
  // All room is found before the first byte is written, so that a full disk refuses the whole call.
  auto runs = plan(frames, config_.segment_bytes);
  std::vector<prepared_segment> prepared;
  auto room = find_room(runs, frames, prepared);
  if (room.code() == errc::disk_full && room_end_ > config_.segment_bytes) {
    // Then rather a segment that grows beyond its size than to break what reserve() has promised.
    runs = plan(frames, room_end_);
    room = find_room(runs, frames, prepared);
  }
  // Before the entries themselves, so that whoever opens the log finds each of them listed.
  if (room) room = note_configs(frames);
  if (!room) {
    discard(prepared);
    return room.code() == errc::io_error ? fence(room).error() : room.error();
  }

  std::size_t next_prepared = 0;
  for (const auto& part : runs) {
    if (part.new_segment) {
      if (auto s = sync(); !s) return s.error();
      if (auto s = activate(std::move(prepared[next_prepared++])); !s) return fence(s).error();
    }
    if (auto s = write_run(part, frames.subspan(part.first, part.count)); !s) {
      return fence(s).error();
    }
  }
  return base;
}

status segmented_log::find_room(std::span<const run> runs, std::span<const frame_input> frames,
                                std::vector<prepared_segment>& prepared) {
  status room;
  std::optional<record_offset> base_before;
  if (active_) base_before = active_->header.base_offset;
  for (const auto& part : runs) {
    if (!part.new_segment) {
      room = reserve_active(part.end_bytes);
    } else if (part.base_offset == base_before && !may_replace_active()) {
      // Two segments with one base offset would have one name. Only a segment full of empty frames
      // gets here.
      room = !active_ || active_->handles->map
                 ? error{errc::overloaded, "a segment is full of entries without records"}
                 : error{errc::disk_full, fmt::format("{}: no room for an index of {} bytes",
                                                      active_->index_path, index_bytes())};
    } else if (auto made = prepare_segment(part, frames[part.first])) {
      prepared.push_back(std::move(*made));
    } else {
      room = made.error();
    }
    if (!room) break;
    if (part.new_segment) base_before = part.base_offset;
  }
  if (!room) discard(prepared);
  return room;
}

bool segmented_log::may_replace_active() const {
  return active_ && active_->extent.frames == 0 && active_->handles->map;
}

status segmented_log::reserve_active(std::uint64_t end_bytes) {
  if (end_bytes <= active_->allocated_bytes) return {};
  const std::uint64_t from = active_->allocated_bytes;
  // Generously first, so that it is asked rarely; exactly when the disk has no more.
  const std::uint64_t generous = std::min(std::max(end_bytes, from + config_.prefill_bytes),
                                          std::max(end_bytes, config_.segment_bytes));
  auto reserved = disk_has(generous - from, active_->store_path);
  if (reserved) reserved = active_->handles->store->allocate(from, generous - from);
  if (reserved) {
    active_->allocated_bytes = generous;
    return {};
  }
  if (reserved.code() != errc::disk_full) return reserved;
  reserved = disk_has(end_bytes - from, active_->store_path);
  if (reserved) reserved = active_->handles->store->allocate(from, end_bytes - from);
  if (reserved) active_->allocated_bytes = end_bytes;
  return reserved;
}

status segmented_log::write_run(const run& part, std::span<const frame_input> frames) {
  segment& target = *active_;
  static constexpr std::array<std::byte, k_frame_align_bytes> k_padding{};
  std::vector<frame_header_bytes> headers(frames.size());
  std::vector<byte_span> pieces;
  std::vector<byte_span> payload;
  store_extent extent = target.extent;
  std::vector<entry_end> ends;
  ends.reserve(frames.size());
  const auto entries = target.handles->writable_entries();
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const frame_input& input = frames[i];
    payload.clear();
    for (const auto& piece : input.payload)
      payload.push_back(piece.span());
    frame_header header;
    header.payload_bytes = static_cast<std::uint32_t>(payload_size(input));
    header.record_count = input.record_count;
    header.payload_checksum = checksum64(payload);
    header.term = input.term;
    header.index = input.index;
    header.base_offset = extent.next_offset;
    header.timestamp_ms = input.timestamp_ms;
    header.durable_bytes = static_cast<std::uint32_t>(target.durable_bytes);
    header.kind = input.kind;
    header.codec = input.codec;
    encode_frame_header(header, target.header.identity, headers[i]);
    pieces.emplace_back(headers[i]);
    pieces.insert(pieces.end(), payload.begin(), payload.end());
    const std::uint64_t used = k_frame_header_bytes + header.payload_bytes;
    if (header.stride_bytes() > used) {
      pieces.push_back(byte_span(k_padding).first(header.stride_bytes() - used));
    }
    entries[extent.frames] = make_index_entry(target.header, header, extent.end_bytes);
    extent.add(header);
    ends.push_back({extent.next_offset, extent.end_bytes});
  }
  CAIRN_CHECK(extent.end_bytes == part.end_bytes, "{}: planned to end at {}, ended at {}",
              target.store_path, part.end_bytes, extent.end_bytes);
  if (auto s = target.handles->store->pwrite(pieces, target.extent.end_bytes); !s) return s;
  target.advance(extent);
  for (const auto& end : ends)
    shared_->unpublished.append(end);
  next_offset_ = extent.next_offset;
  next_index_ = extent.next_index;
  last_term_ = extent.last_term;
  last_timestamp_ms_ = extent.last_timestamp_ms;
  return {};
}

result<segmented_log::prepared_segment> segmented_log::prepare_segment(
    const run& first_run, const frame_input& first_frame) {
  prepared_segment out;
  store_header header;
  header.identity = env_.random_u64();
  header.base_offset = first_run.base_offset;
  header.base_index = first_frame.index;
  header.base_time_ms = first_frame.timestamp_ms;
  header.log_id = config_.log_id;

  auto spare = spares_->take();
  out.origin =
      spare ? *spare
            : spare_segments::spare{
                  join_path(directory_, segment_file_name(header.base_offset, k_store_suffix)) +
                      std::string(k_temporary_suffix),
                  0, false};
  header.recycled = out.origin.recycled;
  const std::uint64_t spare_bytes = out.origin.size_bytes;
  const std::uint64_t missing =
      first_run.end_bytes - std::min(first_run.end_bytes, out.origin.size_bytes);
  if (auto s = disk_has(missing + index_bytes(), out.origin.path); !s) {
    if (spare) spares_->give_back(std::move(*spare));
    return s.error();
  }
  out.made = std::make_shared<segment>(header, directory_);
  out.handles = std::make_shared<segment_handles>();
  const auto fail = [&](const error& why) {
    discard(std::move(out));
    return why;
  };
  auto store = env_.open(out.origin.path, spare ? open_mode::read_write : open_mode::create);
  if (!store) return fail(store.error());
  out.handles->store = std::move(*store);
  const std::uint64_t room =
      std::max(first_run.end_bytes, std::min(config_.segment_bytes, config_.prefill_bytes));
  if (room > out.origin.size_bytes) {
    auto s = disk_has(room - out.origin.size_bytes + index_bytes(), out.origin.path);
    if (s) s = out.handles->store->allocate(0, room);
    if (s.code() == errc::disk_full) s = out.handles->store->allocate(0, first_run.end_bytes);
    if (!s) return fail(s.error());
    auto size = out.handles->store->size_bytes();
    if (!size) return fail(size.error());
    out.origin.size_bytes = *size;
  }
  out.made->allocated_bytes = out.origin.size_bytes;
  if (spare) out.made->filled_bytes = spare_bytes;

  std::array<std::byte, k_store_header_bytes> bytes{};
  encode_store_header(header, bytes);
  const byte_span piece(bytes);
  if (auto s = out.handles->store->pwrite({&piece, 1}, 0); !s) return fail(s.error());
  if (auto s = out.handles->store->sync_data(); !s) return fail(s.error());
  if (auto s = open_writable_index(env_, out.made->index_path, {}, index_bytes(), *out.handles);
      !s) {
    return fail(s.error());
  }
  if (!out.handles->map) {
    return fail(error{errc::disk_full, fmt::format("{}: no room for an index of {} bytes",
                                                   out.made->index_path, index_bytes())});
  }
  return out;
}

void segmented_log::discard(std::vector<prepared_segment>& prepared) {
  for (auto& unused : prepared)
    discard(std::move(unused));
  prepared.clear();
}

void segmented_log::discard(prepared_segment prepared) {
  if (!prepared.made) return;
  prepared.handles.reset();
  static_cast<void>(env_.remove(prepared.made->index_path));
  if (prepared.origin.path.ends_with(k_spare_suffix)) {
    spares_->give_back(std::move(prepared.origin));
  } else {
    static_cast<void>(env_.remove(prepared.origin.path));
  }
}

status segmented_log::activate(prepared_segment prepared) {
  const auto& fresh = prepared.made;
  if (auto s = env_.rename(prepared.origin.path, fresh->store_path); !s) return s;
  if (auto s = env_.sync_directory(directory_); !s) return s;
  fresh->handles = prepared.handles;
  set_mark(*fresh, k_store_header_bytes);

  room_end_ = 0;
  const auto old = std::exchange(active_, fresh);
  auto list = *shared_->segments();
  if (old && old->header.base_offset == fresh->header.base_offset) {
    // It never held an entry; its files have just been replaced.
    list.pop_back();
  } else if (old) {
    old->sealed = true;
    sealed_bytes_ += old->extent.end_bytes;
    shared_->cache.adopt(old);
    background_->add(background_work::kind::tidy, [&env = env_, old] { seal_files(env, *old); });
  }
  list.push_back(fresh);
  shared_->set_segments(std::move(list));
  roll_before_next_ = false;
  const bool large_syncs =
      old && old->syncs > 0 && old->extent.end_bytes / old->syncs >= k_large_sync_bytes;
  if (!large_syncs) request_spare();
  return {};
}

status segmented_log::begin_segment(std::uint64_t bytes) {
  const run planned{
      .new_segment = true, .base_offset = next_offset_, .end_bytes = k_store_header_bytes + bytes};
  frame_input first;
  first.index = next_index_;
  first.timestamp_ms = std::max(last_timestamp_ms_, env_.now_ms() - k_clock_lag_ms_max);
  auto made = prepare_segment(planned, first);
  if (made.code() == errc::io_error) return fence(made.error());
  if (!made) return made.error();
  if (auto s = sync(); !s) return s;
  if (auto s = activate(std::move(*made)); !s) return fence(s);
  room_end_ = k_store_header_bytes + bytes;
  return {};
}

}  // namespace cairn::storage
