#pragma once
// Routes that tell what an operator asks of nodes: of this one, of another (?node=ID), of all
// (?cluster=true). What they say is what the console says: both ask the same actor.

#include "net/handlers/handlers.hpp"
#include "proto/cairn/v1/inspect.pb.h"

#include <functional>
#include <string>

namespace cairn::net {

/// How long a node may take to say what it knows. One that is gone costs no more than this.
inline constexpr std::chrono::milliseconds k_inspect_deadline{3'000};

/// Writes the members of one node's JSON object, `node` among them: `out` ends with its `{`, or
/// with a member.
using inspect_writer = std::function<void(std::string& out, const v1::InspectAnswer& answer)>;

/// Takes ?node= and ?cluster= into x.parameters. 400: both, or neither a node id nor a boolean.
[[nodiscard]] std::optional<problem> take_scope(exchange& x, query_reader& query);

/// Asks whom x.parameters name and answers the request: `{...}` of one node, or
/// `{"nodes":[{"node":"n1",...},{"node":"n3","error":{problem}}]}` of all that are members.
void answer_inspection(exchange& x, v1::InspectRequest question, inspect_writer write);

}  // namespace cairn::net
