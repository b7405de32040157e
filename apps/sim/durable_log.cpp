#include "apps/sim/durable_log.hpp"

#include "storage/paths.hpp"
#include "storage/store_header.hpp"

#include <array>
#include <fmt/format.h>

namespace cairn::sim {

void durable_log::reload() {
  entries_.clear();
  path_.clear();
  follow();
}

bool durable_log::open_segment(const std::string& name) {
  const std::string path = storage::join_path(directory_, name);
  std::array<std::byte, storage::k_store_header_bytes> bytes{};
  if (disk_.read_durable(path, 0, bytes) != bytes.size()) return false;
  const auto header = storage::decode_store_header(bytes, path);
  if (!header) return false;
  const bool continues =
      path_.empty() || (header->base_index == next_index_ && header->base_offset == next_offset_);
  if (!continues) return false;
  path_ = path;
  identity_ = header->identity;
  position_bytes_ = storage::k_store_header_bytes;
  next_index_ = header->base_index;
  next_offset_ = header->base_offset;
  return true;
}

bool durable_log::read_frame() {
  storage::frame_header_bytes bytes{};
  if (disk_.read_durable(path_, position_bytes_, bytes) != bytes.size()) return false;
  const auto header = storage::decode_frame_header(bytes, identity_);
  if (!header || header->index != next_index_ || header->base_offset != next_offset_) return false;
  buffer_.resize(header->payload_bytes);
  const auto count =
      disk_.read_durable(path_, position_bytes_ + storage::k_frame_header_bytes, buffer_);
  if (count != buffer_.size() || !storage::payload_matches(*header, buffer_)) return false;
  entries_.push_back({header->index, header->term, header->base_offset, header->record_count,
                      header->kind, header->payload_checksum, header->timestamp_ms});
  position_bytes_ += header->stride_bytes();
  next_index_ = header->index.next();
  next_offset_ = header->next_offset();
  return true;
}

void durable_log::follow() {
  if (path_.empty()) {
    for (const std::string& name : disk_.durable_names(directory_)) {
      if (!storage::parse_segment_file_name(name, storage::k_store_suffix)) continue;
      if (open_segment(name)) break;
    }
    if (path_.empty()) return;
  }
  // A segment without entries can be replaced by another of the same name.
  if (position_bytes_ == storage::k_store_header_bytes && !entries_.empty()) {
    static_cast<void>(open_segment(path_.substr(directory_.size() + 1)));
  }
  while (true) {
    while (read_frame()) {
    }
    const std::string next = storage::segment_file_name(next_offset_, storage::k_store_suffix);
    if (storage::join_path(directory_, next) == path_ || !open_segment(next)) return;
  }
}

const entry_facts* durable_log::find(log_index index) const {
  if (entries_.empty() || index < entries_.front().index || index > entries_.back().index) {
    return nullptr;
  }
  return &entries_[index.since(entries_.front().index)];
}

log_index durable_log::last() const {
  return entries_.empty() ? log_index(0) : entries_.back().index;
}

std::string durable_log::position_text() const {
  std::string names;
  for (const std::string& name : disk_.durable_names(directory_))
    names += " " + name;
  return fmt::format("{} read up to byte {}, entry {}, offset {}; on the disk:{}",
                     path_.empty() ? "nothing" : path_, position_bytes_, last().value(),
                     next_offset_.value(),
                     names.size() > 500 ? names.substr(names.size() - 500) : names);
}

}  // namespace cairn::sim
