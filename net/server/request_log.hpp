#pragma once
// Lines of the node's own log about requests. They say what kind of request it was, what became of
// it and its id; never what the client has put into it: no body, key, header value or query, and of
// the path only the route and the name of an existing log.

#include "net/server/exchange.hpp"

#include <chrono>
#include <string>

namespace cairn::net {

/// True if log_answer() would say something; asked for each request, so it costs next to nothing.
[[nodiscard]] bool wants_line(const exchange& x);

/// An answer has gone out, `took` after the request's head had come: a line at level debug, and for
/// what the node could not do (5xx and 429, but for probes and what this version does not have) one
/// at level warning, few of a kind. `client` is its address.
void log_answer(exchange& x, const std::string& client, std::chrono::nanoseconds took);

/// A request whose framing cannot be trusted: a line at level info, few at a time.
void log_refusal(exchange& x, const std::string& client, const problem& what);

}  // namespace cairn::net
