#pragma once
// What a core has said, as text: one line each, every field that is set, the same on every machine.

#include "actors/raft/ready.hpp"
#include "actors/raft/status.hpp"

#include <string>

namespace cairn::testing {

/// "7/2": index 7, term 2.
[[nodiscard]] std::string print(raft::log_position position);
[[nodiscard]] std::string print(const raft::entry& e);
[[nodiscard]] std::string print(const raft::configuration& config);
/// "1->2 t3 vote-request last 7/2".
[[nodiscard]] std::string print(const raft::message& m);
/// One line for each thing to be done, without the numbers of the node; empty for an empty one.
[[nodiscard]] std::string print(const raft::ready& r);
/// A line about the node, and one for each peer that it leads.
[[nodiscard]] std::string print(const raft::core_status& s);

}  // namespace cairn::testing
