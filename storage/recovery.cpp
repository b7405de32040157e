#include "storage/recovery.hpp"

#include "storage/base/checksum.hpp"
#include "storage/base/planted_bug.hpp"
#include "storage/paths.hpp"
#include "storage/spare_segments.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace cairn::storage {

namespace {

// Up to here zeros are written over erased frames, which keeps the space warm; beyond it the file
// is cut.
constexpr std::uint64_t k_erase_by_zeros_bytes_max = 4 * k_mib_bytes;

/// The frame header at `position`, if it is intact.
result<std::optional<frame_header>> read_frame_header(file& store, std::uint64_t identity,
                                                      std::uint64_t position) {
  frame_header_bytes bytes{};
  auto count = store.pread(bytes, position);
  if (!count) return count.error();
  return decode_frame_header(byte_span(bytes).first(*count), identity);
}

/// The extent that the last entry of an index of `count` entries leads to; nothing if index and
/// store disagree.
result<std::optional<store_extent>> extent_of_last_entry(file& store, const store_header& header,
                                                         const index_entry& last,
                                                         std::uint64_t count) {
  const std::optional<store_extent> none;
  if (last.relative_index + std::uint64_t{1} != count) return none;
  auto frame = read_frame_header(store, header.identity, last.position);
  if (!frame) return frame.error();
  if (!*frame || (*frame)->index != header.base_index.plus(last.relative_index) ||
      (*frame)->base_offset != header.base_offset.plus(last.relative_offset)) {
    return none;
  }
  auto first = read_frame_header(store, header.identity, k_store_header_bytes);
  if (!first) return first.error();
  if (!*first || (*first)->index != header.base_index) return none;
  store_extent extent = empty_extent(header);
  extent.end_bytes = last.position;
  extent.frames = count - 1;
  extent.add(**frame);
  extent.first_term = (*first)->term;
  auto size = store.size_bytes();
  if (!size) return size.error();
  if (*size < last.position + k_frame_header_bytes + (*frame)->payload_bytes) return none;
  return std::optional(extent);
}

/// Reads an index file whole; nothing if it cannot be one (missing, or not a multiple of an entry).
std::vector<index_entry> read_index(env& env, const std::string& path) {
  auto opened = env.open(path, open_mode::read);
  if (!opened) return {};
  auto size = (*opened)->size_bytes();
  if (!size || *size % sizeof(index_entry) != 0) return {};
  std::vector<index_entry> entries(*size / sizeof(index_entry));
  auto count = (*opened)->pread(std::as_writable_bytes(std::span(entries)), 0);
  if (!count || *count != *size) return {};
  return entries;
}

/// First and last entry only: sealed segments may be thousands.
struct index_ends {
  index_entry first, last;
  std::uint64_t count = 0;
};

std::optional<index_ends> read_index_ends(env& env, const std::string& path) {
  auto opened = env.open(path, open_mode::read);
  if (!opened) return std::nullopt;
  auto size = (*opened)->size_bytes();
  if (!size || *size == 0 || *size % sizeof(index_entry) != 0) return std::nullopt;
  index_ends ends;
  ends.count = *size / sizeof(index_entry);
  const auto read = [&](index_entry& entry, std::uint64_t position) {
    auto count = (*opened)->pread(std::as_writable_bytes(std::span(&entry, 1)), position);
    return count && *count == sizeof(index_entry);
  };
  if (!read(ends.first, 0) || !read(ends.last, *size - sizeof(index_entry))) return std::nullopt;
  return ends;
}

error damage(const std::string& path, std::uint64_t position, const std::string& what) {
  return {errc::corruption,
          fmt::format("{}: damaged frame at position {}: {}", path, position, what)};
}

}  // namespace

result<directory_content> list_log_directory(env& env, const std::string& directory) {
  auto entries = env.list(directory);
  if (!entries) return entries.error();
  directory_content content;
  std::set<record_offset> indexes;
  for (auto& entry : *entries) {
    if (entry.is_directory) continue;
    if (const auto base = parse_segment_file_name(entry.name, k_store_suffix)) {
      content.segments.push_back(*base);
    } else if (const auto index = parse_segment_file_name(entry.name, k_index_suffix)) {
      indexes.insert(*index);
    } else if (entry.name.ends_with(k_temporary_suffix)) {
      content.temporaries.push_back(entry.name);
    } else if (entry.name.ends_with(k_spare_suffix)) {
      content.spares.push_back(entry);
    }
  }
  std::ranges::sort(content.segments);
  for (const auto base : content.segments)
    indexes.erase(base);
  for (const auto base : indexes) {
    content.orphan_indexes.push_back(segment_file_name(base, k_index_suffix));
  }
  return content;
}

result<store_header> read_store_header(env& env, const std::string& directory, record_offset base,
                                       std::uint64_t log_id) {
  const std::string path = join_path(directory, segment_file_name(base, k_store_suffix));
  auto opened = env.open(path, open_mode::read);
  if (!opened) return opened.error();
  std::array<std::byte, k_store_header_bytes> bytes{};
  auto count = (*opened)->pread(bytes, 0);
  if (!count) return count.error();
  auto header = decode_store_header(byte_span(bytes).first(*count), path);
  if (!header) return header.error();
  if (header->base_offset != base) {
    return error{errc::corruption,
                 fmt::format("{}: file header at position 0: made for base offset {}", path,
                             header->base_offset.value())};
  }
  if (header->log_id != log_id) {
    return error{errc::corruption,
                 fmt::format("{}: file header at position 0: belongs to log {:016x}, not {:016x}",
                             path, header->log_id, log_id)};
  }
  return header;
}

result<std::shared_ptr<segment>> load_sealed_segment(env& env, const std::string& directory,
                                                     const store_header& header,
                                                     const store_header& next,
                                                     recovery_report& report) {
  auto loaded = std::make_shared<segment>(header, directory);
  loaded->sealed = true;
  auto store = env.open(loaded->store_path, open_mode::read_write);
  if (!store) return store.error();
  const auto meets_next = [&](const store_extent& extent) {
    return extent.next_offset == next.base_offset && extent.next_index == next.base_index;
  };

  const auto ends = read_index_ends(env, loaded->index_path);
  if (ends && ends->first.relative_offset == 0 && ends->first.position == k_store_header_bytes) {
    auto extent = extent_of_last_entry(**store, header, ends->last, ends->count);
    if (!extent) return extent.error();
    if (*extent && meets_next(**extent)) {
      loaded->advance(**extent);
      return loaded;
    }
  }

  auto scan = scan_store(**store, header);
  if (!scan) return scan.error();
  report.scanned_bytes += scan->extent.end_bytes;
  if (!meets_next(scan->extent)) {
    return damage(loaded->store_path, scan->extent.end_bytes,
                  fmt::format("the next segment begins at offset {}, this one ends at offset {}",
                              next.base_offset.value(), scan->extent.next_offset.value()));
  }
  ++report.rebuilt_indexes;
  loaded->advance(scan->extent);
  // Both are for speed and space: a full disk must not keep a sound log from opening.
  if (!write_index_file(env, *loaded, scan->entries).ok()) loaded->index_suspect = true;
  if (scan->file_bytes > scan->extent.end_bytes &&
      (*store)->truncate(scan->extent.end_bytes).ok()) {
    static_cast<void>((*store)->sync_data());
  }
  return loaded;
}

status erase_frames(file& store, std::uint64_t position, std::uint64_t end_bytes) {
  if (end_bytes <= position) return {};
  const bool by_zeros = end_bytes - position <= k_erase_by_zeros_bytes_max;
  if (auto s = by_zeros ? fill_with_zeros(store, position, end_bytes - position)
                        : store.truncate(position);
      !s) {
    return s;
  }
  return store.sync_data();
}

status open_writable_index(env& env, const std::string& path, index_span entries,
                           std::uint64_t index_bytes, segment_handles& into) {
  const std::uint64_t used = entries.size() * sizeof(index_entry);
  const std::uint64_t wanted = std::max(index_bytes, used);
  // A new file, never the old one cut: readers may still have that mapped, and touching a page that
  // is no longer in the file kills the process.
  if (auto s = env.remove(path); !s) return s;
  auto opened = env.open(path, open_mode::create);
  if (!opened) return opened.error();
  if (auto s = (*opened)->allocate(0, wanted); !s) {
    if (s.code() != errc::disk_full) return s;
    // Readers go on with an index in memory; the next append finds no room in it and asks for a new
    // segment.
    into.index = std::move(*opened);
    into.rebuilt.assign(entries.begin(), entries.end());
    return {};
  }
  auto map = (*opened)->map(wanted);
  if (!map) return map.error();
  const auto bytes = std::as_bytes(entries);
  if (!bytes.empty()) std::memcpy((*map)->bytes().data(), bytes.data(), bytes.size());
  if (auto s = (*opened)->sync_data(); !s) return s;
  into.index = std::move(*opened);
  into.map = std::move(*map);
  return {};
}

namespace {

/// After a graceful close the mark vouches for end and index: nothing has to be read but the last
/// frame.
result<std::optional<store_extent>> load_closed_extent(file& store, const store_header& header,
                                                       const durable_mark::mark& mark,
                                                       const std::vector<index_entry>& entries) {
  const std::optional<store_extent> none;
  const auto bytes = std::as_bytes(std::span(entries));
  if (checksum64(byte_span(bytes.data(), bytes.size())) != mark.index_checksum) return none;
  if (!plausible_index(entries)) return none;
  if (entries.empty()) {
    if (mark.position_bytes != k_store_header_bytes) return none;
    return std::optional(empty_extent(header));
  }
  auto extent = extent_of_last_entry(store, header, entries.back(), entries.size());
  if (!extent) return extent.error();
  if (!*extent || (*extent)->end_bytes != mark.position_bytes) return none;
  return extent;
}

}  // namespace

result<std::shared_ptr<segment>> load_active_segment(env& env, const std::string& directory,
                                                     const store_header& header,
                                                     const std::optional<durable_mark::mark>& mark,
                                                     std::uint64_t index_bytes,
                                                     recovery_report& report) {
  auto loaded = std::make_shared<segment>(header, directory);
  auto handles = std::make_shared<segment_handles>();
  auto store = env.open(loaded->store_path, open_mode::read_write);
  if (!store) return store.error();
  handles->store = std::move(*store);
  const bool mark_is_ours = mark && mark->identity == header.identity;

  std::vector<index_entry> entries;
  std::optional<store_extent> extent;
  if (mark_is_ours && mark->index_checksum != 0) {
    entries = read_index(env, loaded->index_path);
    auto closed = load_closed_extent(*handles->store, header, *mark, entries);
    if (!closed) return closed.error();
    extent = *closed;
  }
  if (!extent) {
    report.clean = false;
    auto scan = scan_store(*handles->store, header);
    if (!scan) return scan.error();
    report.scanned_bytes += scan->file_bytes;
    const std::uint64_t end = scan->extent.end_bytes;
    auto tail = search_tail(*handles->store, header, end, scan->file_bytes);
    if (!tail) return tail.error();
    const std::uint64_t durable =
        std::max(tail->durable_bytes, mark_is_ours ? mark->position_bytes : 0);
    if (durable > end && !planted(45)) {
      return damage(loaded->store_path, end,
                    fmt::format("everything below position {} had been synced, so this is damage "
                                "to stored records and not a write cut short; the log does not "
                                "open with a hole",
                                durable));
    }
    std::uint64_t torn_end = tail->frames_end_bytes;
    if (scan->stopped_at_data && !header.recycled) {
      torn_end = std::max(torn_end, std::min(end + k_frame_header_bytes, scan->file_bytes));
    }
    if (torn_end > end) {
      if (auto s = erase_frames(*handles->store, end, torn_end); !s) return s.error();
      report.torn_bytes += torn_end - end;
      report.warnings.push_back(
          fmt::format("{}: cut {} bytes at position {}: a write that had never been acknowledged",
                      loaded->store_path, torn_end - end, end));
    }
    // A killed process leaves whole frames that nobody had synced; from here on they count as
    // durable.
    if (auto s = handles->store->sync_data(); !s) return s.error();
    if (!scan->entries.empty()) ++report.rebuilt_indexes;
    entries = std::move(scan->entries);
    extent = scan->extent;
  }
  if (auto s = open_writable_index(env, loaded->index_path, entries, index_bytes, *handles); !s) {
    return s.error();
  }
  if (auto s = env.sync_directory(directory); !s) return s.error();

  auto size = handles->store->size_bytes();
  if (!size) return size.error();
  loaded->allocated_bytes = loaded->filled_bytes = extent->end_bytes;
  // A copied directory may have lost its reserved space.
  if (*size > extent->end_bytes &&
      handles->store->allocate(extent->end_bytes, *size - extent->end_bytes).ok()) {
    loaded->allocated_bytes = *size;
  }
  loaded->durable_bytes = extent->end_bytes;
  loaded->handles = std::move(handles);
  loaded->advance(*extent);
  return loaded;
}

}  // namespace cairn::storage
