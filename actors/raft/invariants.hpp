#pragma once
// What must hold of a core at any time, and of two states one after the other. Tests and the
// simulator call these after every step; they judge from the outside, by status() alone.

#include "actors/raft/config.hpp"
#include "actors/raft/status.hpp"

#include <string>

namespace cairn::raft {

/// The first invariant that `s` breaks, in words; empty if none.
[[nodiscard]] std::string broken_invariant(const core_status& s, const core_config& config);

/// The first invariant that the way from `before` to `after` breaks, within one process; empty if
/// none.
[[nodiscard]] std::string broken_transition(const core_status& before, const core_status& after);

}  // namespace cairn::raft
