#pragma once
// What makes a single record acceptable, whatever body it came in. Private to net/records.

#include "net/records/append_body.hpp"

#include <fmt/format.h>
#include <vector>

namespace cairn::net::detail {

/// invalid_argument or too_large. `where` names the record in the sentence, such as "line 3" or
/// "records[3]"; it is a callable so that nothing is formatted for a good record.
template <class Where>
[[nodiscard]] status check_size(std::uint64_t size_bytes, const append_body_options& options,
                                const Where& where) {
  if (size_bytes <= options.max_record_bytes) return {};
  return error{errc::too_large, fmt::format("{} is a record of {} bytes, limit {}", where(),
                                            size_bytes, options.max_record_bytes)};
}

/// Names are tokens of RFC 9110, short, and none comes twice in whatever case; bounded in number.
[[nodiscard]] status check_headers(std::span<const proto::header_view> headers);

/// Bytes of a record as `max_record_bytes` counts them.
[[nodiscard]] std::uint64_t counted_bytes(const proto::new_record& record);

[[nodiscard]] error too_many_records(const append_body_options& options);

/// application/vnd.cairn.records+json.
[[nodiscard]] result<encoded_batch> parse_record_batch(std::string_view body,
                                                       const append_body_options& options);

[[nodiscard]] inline encoded_batch to_batch(proto::encoded_records records) {
  return {std::move(records.payload), records.record_count};
}

}  // namespace cairn::net::detail
