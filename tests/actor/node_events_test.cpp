#include "actors/node_events.hpp"

#include "actors/event_pace.hpp"
#include "tests/support/sim_env.hpp"

#include <doctest/doctest.h>

using namespace cairn;
using actors::event_kind;
using actors::event_severity;
using actors::node_events;

namespace {

void add(node_events& events, std::string text) {
  events.add(event_kind::leader, event_severity::info, "raft default", std::move(text));
}

}  // namespace

TEST_CASE("a reader goes through all events page by page") {
  testing::sim_env env;
  node_events events(env, 7);
  for (const char* text : {"a", "b", "c"})
    add(events, text);
  const auto first = events.after(0, 2);
  REQUIRE(first.events.size() == 2);
  CHECK(first.events[0].text == "a");
  CHECK(first.events[0].id == 1);
  CHECK(first.next == 2);
  const auto second = events.after(first.next, 2);
  REQUIRE(second.events.size() == 1);
  CHECK(second.events[0].text == "c");
  CHECK(second.lost == 0);
  CHECK(events.after(second.next, 2).events.empty());
  CHECK(events.after(second.next, 2).next == 3);
}

TEST_CASE("a reader that is too late learns how many events are gone") {
  testing::sim_env env;
  node_events events(env, 7, 2);
  for (const char* text : {"a", "b", "c", "d"})
    add(events, text);
  const auto page = events.after(1, 10);
  CHECK(page.lost == 1);
  REQUIRE(page.events.size() == 2);
  CHECK(page.events[0].text == "c");
}

TEST_CASE("an event larger than its room is cut, not refused") {
  testing::sim_env env;
  node_events events(env, 7);
  events.add(event_kind::fault, event_severity::error, "log default",
             std::string(node_events::k_event_bytes_max, 'x'), {{"reason", "why"}});
  const auto page = events.after(0, 1);
  REQUIRE(page.events.size() == 1);
  CHECK(page.events[0].text.size() < node_events::k_event_bytes_max);
  CHECK(page.events[0].fields.empty());
}

TEST_CASE("listeners are woken until they leave, and there are not more than fit") {
  testing::sim_env env;
  node_events events(env, 7);
  int woken = 0;
  const auto listener = events.listen([&] { ++woken; });
  add(events, "a");
  CHECK(woken == 1);
  events.unlisten(listener);
  add(events, "b");
  CHECK(woken == 1);
  for (std::size_t i = 0; i < node_events::k_listeners_max; ++i)
    CHECK(events.listen([] {}) != 0);
  CHECK(events.listen([] {}) == 0);
}

TEST_CASE("a kind that never ends pushes out its own events, not those of others") {
  testing::sim_env env;
  node_events events(env, 7, 100);
  events.add(event_kind::election, event_severity::warning, "raft default", "last night");
  events.add(event_kind::fault, event_severity::error, "log default", "a bad sector");
  for (int i = 0; i < 10'000; ++i)
    events.add(event_kind::link, event_severity::warning, "membership", "flaps");
  const auto page = events.after(0, 1'000);
  REQUIRE(page.events.size() == 100);
  CHECK(page.events[0].text == "last night");
  CHECK(page.events[1].text == "a bad sector");
  CHECK(page.events[2].kind == event_kind::link);
  CHECK(page.events[99].id == 10'002);
  CHECK(page.lost == 10'002 - 100);
  CHECK(page.next == 10'002);
  SUBCASE("and a reader that keeps up misses nothing") {
    events.add(event_kind::leader, event_severity::info, "raft default", "n2 leads");
    const auto rest = events.after(page.next, 10);
    CHECK(rest.lost == 0);
    REQUIRE(rest.events.size() == 1);
    CHECK(rest.events[0].text == "n2 leads");
  }
}

TEST_CASE("events that come too fast are told now and then, with how many were kept back") {
  actors::event_pace pace;
  CHECK(pace.admit(5) == 0);
  for (std::uint64_t i = 0; i < 40; ++i)
    CHECK_FALSE(pace.admit(6 + i).has_value());
  CHECK(pace.admit(5 + actors::event_pace::k_gap_ns) == 40);
  CHECK_FALSE(pace.admit(6 + actors::event_pace::k_gap_ns).has_value());
}
