#pragma once
// How the gateway's ports ask the InspectActor.

#include "net/backend.hpp"
#include "proto/cairn/v1/inspect.pb.h"

#include <caf/message.hpp>
#include <chrono>

namespace cairn::apps {

/// The message to send, as a CAF request.
[[nodiscard]] caf::message inspect_message(v1::InspectRequest question,
                                           std::chrono::milliseconds deadline);

/// What the response to it says.
[[nodiscard]] net::outcome<net::inspect_answer> inspect_outcome(caf::message& response);

}  // namespace cairn::apps
