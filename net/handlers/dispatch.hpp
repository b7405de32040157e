#pragma once
// From a request's head to its handler.

#include "net/http/request.hpp"
#include "net/http/target.hpp"
#include "net/server/exchange.hpp"

#include <optional>
#include <string_view>

namespace cairn::net {

/// Looks at everything that can be judged without the body: path, method, parameters, media types.
/// Fills in `x.route`, `x.parameters`, `x.body_limit_bytes` and what else the handler needs.
[[nodiscard]] std::optional<problem> check_request(exchange& x, const request_head& head,
                                                   const request_target& target);

/// Carries out a request that check_request() has passed. `body` is valid during the call only.
/// Answers through `x`, now or later.
void run_request(exchange& x, const request_head& head, std::string_view body);

}  // namespace cairn::net
