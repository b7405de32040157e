#include "storage/segment.hpp"

#include "storage/paths.hpp"

#include <utility>

namespace cairn::storage {

index_span segment_handles::entries(std::uint64_t count) const {
  if (!rebuilt.empty()) return index_span(rebuilt).first(count);
  if (count == 0) return {};
  return index_span(writable_entries()).first(count);
}

std::span<index_entry> segment_handles::writable_entries() const {
  CAIRN_CHECK(map != nullptr, "index is not mapped");
  const auto bytes = map->bytes();
  // The mapping is page-aligned and an entry is four u32 without padding.
  return {reinterpret_cast<index_entry*>(bytes.data()), bytes.size() / sizeof(index_entry)};
}

segment::segment(store_header h, const std::string& directory)
    : header(h),
      store_path(join_path(directory, segment_file_name(h.base_offset, k_store_suffix))),
      index_path(join_path(directory, segment_file_name(h.base_offset, k_index_suffix))),
      extent(empty_extent(h)) {}

void segment::advance(const store_extent& to) {
  extent = to;
  end_bytes.store(to.end_bytes, std::memory_order_relaxed);
  entries.store(to.frames, std::memory_order_release);
}

namespace {

/// Opens and maps an index that must hold exactly `count` plausible entries; not_found when it does
/// not.
status map_index(env& env, const std::string& path, std::uint64_t count, segment_handles& into) {
  const error unusable{errc::not_found, "index has to be rebuilt"};
  auto opened = env.open(path, open_mode::read_write);
  if (!opened) return unusable;
  auto size = (*opened)->size_bytes();
  const std::uint64_t needed = count * sizeof(index_entry);
  if (!size || *size < needed) return unusable;
  auto mapped = (*opened)->map(*size);
  if (!mapped) return mapped.error();
  into.index = std::move(*opened);
  into.map = std::move(*mapped);
  if (!plausible_index(into.entries(count))) return unusable;
  return {};
}

}  // namespace

status write_index_file(env& env, segment& target, index_span entries) {
  const std::string& path = target.index_path;
  const std::string fresh = path + std::string(k_temporary_suffix);
  auto made = env.open(fresh, open_mode::create);
  if (!made) return made.error();
  const auto bytes = std::as_bytes(entries);
  if (!bytes.empty()) {
    // Reserved first: the file will be mapped, and a hole under a mapping can kill the process.
    if (auto s = (*made)->allocate(0, bytes.size()); !s) return s;
    const byte_span piece(bytes.data(), bytes.size());
    if (auto s = (*made)->pwrite({&piece, 1}, 0); !s) return s;
  }
  if (auto s = (*made)->sync_data(); !s) return s;
  if (target.removed) return env.remove(fresh);
  if (auto s = env.rename(fresh, path); !s) return s;
  return env.sync_directory(parent_path(path));
}

result<std::shared_ptr<segment_handles>> open_sealed_handles(env& env, segment& target) {
  auto handles = std::make_shared<segment_handles>();
  auto store = env.open(target.store_path, open_mode::read_write);
  if (!store) return store.error();
  handles->store = std::move(*store);
  const std::uint64_t count = target.entries.load(std::memory_order_acquire);
  if (count == 0) return handles;
  if (!target.index_suspect.load() && map_index(env, target.index_path, count, *handles).ok()) {
    return handles;
  }

  auto scan = scan_store(*handles->store, target.header);
  if (!scan) return scan.error();
  if (scan->extent.frames < count) {
    return error{errc::corruption,
                 fmt::format("{}: damaged frame at position {}, where {} frames end",
                             target.store_path, scan->extent.end_bytes, count)};
  }
  handles->index.reset();
  handles->map.reset();
  scan->entries.resize(count);
  // A full disk must not stop readers: then this index lives in memory only.
  if (write_index_file(env, target, scan->entries).ok() &&
      map_index(env, target.index_path, count, *handles).ok()) {
    target.index_suspect.store(false);
    return handles;
  }
  handles->rebuilt = std::move(scan->entries);
  target.index_suspect.store(false);
  return handles;
}

void seal_files(env& env, segment& target) {
  // The lock keeps a removal and a return to writing from running in between; readers that already
  // have handles do not need it.
  const std::lock_guard lock(target.handles_mutex);
  if (target.removed || !target.sealed) return;
  // As they are now: since this was asked for, the segment may have been cut and written again.
  const std::uint64_t entries = target.entries.load(std::memory_order_acquire);
  const std::uint64_t store_bytes = target.end_bytes.load(std::memory_order_relaxed);
  auto handles = target.handles;
  if (!handles) {
    auto opened = open_sealed_handles(env, target);
    if (!opened) return;
    handles = std::move(*opened);
  }
  if (auto s = handles->store->truncate(store_bytes); !s) return;
  if (auto s = handles->store->sync_data(); !s) return;
  if (target.index_suspect.load()) return;
  if (!write_index_file(env, target, handles->entries(entries)).ok()) {
    static_cast<void>(env.remove(target.index_path + std::string(k_temporary_suffix)));
  }
}

}  // namespace cairn::storage
