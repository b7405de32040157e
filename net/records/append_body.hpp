#pragma once
// From the body of an append to an encoded batch: every content type of the HTTP API, and an answer
// for every body that is not what it claims to be.

#include "net/backend.hpp"
#include "proto/record_codec.hpp"
#include "storage/base/result.hpp"
#include "storage/base/units.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cairn::net {

/// What the content type of an append announces.
enum class body_format : std::uint8_t {
  json,     ///< application/json: one record
  ndjson,   ///< application/x-ndjson: a record per line
  records,  ///< application/vnd.cairn.records+json: a batch with keys and headers
  text,     ///< text/plain: one record
  bytes,    ///< application/octet-stream: one record
};

/// One record as opposed to a batch: only then Cairn-Key and Cairn-Header-* may be given.
[[nodiscard]] constexpr bool holds_one_record(body_format format) {
  return format != body_format::ndjson && format != body_format::records;
}

/// What classify_content_type() found.
struct content_class {
  std::optional<body_format> format;  ///< nothing: answer 415 with `detail`
  std::string detail;                 ///< names what was sent and what is understood
  bool must_be_ascii = false;         ///< charset=us-ascii
};

/// Reads the value of a Content-Type header (empty: none was sent). Names are case-insensitive;
/// of the parameters only `charset` has a meaning (utf-8 and us-ascii are understood; it has none
/// for application/octet-stream). Call it before the body is read.
[[nodiscard]] content_class classify_content_type(std::string_view content_type);

/// Limits and what the request says beside its body.
struct append_body_options {
  /// As sent; stored with the record when it is not exactly the usual one of its kind.
  std::string_view content_type = "application/json";
  std::optional<byte_span> key;                   ///< of the one record
  std::span<const proto::header_view> headers{};  ///< of the one record
  /// Of a record: its value, key, header names and header values together.
  std::uint64_t max_record_bytes = k_mib_bytes;
  std::uint32_t max_records = 100'000;
};

inline constexpr std::uint32_t k_record_headers_max = 64;
inline constexpr std::size_t k_header_name_bytes_max = 128;
inline constexpr std::size_t k_content_type_bytes_max = 256;

/// Parses a whole body. All or nothing: with an error there is nothing to store.
/// - JSON is kept byte for byte and must be one RFC 8259 text in UTF-8 without a byte order mark,
///   nested at most 32 deep, without duplicate names in an object and without lone surrogates.
///   Numbers may have any size.
/// - NDJSON: lines end with \n or \r\n, the last end may be missing, an empty line is refused.
/// - In a batch of application/vnd.cairn.records+json each record has exactly one of `value` and
///   `value_base64`, and no unknown field.
/// invalid_argument (names the line, or the place such as records[3].foo; also for an unknown
/// content type, which classify_content_type() tells apart), too_large (a record or the number of
/// records; names the line or record and the limit).
/// Thread-safe; keeps a parser of bounded size per thread.
[[nodiscard]] result<encoded_batch> parse_append_body(std::string_view body,
                                                      const append_body_options& options);

}  // namespace cairn::net
