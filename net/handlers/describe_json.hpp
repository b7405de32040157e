#pragma once
// What the node says about itself, as JSON.

#include "net/backend.hpp"

#include <string>

namespace cairn::net {

void append_json(std::string& out, const log_description& log);

}  // namespace cairn::net
