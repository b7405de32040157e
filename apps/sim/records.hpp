#pragma once
// What the simulated clients write. The replica does not look into payloads, so a batch is simply
// one record after the other: value, total size, bytes that follow from the value.

#include "storage/base/bytes.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace cairn::sim {

inline constexpr std::size_t k_record_bytes_min = 16;

/// One record of `size_bytes` (at least k_record_bytes_min) for each value.
[[nodiscard]] inline shared_bytes encode_records(const std::vector<std::uint64_t>& values,
                                                 std::size_t size_bytes) {
  std::vector<std::byte> bytes(values.size() * size_bytes);
  std::byte* at = bytes.data();
  for (const std::uint64_t value : values) {
    store_le(at, value);
    store_le(at + 8, std::uint64_t{size_bytes});
    for (std::size_t i = k_record_bytes_min; i < size_bytes; ++i)
      at[i] = static_cast<std::byte>(value + i);
    at += size_bytes;
  }
  return shared_bytes::copy_of(bytes);
}

/// The values in order; nothing if these are not records of ours.
[[nodiscard]] inline std::optional<std::vector<std::uint64_t>> decode_records(byte_span bytes) {
  std::vector<std::uint64_t> values;
  while (!bytes.empty()) {
    if (bytes.size() < k_record_bytes_min) return std::nullopt;
    const auto value = load_le<std::uint64_t>(bytes.data());
    const auto size = load_le<std::uint64_t>(bytes.data() + 8);
    if (size < k_record_bytes_min || size > bytes.size()) return std::nullopt;
    for (std::size_t i = k_record_bytes_min; i < size; ++i) {
      if (bytes[i] != static_cast<std::byte>(value + i)) return std::nullopt;
    }
    values.push_back(value);
    bytes = bytes.subspan(size);
  }
  return values;
}

}  // namespace cairn::sim
