#pragma once
// From a stored record to the answers of the read API.

#include "proto/record_codec.hpp"
#include "storage/base/ids.hpp"

#include <array>
#include <string>
#include <string_view>

namespace cairn::net {

/// Writes records as the objects of the HTTP API, on one line each:
///
///   {"offset":7,"timestamp":"2026-11-22T21:14:00.123Z","key":"k","headers":{"a":"b"},"value":{"x":1}}
///
/// - `key` and `headers` are absent when the record has none.
/// - A JSON value stands in it byte for byte, but for raw line ends between its tokens: these
/// become
///   spaces, so that the framing of NDJSON and of server-sent events holds. Text comes as a JSON
///   string, bytes as `value_base64`.
/// - A key that is not UTF-8 comes as `key_base64`; header values that are not UTF-8 come in a
/// second
///   object `headers_base64`.
///
/// Not thread-safe: it remembers the last timestamp, which all records of a frame share. Keep one
/// per answer or thread.
class record_formatter {
public:
  /// Appends the object, without a line end.
  void append_json(std::string& out, record_offset offset, unix_ms timestamp_ms,
                   const proto::record_view& record);

  /// Appends the object and \n.
  void append_ndjson(std::string& out, record_offset offset, unix_ms timestamp_ms,
                     const proto::record_view& record);

  /// Appends a server-sent event: `id:` the offset, `data:` the object, an empty line.
  void append_sse(std::string& out, record_offset offset, unix_ms timestamp_ms,
                  const proto::record_view& record);

private:
  void append_timestamp(std::string& out, unix_ms timestamp_ms);

  unix_ms cached_ms_ = -1;
  std::array<char, 24> cached_text_{};
};

/// Appends `timestamp_ms` as RFC 3339 in UTC with milliseconds, such as 2026-11-22T21:14:00.123Z.
/// Years outside 0000-9999 are clamped.
void append_rfc3339(std::string& out, unix_ms timestamp_ms);

/// Appends `text` as a JSON string with its quotes. @pre `text` is UTF-8.
void append_json_string(std::string& out, std::string_view text);

}  // namespace cairn::net
