#pragma once
// The slow truth for small histories: try all orders of all calls against a log that is a list.

#include "apps/sim/history.hpp"

#include <vector>

namespace cairn::testing {

/// Whether some order of the calls of `h` explains it.
[[nodiscard]] bool explainable(const sim::history& h);

}  // namespace cairn::testing
