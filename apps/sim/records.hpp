#pragma once
// What the simulated clients write. The replica does not look into records, so one is simply a
// first byte that is no stamp's, a value, the total size, and bytes that follow from the value.

#include "proto/append_stamp.hpp"
#include "storage/base/bytes.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace cairn::sim {

inline constexpr std::size_t k_record_bytes_min = 16;
inline constexpr std::byte k_record_first_byte{0x0a};
inline constexpr std::size_t k_record_head_bytes = 13;

/// One record of `size_bytes` (at least k_record_bytes_min) for each value.
[[nodiscard]] inline shared_bytes encode_records(const std::vector<std::uint64_t>& values,
                                                 std::size_t size_bytes) {
  std::vector<std::byte> bytes(values.size() * size_bytes);
  std::byte* at = bytes.data();
  for (const std::uint64_t value : values) {
    at[0] = k_record_first_byte;
    store_le(at + 1, value);
    store_le(at + 9, static_cast<std::uint32_t>(size_bytes));
    for (std::size_t i = k_record_head_bytes; i < size_bytes; ++i)
      at[i] = static_cast<std::byte>(value + i);
    at += size_bytes;
  }
  return shared_bytes::copy_of(bytes);
}

/// Takes one record from the front of `bytes`.
[[nodiscard]] inline std::optional<std::uint64_t> decode_record(byte_span& bytes) {
  if (bytes.size() < k_record_bytes_min || bytes[0] != k_record_first_byte) return std::nullopt;
  const auto value = load_le<std::uint64_t>(bytes.data() + 1);
  const auto size = load_le<std::uint32_t>(bytes.data() + 9);
  if (size < k_record_bytes_min || size > bytes.size()) return std::nullopt;
  for (std::size_t i = k_record_head_bytes; i < size; ++i) {
    if (bytes[i] != static_cast<std::byte>(value + i)) return std::nullopt;
  }
  bytes = bytes.subspan(size);
  return value;
}

/// The values in order, of appends with and without stamps; nothing if these are not records of
/// ours.
[[nodiscard]] inline std::optional<std::vector<std::uint64_t>> decode_records(byte_span bytes) {
  std::vector<std::uint64_t> values;
  while (!bytes.empty()) {
    byte_span records = bytes;
    if (proto::is_stamped(bytes)) {
      const auto stamp = proto::next_stamp(bytes);
      if (!stamp) return std::nullopt;
      records = records.first(records.size() - bytes.size()).last(stamp->record_bytes);
    } else {
      bytes = {};
    }
    while (!records.empty()) {
      const auto value = decode_record(records);
      if (!value) return std::nullopt;
      values.push_back(*value);
    }
  }
  return values;
}

}  // namespace cairn::sim
