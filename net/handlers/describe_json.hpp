#pragma once
// What the node says about itself, as JSON.

#include "net/backend.hpp"

#include <string>

namespace cairn::net {

void append_json(std::string& out, const log_description& log);
void append_json(std::string& out, const cluster_description& cluster);
/// `events` adds the actor's last events.
void append_json(std::string& out, const actor_description& actor, bool events);

}  // namespace cairn::net
