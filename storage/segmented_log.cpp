#include "storage/segmented_log.hpp"

#include "storage/background_work.hpp"
#include "storage/base/checksum.hpp"
#include "storage/durable_mark.hpp"
#include "storage/log_reader.hpp"
#include "storage/log_shared.hpp"
#include "storage/log_start.hpp"
#include "storage/paths.hpp"
#include "storage/recovery.hpp"
#include "storage/slot_file.hpp"
#include "storage/spare_segments.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace cairn::storage {

namespace {

constexpr std::uint64_t k_segment_bytes_min = 4 * k_kib_bytes;
constexpr std::uint64_t k_segment_bytes_max = 4 * k_gib_bytes - 1;
constexpr std::uint64_t k_index_bytes_default_max = 16 * k_mib_bytes;
constexpr std::uint64_t k_index_share = 16;

}  // namespace

segmented_log::segmented_log(env& env, std::string directory, const log_config& config)
    : env_(env),
      directory_(std::move(directory)),
      config_(config),
      shared_(std::make_shared<log_shared>(env, std::max(1u, config.open_segments_max))),
      spares_(std::make_shared<spare_segments>(env, directory_,
                                               std::min(config.segment_bytes, config.prefill_bytes),
                                               config.spare_segments_max)),
      background_(std::make_shared<background_work>()) {}

segmented_log::~segmented_log() {
  background_->stop();
}

result<std::unique_ptr<segmented_log>> segmented_log::open(env& env, std::string directory,
                                                           const log_config& config,
                                                           recovery_report& report) {
  if (config.segment_bytes < k_segment_bytes_min || config.segment_bytes > k_segment_bytes_max) {
    return error{errc::invalid_argument,
                 fmt::format("segment_bytes {} is not in {}..{}", config.segment_bytes,
                             k_segment_bytes_min, k_segment_bytes_max)};
  }
  if (auto s = env.make_directories(directory); !s) return s.error();
  auto log = std::unique_ptr<segmented_log>(new segmented_log(env, std::move(directory), config));
  if (auto s = log->load(report); !s) return s.error();
  return log;
}

std::uint64_t segmented_log::index_bytes() const {
  const std::uint64_t wanted =
      config_.index_bytes != 0
          ? config_.index_bytes
          : std::min(config_.segment_bytes / k_index_share, k_index_bytes_default_max);
  return std::max<std::uint64_t>(wanted / sizeof(index_entry), 1) * sizeof(index_entry);
}

status segmented_log::load(recovery_report& report) {
  auto content = list_log_directory(env_, directory_);
  if (!content) return content.error();
  auto mark = durable_mark::open(env_, join_path(directory_, k_mark_name));
  if (!mark) return mark.error();
  mark_ = std::move(*mark);
  const record_offset first = content->segments.empty() ? record_offset{} : content->segments[0];
  auto start = slot_file::open(env_, join_path(directory_, k_start_name), encode_log_start(first));
  if (!start) return start.error();
  start_ = std::move(*start);
  const record_offset lowest = decode_log_start(start_->value());

  // A trim removes files after the new lowest offset is durable; finish one that was interrupted.
  // Such a file may already have been recycled under its old name, so its content is not looked at.
  auto& bases = content->segments;
  while (bases.size() > 1 && bases[1] <= lowest) {
    for (const auto suffix : {k_index_suffix, k_store_suffix}) {
      const auto path = join_path(directory_, segment_file_name(bases[0], suffix));
      if (auto s = env_.remove(path); !s) return s;
    }
    ++report.removed_files;
    bases.erase(bases.begin());
  }
  if (!bases.empty() && bases[0] > lowest) {
    return error{
        errc::corruption,
        fmt::format("{}: the log starts at offset {}, but its first segment is {}: "
                    "earlier segments are missing",
                    directory_, lowest.value(), segment_file_name(bases[0], k_store_suffix))};
  }
  if (bases.empty() && mark_->current()) {
    return error{errc::corruption,
                 fmt::format("{}: the log has held data, but there is no segment", directory_)};
  }
  if (!bases.empty() && mark_->current() && mark_->current()->base_offset > bases.back().value()) {
    return error{errc::corruption,
                 fmt::format("{}: segment {} is missing: it has held data", directory_,
                             segment_file_name(record_offset(mark_->current()->base_offset),
                                               k_store_suffix))};
  }
  for (const auto* names : {&content->temporaries, &content->orphan_indexes}) {
    for (const auto& name : *names) {
      if (auto s = env_.remove(join_path(directory_, name)); !s) return s;
      ++report.removed_files;
    }
  }
  for (const auto& spare : content->spares)
    spares_->adopt(spare.name, spare.size_bytes);
  shared_->lowest = lowest.value();
  next_offset_ = durable_offset_ = lowest;
  if (!bases.empty()) {
    if (auto s = load_segments(bases, report); !s) return s;
  } else {
    // The very first segment should be warm too. A failure shows at the first append.
    spares_->prepare_one();
  }
  if (next_offset_ < lowest) {
    return error{errc::corruption,
                 fmt::format("{}: the log starts at offset {}, but its records end at offset {}",
                             directory_, lowest.value(), next_offset_.value())};
  }
  publish(next_offset_);
  request_spare();
  return {};
}

status segmented_log::load_segments(const std::vector<record_offset>& bases,
                                    recovery_report& report) {
  segment_list list;
  list.reserve(bases.size());
  auto header = read_store_header(env_, directory_, bases[0], config_.log_id);
  if (!header) return header.error();
  for (std::size_t i = 0; i + 1 < bases.size(); ++i) {
    auto next = read_store_header(env_, directory_, bases[i + 1], config_.log_id);
    if (!next) return next.error();
    auto loaded = load_sealed_segment(env_, directory_, *header, *next, report);
    if (!loaded) return loaded.error();
    list.push_back(std::move(*loaded));
    header = std::move(next);
  }
  auto active =
      load_active_segment(env_, directory_, *header, mark_->current(), index_bytes(), report);
  if (!active) return active.error();
  active_ = *active;
  list.push_back(*active);

  const store_extent& end = active_->extent;
  next_offset_ = durable_offset_ = end.next_offset;
  next_index_ = end.next_index;
  durable_index_ = log_index(end.next_index.value() - 1);
  last_timestamp_ms_ = end.last_timestamp_ms;
  last_term_ = end.last_term;
  if (end.frames == 0 && list.size() > 1) last_term_ = list[list.size() - 2]->extent.last_term;
  shared_->set_segments(std::move(list));
  set_mark(*active_, end.end_bytes);
  return {};
}

// --- appending
// -----------------------------------------------------------------------------------------------------

/// Where the next frame would go, while an append is planned.
struct segmented_log::cursor {
  record_offset base_offset;
  unix_ms base_time_ms = 0;
  std::uint64_t position = k_store_header_bytes;
  std::uint64_t frames = 0;
  std::uint64_t frames_max = 0;
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
  frame_header header;
  header.payload_bytes = static_cast<std::uint32_t>(payload_size(frame));
  return header.stride_bytes();
}

}  // namespace

status segmented_log::refusal() const {
  if (fenced_) {
    return error{errc::io_error,
                 fmt::format("{}: fenced: an earlier write or sync failed", directory_)};
  }
  if (closed_) return error{errc::unavailable, fmt::format("{}: closed", directory_)};
  return {};
}

status segmented_log::fence(status failed) {
  fenced_ = true;
  return failed;
}

status segmented_log::check_frames(std::span<const frame_input> frames) const {
  log_index index = next_index_;
  term_id term = last_term_;
  unix_ms time = last_timestamp_ms_;
  for (const auto& frame : frames) {
    CAIRN_CHECK(frame.index == index, "append of index {} where {} is next", frame.index.value(),
                index.value());
    CAIRN_CHECK(frame.term >= term, "append of term {} behind term {}", frame.term.value(),
                term.value());
    CAIRN_CHECK(frame.timestamp_ms >= time, "timestamp {} goes back behind {}", frame.timestamp_ms,
                time);
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
  }
  return {};
}

bool segmented_log::fits(const cursor& at, const frame_input& frame) const {
  constexpr std::uint64_t k_max = std::numeric_limits<std::uint32_t>::max();
  const bool alone = at.frames == 0;  // a frame larger than a segment gets one of its own
  const std::uint64_t end = at.position + stride_of(frame);
  return at.frames < at.frames_max && end <= (alone ? k_max : config_.segment_bytes) &&
         at.next_offset.since(at.base_offset) <= k_max &&
         static_cast<std::uint64_t>(frame.timestamp_ms - at.base_time_ms) <= k_max;
}

std::vector<segmented_log::run> segmented_log::plan(std::span<const frame_input> frames) const {
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
  const auto runs = plan(frames);

  // All room is found before the first byte is written, so that a full disk refuses the whole call.
  std::vector<prepared_segment> prepared;
  status room;
  for (const auto& part : runs) {
    if (!part.new_segment) {
      room = reserve(part.end_bytes);
    } else if (active_ && part.base_offset == active_->header.base_offset) {
      // Two segments with one base offset would have one name. Only a segment full of empty frames
      // gets here.
      room = error{errc::overloaded, "the active segment is full of entries without records"};
    } else if (auto made = prepare_segment(part, frames[part.first])) {
      prepared.push_back(std::move(*made));
    } else {
      room = made.error();
    }
    if (!room) break;
  }
  if (!room) {
    for (auto& unused : prepared)
      discard(std::move(unused));
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

status segmented_log::reserve(std::uint64_t end_bytes) {
  if (end_bytes <= active_->allocated_bytes) return {};
  const std::uint64_t from = active_->allocated_bytes;
  // Generously first, so that it is asked rarely; exactly when the disk has no more.
  const std::uint64_t generous = std::min(std::max(end_bytes, from + config_.prefill_bytes),
                                          std::max(end_bytes, config_.segment_bytes));
  auto reserved = active_->handles->store->allocate(from, generous - from);
  if (reserved) {
    active_->allocated_bytes = generous;
    return {};
  }
  if (reserved.code() != errc::disk_full) return reserved;
  reserved = active_->handles->store->allocate(from, end_bytes - from);
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
  }
  CAIRN_CHECK(extent.end_bytes == part.end_bytes, "{}: planned to end at {}, ended at {}",
              target.store_path, part.end_bytes, extent.end_bytes);
  if (auto s = target.handles->store->pwrite(pieces, target.extent.end_bytes); !s) return s;
  target.advance(extent);
  next_offset_ = extent.next_offset;
  next_index_ = extent.next_index;
  last_term_ = extent.last_term;
  last_timestamp_ms_ = extent.last_timestamp_ms;
  return {};
}

status segmented_log::sync() {
  if (auto s = refusal(); !s) return s;
  if (!active_ || active_->durable_bytes == active_->extent.end_bytes) return {};
  if (auto s = active_->handles->store->sync_data(); !s) return fence(s);
  active_->durable_bytes = active_->extent.end_bytes;
  durable_offset_ = next_offset_;
  durable_index_ = log_index(next_index_.value() - 1);
  set_mark(*active_, active_->durable_bytes);
  return {};
}

void segmented_log::set_mark(const segment& of, std::uint64_t position_bytes,
                             std::uint64_t index_checksum) {
  mark_->set({of.header.identity, of.header.base_offset.value(), position_bytes, index_checksum});
}

void segmented_log::publish(record_offset end) {
  CAIRN_CHECK(end <= next_offset_, "publishing {} beyond the end {}", end.value(),
              next_offset_.value());
  if (end.value() > shared_->visible_end.load(std::memory_order_relaxed)) {
    shared_->visible_end.store(end.value(), std::memory_order_release);
  }
}

// --- segments
// ------------------------------------------------------------------------------------------------------

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
    auto s = out.handles->store->allocate(0, room);
    if (s.code() == errc::disk_full) s = out.handles->store->allocate(0, first_run.end_bytes);
    if (!s) return fail(s.error());
    auto size = out.handles->store->size_bytes();
    if (!size) return fail(size.error());
    out.origin.size_bytes = *size;
  }
  out.made->allocated_bytes = out.origin.size_bytes;

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

  if (const auto old = std::exchange(active_, fresh)) {
    old->sealed = true;
    shared_->cache.adopt(old);
    background_->add(
        [&env = env_, old, handles = old->handles, bytes = old->extent.end_bytes,
         entries = old->extent.frames] { seal_files(env, *old, handles, bytes, entries); });
  }
  auto list = *shared_->segments();
  list.push_back(fresh);
  shared_->set_segments(std::move(list));
  roll_before_next_ = false;
  request_spare();
  return {};
}

void segmented_log::request_spare() {
  background_->add([spares = spares_] { spares->prepare_one(); });
}

status segmented_log::roll() {
  if (auto s = sync(); !s) return s;
  roll_before_next_ = active_ && active_->extent.next_offset > active_->header.base_offset;
  return {};
}

status segmented_log::close() {
  if (closed_) return {};
  background_->stop();
  auto synced = sync();
  closed_ = true;
  if (!synced || !active_) return synced;
  if (!active_->handles->map) return {};
  const auto entries = active_->handles->entries(active_->extent.frames);
  const auto bytes = std::as_bytes(entries);
  const std::uint64_t checksum = checksum64(byte_span(bytes.data(), bytes.size()));
  if (auto s = write_index_file(env_, *active_, entries); !s) return s;
  // Last: it vouches for what has just been made durable.
  set_mark(*active_, active_->durable_bytes, checksum);
  return mark_->sync();
}

// --- views
// ---------------------------------------------------------------------------------------------------------

record_offset segmented_log::lowest_offset() const {
  return record_offset(shared_->lowest.load());
}
record_offset segmented_log::next_offset() const {
  return next_offset_;
}
record_offset segmented_log::durable_offset() const {
  return durable_offset_;
}
log_index segmented_log::next_index() const {
  return next_index_;
}
log_index segmented_log::durable_index() const {
  return durable_index_;
}
term_id segmented_log::last_term() const {
  return last_term_;
}
unix_ms segmented_log::last_timestamp_ms() const {
  return last_timestamp_ms_;
}
bool segmented_log::fenced() const {
  return fenced_;
}

log_index segmented_log::first_index() const {
  const auto list = shared_->segments();
  return list->empty() ? next_index_ : list->front()->header.base_index;
}

std::uint64_t segmented_log::size_bytes() const {
  std::uint64_t size = 0;
  for (const auto& part : *shared_->segments())
    size += part->end_bytes.load();
  return size;
}

std::vector<segment_summary> segmented_log::segments() const {
  std::vector<segment_summary> out;
  const auto list = shared_->segments();
  out.reserve(list->size());
  for (const auto& part : *list) {
    out.push_back({part->header.base_offset, part->extent.next_offset, part->header.base_index,
                   part->extent.end_bytes, part->header.base_time_ms,
                   part->extent.last_timestamp_ms, part->sealed.load()});
  }
  return out;
}

std::shared_ptr<log_reader> segmented_log::reader() const {
  return std::make_shared<log_reader>(shared_);
}

std::shared_ptr<background_work> segmented_log::background() const {
  return background_;
}

}  // namespace cairn::storage
