#include "net/peer/link_table.hpp"

#include <doctest/doctest.h>

namespace cairn::net {
namespace {

using namespace std::chrono_literals;

peer_hello from(const std::string& node, std::uint64_t incarnation, std::uint64_t session) {
  peer_hello x;
  x.node_id = node;
  x.data_id = "d";
  x.incarnation = incarnation;
  x.session = session;
  return x;
}

TEST_CASE("link table: of two dials at once, the one of the smaller id goes first on both sides") {
  const link_table::time_point now{};
  link_table small("a", 2s);
  link_table large("b", 2s);
  small.dial_begins("b");
  large.dial_begins("a");
  const auto at_small = small.judge(from("b", 1, 1), now);
  CHECK(at_small.refuse == peer_refusal::crossed);
  CHECK_FALSE(at_small.give_up_dial);
  const auto at_large = large.judge(from("a", 2, 2), now);
  CHECK(at_large.refuse == peer_refusal::none);
  CHECK(at_large.give_up_dial);
  // A dial that has ended counts no more.
  small.dial_ends("b");
  CHECK(small.judge(from("b", 1, 1), now).refuse == peer_refusal::none);
}

TEST_CASE(
    "link table: a hello of a process that is linked is refused at first, later it takes over") {
  const link_table::time_point now{};
  link_table table("a", 2s);
  table.linked("b", {.session = 5, .incarnation = 1, .data_id = "d", .since = now});
  CHECK(table.judge(from("b", 1, 6), now + 1s).refuse == peer_refusal::already_linked);
  CHECK(table.judge(from("b", 1, 6), now + 3s).refuse == peer_refusal::none);
  // Another process has surely lost the link of the first.
  CHECK(table.judge(from("b", 2, 6), now + 1s).refuse == peer_refusal::none);
  auto other = from("b", 2, 6);
  other.data_id = "e";
  CHECK(table.judge(other, now + 10s).refuse == peer_refusal::data_directory);
}

TEST_CASE("link table: losing an old session does not lose the link that came after it") {
  link_table table("a", 2s);
  table.linked("b", {.session = 5, .incarnation = 1, .data_id = "d", .since = {}});
  table.linked("b", {.session = 6, .incarnation = 2, .data_id = "d", .since = {}});
  CHECK_FALSE(table.lost("b", 5));
  CHECK(table.busy("b"));
  CHECK(table.lost("b", 6));
  CHECK_FALSE(table.busy("b"));
  CHECK_FALSE(table.lost("b", 6));
}

TEST_CASE("link table: a dial by address goes first only against a session of a larger id") {
  link_table table("b", 2s);
  CHECK(table.dial_goes_first("a"));
  table.session_begins("a", 1);
  CHECK_FALSE(table.dial_goes_first("a"));
  table.session_begins("c", 1);
  CHECK(table.dial_goes_first("c"));
  table.session_ends("a", 2);  // not that one
  CHECK_FALSE(table.dial_goes_first("a"));
  table.session_ends("a", 1);
  CHECK(table.dial_goes_first("a"));
  table.linked("c", {});
  CHECK_FALSE(table.dial_goes_first("c"));
}

}  // namespace
}  // namespace cairn::net
