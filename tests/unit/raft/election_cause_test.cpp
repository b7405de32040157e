// Why there is an election, as each node sees it (ready::elections). For people only: nothing
// follows from it.

#include "tests/unit/raft/group.hpp"

namespace cairn::raft {
namespace {

using testing::booted;
using testing::config_of;
using testing::cut_off;
using testing::nodes;
using testing::raft_group;
using testing::raft_node;

const election_step* first_of(const raft_node& node, election_stage stage) {
  for (const election_step& step : node.elections)
    if (step.stage == stage) return &step;
  return nullptr;
}

}  // namespace

TEST_CASE("election cause: a node that has just started has heard of no leader") {
  raft_group group(3);
  group.elect(1);
  const auto* step = first_of(group[1], election_stage::stands);
  REQUIRE(step != nullptr);
  CHECK(step->cause == election_cause::start);
  CHECK(step->term == term_id(2));
  CHECK(step->candidate == node_id(1));
  CHECK(step->previous == k_nobody);
  const auto* seen = first_of(group[2], election_stage::vacant);
  REQUIRE(seen != nullptr);
  CHECK(seen->cause == election_cause::start);
  CHECK(seen->candidate == node_id(1));
}

TEST_CASE("election cause: the leader was silent, and all who are left see that") {
  raft_group group(3);
  group.elect(1);
  group.tick(3);
  for (std::uint64_t i = 1; i <= 3; ++i)
    group[i].elections.clear();
  group.tick(60, cut_off({1}));
  const std::uint64_t winner = group[2].core.as() == role::leader ? 2 : 3;
  const std::uint64_t voter = 5 - winner;
  REQUIRE(group[winner].core.as() == role::leader);
  const auto* stood = first_of(group[winner], election_stage::stands);
  REQUIRE(stood != nullptr);
  CHECK(stood->cause == election_cause::no_heartbeat);
  CHECK(stood->previous == node_id(1));
  CHECK(stood->silent_ticks >= 10);
  REQUIRE(first_of(group[winner], election_stage::asks) != nullptr);
  REQUIRE_FALSE(group[voter].elections.empty());
  CHECK(group[voter].elections.front().cause == election_cause::no_heartbeat);
  CHECK(group[voter].elections.front().previous == node_id(1));
  SUBCASE("and the one that was cut off lost its quorum") {
    REQUIRE_FALSE(group[1].elections.empty());
    const election_step& step = group[1].elections.front();
    CHECK(step.stage == election_stage::vacant);
    CHECK(step.cause == election_cause::lost_quorum);
    CHECK(step.previous == node_id(1));
    const auto* again = first_of(group[1], election_stage::stands);
    REQUIRE(again != nullptr);
    CHECK(again->cause == election_cause::lost_quorum);
  }
}

TEST_CASE("election cause: the lead was handed over") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  group.tick(3);
  for (std::uint64_t i = 1; i <= 3; ++i)
    group[i].elections.clear();
  leader.step(transfer_leadership{node_id(2)});
  group.deliver();
  REQUIRE(group[2].core.as() == role::leader);
  const auto* stood = first_of(group[2], election_stage::asks);
  REQUIRE(stood != nullptr);
  CHECK(stood->cause == election_cause::transfer);
  CHECK(stood->previous == node_id(1));
  for (const std::uint64_t i : {1, 3}) {
    REQUIRE_FALSE(group[i].elections.empty());
    CHECK(group[i].elections.front().cause == election_cause::transfer);
    CHECK(group[i].elections.front().previous == node_id(1));
  }
}

TEST_CASE("election cause: a hung disk makes a leader step down") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  leader.elections.clear();
  leader.instant_disk = false;
  leader.propose(1);
  group.deliver();
  group.tick(45);
  REQUIRE_FALSE(leader.elections.empty());
  CHECK(leader.elections.front().cause == election_cause::disk_stalled);
}

TEST_CASE("election cause: a leader meets a later term") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  leader.elections.clear();
  leader.receive(2, 8, append_response{});
  REQUIRE(leader.elections.size() == 1);
  CHECK(leader.elections[0].cause == election_cause::higher_term);
  CHECK(leader.elections[0].term == term_id(8));
  CHECK(leader.elections[0].previous == node_id(1));
}

TEST_CASE("election cause: the leader is no voter any more") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  group.tick(3);
  leader.step(change_membership{proposal_id(1), {{member_change::action::remove, node_id(1)}}, {}});
  group.deliver();
  group[2].elections.clear();
  group[3].elections.clear();
  REQUIRE(leader.core.as() == role::follower);
  CHECK(leader.elections.back().cause == election_cause::leader_removed);
  group.tick(60, cut_off({1}));
  const std::uint64_t winner = group[2].core.as() == role::leader ? 2 : 3;
  REQUIRE_FALSE(group[winner].elections.empty());
  CHECK(group[winner].elections.front().cause == election_cause::leader_removed);
  CHECK(group[winner].elections.front().previous == node_id(1));
}

TEST_CASE("election cause: there is nobody else to ask") {
  raft_group group(1);
  group.elect(1);
  const auto* step = first_of(group[1], election_stage::stands);
  REQUIRE(step != nullptr);
  CHECK(step->cause == election_cause::only_voter);
}

TEST_CASE("election cause: what is asked in vain is told as lost, with the same cause") {
  raft_group group(3);
  raft_node& node = group[1];
  node.time_out();
  node.outbox.clear();
  node.receive(2, 1, vote_response{false, true});
  node.receive(3, 1, vote_response{false, true});
  REQUIRE(node.elections.size() == 2);
  CHECK(node.elections[1].stage == election_stage::lost);
  CHECK(node.elections[1].cause == election_cause::start);
  CHECK(node.elections[1].term == term_id(2));
}

}  // namespace cairn::raft
