#pragma once
// The way of one append as steps that people read (v1::Trace). Pure.

#include "actors/entry_times.hpp"
#include "proto/cairn/v1/inspect.pb.h"

#include <cstdint>
#include <string>

namespace cairn::actors {

/// What the node that took the append knows, by its own clock.
struct trace_ends {
  std::string node;
  std::uint64_t received_ns = 0;  ///< taken, as a gateway does it
  std::uint64_t answered_ns = 0;  ///< the answer is there
};

/// True once nothing more is to come: written, answered, and acknowledged by everybody who will.
[[nodiscard]] bool complete(const entry_timeline& timeline);

/// Adds the leader's steps to `out`, ascending, in nanoseconds after the first one: when the append
/// came to it. @pre timeline.code is none.
void add_leader_steps(const entry_timeline& timeline, const std::string& leader, v1::Trace& out);

/// The append was taken by the leader itself: begins and ends the steps with that.
void add_local_ends(const trace_ends& ends, const entry_timeline& timeline, v1::Trace& out);

/// The append was taken by another node, whose clock says nothing about the leader's: adds, as a
/// duration of its own, what was spent on the way there and back.
void add_remote_ends(const trace_ends& ends, const std::string& leader, v1::Trace& out);

}  // namespace cairn::actors
