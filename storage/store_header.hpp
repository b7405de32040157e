#pragma once
// The header of a store file, docs/formats/segment.md.

#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/result.hpp"

#include <cstdint>
#include <string>

namespace cairn::storage {

/// Size of the header; the first frame follows it.
inline constexpr std::uint64_t k_store_header_bytes = 64;
inline constexpr std::uint32_t k_store_version = 1;

struct store_header {
  /// Drawn anew each time a file becomes a segment, also when it is recycled; seeds its frames'
  /// header checksums.
  std::uint64_t identity = 0;
  record_offset base_offset;
  log_index base_index;
  unix_ms base_time_ms = 0;
  std::uint64_t log_id = 0;
  /// The file held another segment before: bytes behind the last frame are its, not a write cut
  /// short.
  bool recycled = false;

  bool operator==(const store_header&) const = default;
};

void encode_store_header(const store_header& header, std::span<std::byte, k_store_header_bytes> to);

/// corruption: no header, a bad checksum or a version that this program does not know; `path` is
/// for the message.
[[nodiscard]] result<store_header> decode_store_header(byte_span bytes, const std::string& path);

}  // namespace cairn::storage
