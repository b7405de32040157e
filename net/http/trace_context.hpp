#pragma once
// W3C Trace Context: a trace that a client began is continued, none is invented.
// A request that belongs to none still has an id in the node's log (exchange::trace_id()).

#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::net {

/// True for a traceparent that may be continued: version 00 (or a later one, whose first four
/// fields are the same), trace id and span id not zero.
[[nodiscard]] bool is_traceparent(std::string_view value);

/// Its 32 hexadecimal digits. @pre is_traceparent(value).
[[nodiscard]] std::string_view trace_id_of(std::string_view value);

/// Appends a version 00 traceparent with the trace id and flags of `parent` and the span `span_id`.
/// @pre is_traceparent(parent); `span_id` is not 0.
void append_child_traceparent(std::string& out, std::string_view parent, std::uint64_t span_id);

}  // namespace cairn::net
