#pragma once
// What TAB offers. Pure: who knows the nodes, actors and metrics there are is asked by kind.

#include "apps/console/commands.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::console {

struct completion {
  std::vector<std::string> candidates;  ///< sorted; whole words
  std::string insert;  ///< to be put in at the cursor: what all candidates have in common, and a
                       ///< blank behind the only one
};

/// Known words of a kind; empty for those that cannot be known (a number).
using word_source = std::function<std::vector<std::string>(word_kind)>;

/// `before`: the line up to the cursor.
[[nodiscard]] completion complete(std::string_view before, const word_source& known);

}  // namespace cairn::console
