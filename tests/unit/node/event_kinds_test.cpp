// What the gateway takes as ?kind=, and the console as --kind, is what the actors tell.
#include "actors/node_events.hpp"
#include "apps/console/event_commands.hpp"
#include "net/handlers/node_event_stream.hpp"

#include <doctest/doctest.h>

namespace cairn::testing {

TEST_CASE("events: every kind that a node tells can be asked for by name, and no other") {
  std::vector<std::string_view> told;
  for (unsigned kind = 0;; ++kind) {
    const auto name = to_string(static_cast<actors::event_kind>(kind));
    if (name == "unknown") break;
    told.push_back(name);
  }
  CHECK(told.size() > 5);
  CHECK(net::event_kinds() == told);
  CHECK(std::vector<std::string_view>(console::k_event_kinds.begin(),
                                      console::k_event_kinds.end()) == told);
}

}  // namespace cairn::testing
