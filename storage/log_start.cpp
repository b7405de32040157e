#include "storage/log_start.hpp"

namespace cairn::storage {

namespace {

// Byte positions of the fields, see docs/formats/hard_state.md. Version 1 had the first alone.
constexpr std::size_t k_at_lowest = 0;
constexpr std::size_t k_v1_bytes = 8;
constexpr std::size_t k_at_version = 8;
constexpr std::size_t k_at_flags = 12;
constexpr std::size_t k_at_index = 16;
constexpr std::size_t k_at_term = 24;
constexpr std::size_t k_at_first_offset = 32;
constexpr std::size_t k_v2_bytes = 40;
constexpr std::size_t k_at_time = 40;
constexpr std::size_t k_v3_bytes = 48;
constexpr std::uint32_t k_version = 3;
constexpr std::uint32_t k_flag_installing = 1;

}  // namespace

std::vector<std::byte> encode_log_start(const log_start& start) {
  std::vector<std::byte> bytes(start.offset_only ? k_v1_bytes : k_v3_bytes);
  store_le(bytes.data() + k_at_lowest, start.lowest.value());
  if (start.offset_only) return bytes;
  store_le(bytes.data() + k_at_version, k_version);
  store_le(bytes.data() + k_at_flags, start.installing ? k_flag_installing : 0U);
  store_le(bytes.data() + k_at_index, start.index.value());
  store_le(bytes.data() + k_at_term, start.term.value());
  store_le(bytes.data() + k_at_first_offset, start.first_offset.value());
  store_le(bytes.data() + k_at_time, start.last_timestamp_ms);
  return bytes;
}

std::optional<log_start> decode_log_start(byte_span value) {
  log_start start;
  const bool v2 = value.size() == k_v2_bytes;
  if (value.size() != k_v1_bytes && !v2 && value.size() != k_v3_bytes) return std::nullopt;
  start.lowest = record_offset(load_le<std::uint64_t>(value.data() + k_at_lowest));
  if (value.size() == k_v1_bytes) {
    start.offset_only = true;
    return start;
  }
  const auto flags = load_le<std::uint32_t>(value.data() + k_at_flags);
  if (load_le<std::uint32_t>(value.data() + k_at_version) != (v2 ? 2 : k_version) ||
      flags > k_flag_installing) {
    return std::nullopt;
  }
  start.installing = flags == k_flag_installing;
  start.index = log_index(load_le<std::uint64_t>(value.data() + k_at_index));
  start.term = term_id(load_le<std::uint64_t>(value.data() + k_at_term));
  start.first_offset = record_offset(load_le<std::uint64_t>(value.data() + k_at_first_offset));
  if (!v2) start.last_timestamp_ms = load_le<unix_ms>(value.data() + k_at_time);
  return start;
}

}  // namespace cairn::storage
