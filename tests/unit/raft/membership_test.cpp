// Membership changes (paper section 6; dissertation chapter 4) and handing over the lead
// (dissertation 3.10).

#include "tests/unit/raft/group.hpp"

#include <algorithm>

namespace cairn::raft {
namespace {

using action = member_change::action;
using testing::booted;
using testing::cut_off;
using testing::nodes;
using testing::raft_group;
using testing::raft_node;

void change(raft_node& leader, std::uint64_t id, std::vector<member_change> changes) {
  leader.step(change_membership{proposal_id(id), std::move(changes), {}});
}

bool ends(const raft_node& node, notice_kind kind) {
  return !node.notices.empty() && node.notices.back().kind == kind;
}

}  // namespace

TEST_CASE("membership: a node learns, catches up, and votes (dissertation 4.2.1)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  group.add(4, boot_state{});
  change(leader, 1, {{action::add_learner, node_id(4)}});
  group.tick(4);
  CHECK(group[4].core.log().last() == leader.core.log().last());
  change(leader, 2, {{action::add_voter, node_id(4)}});
  CHECK(leader.core.members().joint());
  group.tick(4);
  CHECK_FALSE(leader.core.members().joint());
  CHECK(group[4].core.members().voters == nodes({1, 2, 3, 4}));
  REQUIRE(leader.answers.size() == 2);
  CHECK(leader.answers[1].outcome == proposal_outcome::ok);
}

TEST_CASE("membership: refused until the term has a commit (bug 27)") {
  raft_group group(3);
  const auto no_appends = [](const message& m) {
    return std::holds_alternative<append_request>(m.body);
  };
  raft_node& leader = group.elect(1, no_appends);
  change(leader, 1, {{action::remove, node_id(3)}});
  REQUIRE(leader.answers.size() == 1);
  CHECK(leader.answers[0].outcome == proposal_outcome::not_done);
  group.tick(4);
  change(leader, 2, {{action::remove, node_id(3)}});
  group.tick(4);
  CHECK(leader.core.members().voters == nodes({1, 2}));
}

TEST_CASE("membership: one change at a time (paper section 6)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  group.deliver();
  change(leader, 1, {{action::remove, node_id(3)}});
  change(leader, 2, {{action::remove, node_id(2)}});
  REQUIRE(leader.answers.size() == 1);
  CHECK(leader.answers[0].id == proposal_id(2));
  CHECK(leader.answers[0].outcome == proposal_outcome::not_done);
}

TEST_CASE("membership: a new voter must be a learner that has caught up (bug 30)") {
  raft_group group(3, [](core_config& c) { c.promote_lag_entries_max = 2; });
  raft_node& leader = group.elect(1);
  group.deliver();
  change(leader, 1, {{action::add_voter, node_id(4)}});
  REQUIRE(leader.answers.size() == 1);
  CHECK(leader.answers[0].outcome == proposal_outcome::not_done);
  change(leader, 2, {{action::add_learner, node_id(4)}});  // which never starts
  group.tick(4);
  for (std::uint64_t id = 10; id < 15; ++id)
    leader.propose(id);
  group.tick(4);
  change(leader, 3, {{action::add_voter, node_id(4)}});
  CHECK(leader.answers.back().id == proposal_id(3));
  CHECK(leader.answers.back().outcome == proposal_outcome::not_done);
  CHECK(leader.core.commit_index() == leader.core.log().last_index());
}

TEST_CASE("membership: a joint phase needs both majorities (paper section 6)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  for (const std::uint64_t n : {4, 5})
    group.add(n, boot_state{});
  group.deliver();
  change(leader, 1, {{action::add_learner, node_id(4)}, {action::add_learner, node_id(5)}});
  group.tick(4);
  const log_index before = leader.core.commit_index();
  change(leader, 2,
         {{action::add_voter, node_id(4)},
          {action::add_voter, node_id(5)},
          {action::remove, node_id(2)},
          {action::remove, node_id(3)}});
  group.tick(4, cut_off({4, 5}));  // all of the old half
  CHECK(leader.core.commit_index() == before);
  group.tick(6);
  CHECK(leader.core.members().voters == nodes({1, 4, 5}));
  CHECK(leader.core.commit_index() == leader.core.log().last_index());
}

TEST_CASE("membership: a leader that is removed does not count itself, and retires (bug 29)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  group.deliver();
  change(leader, 1, {{action::remove, node_id(1)}});
  group.deliver();
  CHECK(leader.core.as() == role::follower);
  CHECK(ends(leader, notice_kind::removed_from_group));
  REQUIRE(leader.answers.size() == 1);
  CHECK(leader.answers[0].outcome == proposal_outcome::ok);
  group.tick(60);
  CHECK((group[2].core.as() == role::leader || group[3].core.as() == role::leader));
  CHECK(leader.core.as() == role::follower);
}

TEST_CASE("membership: a removed node campaigns while its removal is not committed (4.2.2)") {
  raft_group group(2);
  raft_node& leader = group.elect(1);
  group.deliver();
  change(leader, 1, {{action::remove, node_id(1)}});
  const auto final_config = [](const message& m) {
    const auto* append = std::get_if<append_request>(&m.body);
    if (append == nullptr) return false;
    return std::any_of(append->entries.begin(), append->entries.end(), [](const entry& e) {
      return e.kind == entry_kind::config && !decode_configuration(e.payload)->joint();
    });
  };
  group.deliver(final_config);
  // Node 1 alone has the entry that removes it; node 2 needs the vote of node 1 and cannot get it.
  REQUIRE(leader.core.members().voters == nodes({2}));
  REQUIRE_FALSE(leader.core.members().joint());
  REQUIRE(group[2].core.members().joint());
  group.tick(60, cut_off({1}));
  CHECK(leader.core.as() != role::leader);
  CHECK(group[2].core.members().joint());
  group.tick(100);
  CHECK(group[2].core.as() == role::leader);
  CHECK(group[2].core.members().voters == nodes({2}));
  CHECK_FALSE(group[2].core.members().joint());
  CHECK(leader.core.as() == role::follower);
}

TEST_CASE("membership: a change that is cut off is taken back (bug 28)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  group.deliver();
  change(leader, 1, {{action::remove, node_id(3)}});
  CHECK(leader.core.members().joint());
  group.tick(60, cut_off({1}));
  CHECK(leader.answers[0].outcome == proposal_outcome::unknown);
  group.tick(20);
  CHECK_FALSE(leader.core.members().joint());
  CHECK(leader.core.members().voters == nodes({1, 2, 3}));
}

TEST_CASE("transfer: the target leads within a few messages (dissertation 3.10)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  group.deliver();
  leader.propose(1);
  leader.step(transfer_leadership{node_id(2)});
  group.deliver();
  CHECK(group[2].core.as() == role::leader);
  CHECK(ends(leader, notice_kind::transfer_done));
  CHECK(group[2].core.log().last_index() == log_index(3));
}

TEST_CASE("transfer: to a dead node is given up, and writes go on (bug 56)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  group.deliver();
  leader.step(transfer_leadership{node_id(2)});
  leader.propose(1);
  CHECK(leader.answers.back().outcome == proposal_outcome::not_done);
  group.tick(10, cut_off({2}));
  CHECK(ends(leader, notice_kind::transfer_aborted));
  leader.propose(2);
  group.deliver(cut_off({2}));
  CHECK(leader.answers.back().outcome == proposal_outcome::ok);
}

TEST_CASE("transfer: to a learner, a stranger or itself is refused (bug 56)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  group.deliver();
  change(leader, 1, {{action::add_learner, node_id(4)}});
  group.tick(2);
  for (const std::uint64_t target : {1, 4, 9}) {
    leader.notices.clear();
    leader.step(transfer_leadership{node_id(target)});
    CHECK(ends(leader, notice_kind::transfer_aborted));
    CHECK(leader.core.as() == role::leader);
  }
}

TEST_CASE("transfer: a target that is removed meanwhile ends it") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  group.deliver();
  change(leader, 1, {{action::remove, node_id(2)}});
  group.deliver(cut_off({2}));
  CHECK_FALSE(leader.core.members().is_voter(node_id(2)));
  leader.step(transfer_leadership{node_id(2)});
  CHECK(ends(leader, notice_kind::transfer_aborted));
}

}  // namespace cairn::raft
