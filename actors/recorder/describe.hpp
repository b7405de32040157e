#pragma once
// Inputs, messages and what a core does, in words.

#include "actors/raft/core.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::actors {

/// The name of a node, for people: "n1".
using node_namer = std::function<std::string(raft::node_id)>;

[[nodiscard]] std::string_view name_of(raft::role role);
/// Stable lower-case name of an input, such as "tick" or "append-request".
[[nodiscard]] std::string_view name_of(const raft::input& in);

/// "append-request from n1, term 3: 2 entries behind 17 (term 3), committed 17".
[[nodiscard]] std::string describe_input(const raft::input& in, const node_namer& name);
[[nodiscard]] std::string describe_message(const raft::message& m, const node_namer& name);
/// What a take_ready() gave, a line each: messages, the write, what became visible, answers.
[[nodiscard]] std::vector<std::string> describe_output(const raft::ready& out,
                                                       const node_namer& name);

}  // namespace cairn::actors
