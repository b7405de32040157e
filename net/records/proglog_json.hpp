#pragma once
// The JSON of proglog's first server: POST / and GET / on the log `default`.

#include "net/backend.hpp"
#include "storage/base/result.hpp"

#include <string>
#include <string_view>

namespace cairn::net {

/// Parses {"record":{"value":"<base64>"}} into a batch of one record of bytes. proglog's clients
/// also send `offset` in the record; a number there is accepted and has no effect. Unlike Go's
/// parser this one refuses unknown and missing fields. invalid_argument naming the field,
/// too_large.
[[nodiscard]] result<encoded_batch> parse_proglog_produce(std::string_view body,
                                                          std::uint64_t max_record_bytes);

/// Parses {"offset":N}. invalid_argument: missing, unknown field, not an exact unsigned number.
[[nodiscard]] result<record_offset> parse_proglog_consume(std::string_view body);

/// {"offset":N}
[[nodiscard]] std::string format_proglog_produced(record_offset offset);

/// {"record":{"value":"<base64>","offset":N}}
[[nodiscard]] std::string format_proglog_consumed(record_offset offset, byte_span value);

}  // namespace cairn::net
