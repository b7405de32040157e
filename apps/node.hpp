#pragma once
// A node from start to end.

#include "apps/node_config.hpp"

namespace cairn::apps {

// Exit codes of cairnd; --help and the README name them.
inline constexpr int k_exit_ok = 0;
inline constexpr int k_exit_failed = 1;
inline constexpr int k_exit_bad_configuration = 2;

/// Starts the node, serves until a signal or a broken log ends it, closes what is open and returns
/// the exit code. Main thread, before any other. After a failure that leaves a thread in the kernel
/// (a disk that hangs) it ends the process itself.
[[nodiscard]] int run_node(const node_config& config);

}  // namespace cairn::apps
