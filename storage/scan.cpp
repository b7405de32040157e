#include "storage/scan.hpp"

#include <algorithm>
#include <limits>

namespace cairn::storage {

namespace {

constexpr std::uint64_t k_window_bytes = 1 * k_mib_bytes;

/// A piece of a file in memory that follows a reader going forward.
class window {
public:
  window(file& source, std::uint64_t file_bytes) : source_(source), file_bytes_(file_bytes) {}

  /// The bytes at [position, position + size), fewer at the end of the file.
  result<byte_span> at(std::uint64_t position, std::uint64_t size) {
    if (position < start_ || position + size > start_ + filled_) {
      if (auto s = load(position, size); !s) return s.error();
    }
    const std::uint64_t skip = std::min(position - start_, filled_);
    return byte_span(buffer_).subspan(skip, std::min(size, filled_ - skip));
  }

private:
  status load(std::uint64_t position, std::uint64_t size) {
    if (ended_ && position >= start_ && position + size > start_ + filled_) return {};
    // Never more than the file has: most files of a small log are far smaller than a window, and
    // the size that a frame claims need not be true.
    const std::uint64_t left = file_bytes_ - std::min(position, file_bytes_);
    buffer_.resize(std::min(std::max(size, k_window_bytes), left));
    auto count = source_.pread(buffer_, position);
    if (!count) return count.error();
    start_ = position;
    filled_ = *count;
    ended_ = filled_ < buffer_.size() || filled_ == left;
    return {};
  }

  file& source_;
  const std::uint64_t file_bytes_;
  std::vector<std::byte> buffer_;
  std::uint64_t start_ = 0;
  std::uint64_t filled_ = 0;
  bool ended_ = false;
};

bool all_zero(byte_span bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

void store_extent::add(const frame_header& frame) {
  end_bytes += frame.stride_bytes();
  if (frames == 0) first_term = frame.term;
  ++frames;
  next_offset = frame.next_offset();
  next_index = frame.index.next();
  last_term = frame.term;
  last_timestamp_ms = frame.timestamp_ms;
}

store_extent empty_extent(const store_header& header) {
  store_extent extent;
  extent.next_offset = header.base_offset;
  extent.next_index = header.base_index;
  extent.last_timestamp_ms = header.base_time_ms;
  return extent;
}

index_entry make_index_entry(const store_header& store, const frame_header& frame,
                             std::uint64_t position) {
  const auto relative_time = static_cast<std::uint64_t>(frame.timestamp_ms - store.base_time_ms);
  constexpr std::uint64_t k_max = std::numeric_limits<std::uint32_t>::max();
  CAIRN_CHECK(position <= k_max && relative_time <= k_max &&
                  frame.base_offset.since(store.base_offset) <= k_max,
              "frame at offset {} does not fit the index of segment {}", frame.base_offset.value(),
              store.base_offset.value());
  return {static_cast<std::uint32_t>(frame.base_offset.since(store.base_offset)),
          static_cast<std::uint32_t>(frame.index.since(store.base_index)),
          static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(relative_time)};
}

bool continues(const store_extent& extent, const frame_header& frame) {
  return frame.base_offset == extent.next_offset && frame.index == extent.next_index &&
         frame.term >= extent.last_term && frame.timestamp_ms >= extent.last_timestamp_ms;
}

result<store_scan> scan_store(file& store, const store_header& header, const scan_visitor& visit) {
  store_scan scan;
  scan.extent = empty_extent(header);
  auto size = store.size_bytes();
  if (!size) return size.error();
  scan.file_bytes = *size;
  window bytes(store, scan.file_bytes);
  for (;;) {
    const std::uint64_t position = scan.extent.end_bytes;
    auto head = bytes.at(position, k_frame_header_bytes);
    if (!head) return head.error();
    const auto frame = decode_frame_header(*head, header.identity);
    scan.stopped_at_data = !all_zero(*head);
    if (!frame || !continues(scan.extent, *frame)) break;
    if (position + frame->stride_bytes() > std::numeric_limits<std::uint32_t>::max()) break;
    auto whole = bytes.at(position, k_frame_header_bytes + frame->payload_bytes);
    if (!whole) return whole.error();
    if (whole->size() < k_frame_header_bytes ||
        !payload_matches(*frame, whole->subspan(k_frame_header_bytes))) {
      break;
    }
    const std::uint64_t time = static_cast<std::uint64_t>(frame->timestamp_ms) -
                               static_cast<std::uint64_t>(header.base_time_ms);
    if (time > std::numeric_limits<std::uint32_t>::max()) break;  // no writer of ours made this
    scan.entries.push_back(make_index_entry(header, *frame, position));
    scan.extent.add(*frame);
    if (visit) visit(*frame, position);
  }
  return scan;
}

result<tail_evidence> search_tail(file& store, const store_header& header, std::uint64_t position,
                                  std::uint64_t file_bytes) {
  tail_evidence evidence;
  window bytes(store, file_bytes);
  constexpr std::uint64_t k_step_bytes = k_window_bytes - k_frame_header_bytes;
  for (std::uint64_t at = position; at < file_bytes; at += k_step_bytes) {
    // Headers may begin in this piece and end in the next.
    auto piece = bytes.at(at, k_step_bytes + k_frame_header_bytes);
    if (!piece) return piece.error();
    for (std::uint64_t i = 0; i < k_step_bytes && i + k_frame_header_bytes <= piece->size();
         i += k_frame_align_bytes) {
      if (load_le<std::uint64_t>(piece->data() + i) == 0) continue;
      // Cheap test of kind, codec and reserved bytes before the checksum: most places are no
      // header.
      const auto marks = load_le<std::uint32_t>(piece->data() + i + 60);
      if ((marks & 0xffu) == 0 || (marks & 0xffu) > 4 || (marks >> 8) > 1) continue;
      const auto frame = decode_frame_header(piece->subspan(i), header.identity);
      if (!frame) continue;
      evidence.durable_bytes =
          std::max<std::uint64_t>(evidence.durable_bytes, frame->durable_bytes);
      evidence.frames_end_bytes =
          std::max(evidence.frames_end_bytes, std::min(at + i + frame->stride_bytes(), file_bytes));
    }
  }
  return evidence;
}

}  // namespace cairn::storage
