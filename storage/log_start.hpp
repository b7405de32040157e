#pragma once
// The value of the file "log.start": where the log begins. docs/formats/hard_state.md.

#include "storage/base/bytes.hpp"
#include "storage/base/check.hpp"
#include "storage/base/ids.hpp"

#include <vector>

namespace cairn::storage {

[[nodiscard]] inline std::vector<std::byte> encode_log_start(record_offset lowest) {
  std::vector<std::byte> bytes(sizeof(std::uint64_t));
  store_le(bytes.data(), lowest.value());
  return bytes;
}

/// @pre value was made by encode_log_start (the slot's checksum has vouched for it).
[[nodiscard]] inline record_offset decode_log_start(byte_span value) {
  CAIRN_CHECK(value.size() == sizeof(std::uint64_t), "log start of {} bytes", value.size());
  return record_offset(load_le<std::uint64_t>(value.data()));
}

}  // namespace cairn::storage
