#pragma once
// Members of one node's object, each from an answer to the question of that kind. `out` ends with
// the object's `{`.

#include "proto/cairn/v1/inspect.pb.h"

#include <string>

namespace cairn::net {

void append_members(std::string& out, const v1::InspectAnswer& answer);
void append_actors(std::string& out, const v1::InspectAnswer& answer);
/// The one actor that was asked for, with its last events.
void append_actor(std::string& out, const v1::InspectAnswer& answer);
void append_node_facts(std::string& out, const v1::InspectAnswer& answer);
void append_raft(std::string& out, const v1::InspectAnswer& answer);

}  // namespace cairn::net
