#include "apps/node_story.hpp"

#include "tests/support/sim_env.hpp"

#include <doctest/doctest.h>

using namespace cairn;

namespace {

struct told_story {
  std::string last() {
    const auto page = events->after(seen, 100);
    seen = page.next;
    if (page.events.empty()) return "nothing";
    return page.events.back().text;
  }

  testing::sim_env env;
  actors::node_events_ptr events = std::make_shared<actors::node_events>(env, 1);
  apps::node_story story{events, "n1", "0.1.0"};
  std::uint64_t seen = 0;
};

}  // namespace

TEST_CASE("node story: readiness is told when it changes, not when a number in a reason does") {
  told_story n1;
  n1.story.look({"no leader is known"});
  CHECK(n1.last() == "n1 is not ready: no leader is known");
  n1.story.look({"no leader is known"});
  CHECK(n1.last() == "nothing");
  n1.story.look({"no leader is known", "a write to the disk has not returned for 6 s"});
  CHECK(n1.last() ==
        "n1 is not ready: no leader is known; a write to the disk has not returned "
        "for 6 s");
  n1.story.look({"no leader is known", "a write to the disk has not returned for 17 s"});
  CHECK(n1.last() == "nothing");
  n1.story.look({});
  CHECK(n1.last() == "n1 is ready");
  n1.story.look({});
  CHECK(n1.last() == "nothing");
}

TEST_CASE("node story: a start after a kill is told with what recovery did") {
  told_story n1;
  storage::recovery_report recovery;
  recovery.clean = false;
  recovery.scanned_bytes = 4096;
  recovery.torn_bytes = 17;
  recovery.warnings = {"a segment had to be looked at"};
  n1.story.started(recovery, 12);
  const auto page = n1.events->after(0, 10);
  REQUIRE(page.events.size() == 2);
  CHECK(page.events[0].kind == actors::event_kind::fault);
  CHECK(page.events[0].text == "recovery: a segment had to be looked at");
  CHECK(page.events[1].kind == actors::event_kind::node);
  CHECK(page.events[1].severity == actors::event_severity::warning);
  CHECK(page.events[1].text ==
        "n1 has started (version 0.1.0) with a log up to offset 12; it had not been ended "
        "gracefully: 4096 bytes were scanned, 17 bytes of an unacknowledged write cut off");
}

TEST_CASE("node story: a node says why it ends") {
  told_story n1;
  n1.story.ends("the log is fenced");
  CHECK(n1.last() == "n1 ends because of a failure: the log is fenced");
  n1.story.ends(std::nullopt);
  CHECK(n1.last() == "n1 ends as it was asked to");
}
