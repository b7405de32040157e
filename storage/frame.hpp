#pragma once
// Frames: one frame is one batch of records is one Raft entry. Layout in docs/formats/segment.md.
//
// Two checksums, because two parties make them. `payload_checksum` is computed once, by whoever
// makes the batch, and stays the same on every replica. `header_checksum` covers the rest of the
// header (hence also the payload checksum) and is seeded with the identity of the segment file, so
// that a whole, intact frame of an earlier use of a recycled file, or of a swapped file, never
// passes.

#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/units.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace cairn::storage {

/// Size of the header in front of every payload.
inline constexpr std::size_t k_frame_header_bytes = 64;
/// Frames begin at multiples of this, so that a search for one after damage looks at few places.
inline constexpr std::size_t k_frame_align_bytes = 8;
/// Largest payload. Leaves room below the 4 GiB that a position can express.
inline constexpr std::uint64_t k_frame_payload_bytes_max = 64 * k_mib_bytes;

enum class frame_kind : std::uint8_t {
  data = 1,     ///< records
  no_op = 2,    ///< a new leader's first entry
  config = 3,   ///< Raft membership
  control = 4,  ///< anything else that replicas must agree on; 0 records
};

enum class frame_codec : std::uint8_t { none = 0, zstd = 1 };

/// Bytes that a frame with this much payload takes in a store, header and padding included.
[[nodiscard]] constexpr std::uint64_t frame_stride_bytes(std::uint64_t payload_bytes) {
  const std::uint64_t used = k_frame_header_bytes + payload_bytes;
  return (used + k_frame_align_bytes - 1) / k_frame_align_bytes * k_frame_align_bytes;
}

struct frame_header {
  std::uint32_t payload_bytes = 0;
  std::uint32_t record_count = 0;
  std::uint64_t payload_checksum = 0;
  term_id term;
  log_index index;
  record_offset base_offset;
  unix_ms timestamp_ms = 0;
  /// Position in this store file up to which everything was known durable when the frame was
  /// written. A valid frame with `durable_bytes > p` proves that whatever is wrong at position p is
  /// damage and not a write cut short.
  std::uint32_t durable_bytes = 0;
  frame_kind kind = frame_kind::data;
  frame_codec codec = frame_codec::none;

  bool operator==(const frame_header&) const = default;

  /// Offset after the last record.
  [[nodiscard]] record_offset next_offset() const { return base_offset.plus(record_count); }
  /// Bytes from the start of this frame to the start of the next one.
  [[nodiscard]] std::uint64_t stride_bytes() const { return frame_stride_bytes(payload_bytes); }
};

using frame_header_bytes = std::array<std::byte, k_frame_header_bytes>;

/// Writes the header as it stands on disk, seeded with the segment's identity.
void encode_frame_header(const frame_header& header, std::uint64_t identity,
                         std::span<std::byte, k_frame_header_bytes> to);

/// The header at the start of `bytes`, or nothing if it is not a header of this segment (too short,
/// wrong checksum, impossible values). The payload has still to be checked.
[[nodiscard]] std::optional<frame_header> decode_frame_header(byte_span bytes,
                                                              std::uint64_t identity);

/// True if `payload` is what the header was made for.
[[nodiscard]] bool payload_matches(const frame_header& header, byte_span payload);

}  // namespace cairn::storage
