#pragma once
// How operators see and change the levels of the node's own log while it runs.

#include "actors/inspect/inspect_actor.hpp"

namespace cairn::apps {

/// Answers AskLogLevel: sets what it names (invalid_argument if there is no such component or
/// level) and tells all levels. At once; a change says so in the log.
[[nodiscard]] actors::inspect_handler log_level_hook();

}  // namespace cairn::apps
