// Linearizable reads: dissertation 6.4.

#include "tests/unit/raft/group.hpp"

namespace cairn::raft {
namespace {

using testing::cut_off;
using testing::raft_group;
using testing::raft_node;

}  // namespace

TEST_CASE("read: answered after a round of heartbeats to a quorum (dissertation 6.4)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  leader.step(read_index{read_id(1)});
  CHECK(leader.reads.empty());
  group.deliver();
  REQUIRE(leader.reads.size() == 1);
  CHECK(leader.reads[0].ok);
  CHECK(leader.reads[0].index == leader.core.commit_index());
}

TEST_CASE("read: waits for the first commit of the term (bug 22)") {
  raft_group group(3);
  const auto no_appends = [](const message& m) {
    return std::holds_alternative<append_request>(m.body);
  };
  raft_node& leader = group.elect(1, no_appends);
  leader.step(read_index{read_id(1)});
  group.tick(4, no_appends);
  CHECK(leader.reads.empty());
  group.tick(4);
  REQUIRE(leader.reads.size() == 1);
  CHECK(leader.reads[0].index == log_index(1));
}

TEST_CASE("read: a late answer to an earlier round confirms nothing (bug 23)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  group.deliver();
  leader.tick(2);
  const auto earlier = leader.sent<heartbeat_request>();
  REQUIRE_FALSE(earlier.empty());
  leader.step(read_index{read_id(1)});
  leader.receive(2, 2, heartbeat_response{earlier.front().second.round});
  leader.receive(2, 2, heartbeat_response{earlier.front().second.round});
  CHECK(leader.reads.empty());
  const auto round = leader.sent<heartbeat_request>().front().second.round;
  CHECK(round > earlier.front().second.round);
  leader.receive(2, 2, heartbeat_response{round});
  CHECK(leader.reads.size() == 1);
}

TEST_CASE("read: a leader that is cut off never answers ok (bug 21, in the core)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  leader.step(read_index{read_id(1)});
  group.tick(30, cut_off({1}));
  REQUIRE(leader.reads.size() == 1);
  CHECK_FALSE(leader.reads[0].ok);
}

TEST_CASE("read: a follower asks the leader (dissertation 6.4)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  group.deliver();
  leader.propose(1);
  group.deliver();
  group[2].step(read_index{read_id(5)});
  group.deliver();
  REQUIRE(group[2].reads.size() == 1);
  CHECK(group[2].reads[0].ok);
  CHECK(group[2].reads[0].index == log_index(2));
}

TEST_CASE("read: an answer for another incarnation of this node is dropped (bug 23)") {
  raft_group group(3);
  group.elect(1);
  group[2].step(read_index{read_id(5)});
  group[2].outbox.clear();
  group[2].receive(1, 2, read_index_response{12345, read_id(5), true, log_index(1)});
  CHECK(group[2].reads.empty());
  group[2].tick(10);
  REQUIRE(group[2].reads.size() == 1);
  CHECK_FALSE(group[2].reads[0].ok);
}

TEST_CASE("read: refused without a leader, and beyond the limit") {
  raft_group group(3, [](core_config& c) { c.pending_reads_max = 2; });
  group[2].step(read_index{read_id(1)});
  REQUIRE(group[2].reads.size() == 1);
  CHECK_FALSE(group[2].reads[0].ok);
  raft_node& leader = group.elect(1);
  for (std::uint64_t i = 1; i <= 3; ++i)
    leader.step(read_index{read_id(i)});
  REQUIRE(leader.reads.size() == 1);
  CHECK(leader.reads[0].id == read_id(3));
  group.deliver();
  CHECK(leader.reads.size() == 3);
}

}  // namespace cairn::raft
