#include "storage/frame.hpp"

#include "storage/base/checksum.hpp"

namespace cairn::storage {

namespace {

// Byte positions of the fields, see docs/formats/segment.md.
constexpr std::size_t k_at_checksum = 0;
constexpr std::size_t k_at_payload_bytes = 8;
constexpr std::size_t k_at_record_count = 12;
constexpr std::size_t k_at_payload_checksum = 16;
constexpr std::size_t k_at_term = 24;
constexpr std::size_t k_at_index = 32;
constexpr std::size_t k_at_base_offset = 40;
constexpr std::size_t k_at_timestamp = 48;
constexpr std::size_t k_at_durable_bytes = 56;
constexpr std::size_t k_at_kind = 60;
constexpr std::size_t k_at_codec = 61;
constexpr std::size_t k_at_reserved = 62;
static_assert(k_at_reserved + sizeof(std::uint16_t) == k_frame_header_bytes);
static_assert(k_frame_header_bytes % k_frame_align_bytes == 0);

}  // namespace

void encode_frame_header(const frame_header& header, std::uint64_t identity,
                         std::span<std::byte, k_frame_header_bytes> to) {
  std::byte* p = to.data();
  store_le(p + k_at_payload_bytes, header.payload_bytes);
  store_le(p + k_at_record_count, header.record_count);
  store_le(p + k_at_payload_checksum, header.payload_checksum);
  store_le(p + k_at_term, header.term.value());
  store_le(p + k_at_index, header.index.value());
  store_le(p + k_at_base_offset, header.base_offset.value());
  store_le(p + k_at_timestamp, header.timestamp_ms);
  store_le(p + k_at_durable_bytes, header.durable_bytes);
  store_le(p + k_at_kind, static_cast<std::uint8_t>(header.kind));
  store_le(p + k_at_codec, static_cast<std::uint8_t>(header.codec));
  store_le(p + k_at_reserved, std::uint16_t{0});
  const auto covered = byte_span(to).subspan(k_at_payload_bytes);
  store_le(p + k_at_checksum, checksum64(covered, identity));
}

std::optional<frame_header> decode_frame_header(byte_span bytes, std::uint64_t identity) {
  if (bytes.size() < k_frame_header_bytes) return std::nullopt;
  const std::byte* p = bytes.data();
  const auto covered = bytes.subspan(k_at_payload_bytes, k_frame_header_bytes - k_at_payload_bytes);
  if (load_le<std::uint64_t>(p + k_at_checksum) != checksum64(covered, identity))
    return std::nullopt;

  frame_header header;
  header.payload_bytes = load_le<std::uint32_t>(p + k_at_payload_bytes);
  header.record_count = load_le<std::uint32_t>(p + k_at_record_count);
  header.payload_checksum = load_le<std::uint64_t>(p + k_at_payload_checksum);
  header.term = term_id(load_le<std::uint64_t>(p + k_at_term));
  header.index = log_index(load_le<std::uint64_t>(p + k_at_index));
  header.base_offset = record_offset(load_le<std::uint64_t>(p + k_at_base_offset));
  header.timestamp_ms = load_le<unix_ms>(p + k_at_timestamp);
  header.durable_bytes = load_le<std::uint32_t>(p + k_at_durable_bytes);
  const auto kind = load_le<std::uint8_t>(p + k_at_kind);
  const auto codec = load_le<std::uint8_t>(p + k_at_codec);
  // A checksum can be right and the content still impossible: a later version's frame, or a bug of
  // the writer.
  if (kind < static_cast<std::uint8_t>(frame_kind::data) ||
      kind > static_cast<std::uint8_t>(frame_kind::control) ||
      codec > static_cast<std::uint8_t>(frame_codec::zstd) ||
      header.payload_bytes > k_frame_payload_bytes_max ||
      load_le<std::uint16_t>(p + k_at_reserved) != 0) {
    return std::nullopt;
  }
  header.kind = static_cast<frame_kind>(kind);
  header.codec = static_cast<frame_codec>(codec);
  return header;
}

bool payload_matches(const frame_header& header, byte_span payload) {
  return payload.size() == header.payload_bytes && checksum64(payload) == header.payload_checksum;
}

}  // namespace cairn::storage
