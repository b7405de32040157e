// Elections, one test per claim. "Bug" numbers are those of docs/protocol/raft.md.

#include "tests/unit/raft/group.hpp"

#include <set>

namespace cairn::raft {
namespace {

using testing::booted;
using testing::config_of;
using testing::cut_off;
using testing::nodes;
using testing::raft_group;
using testing::raft_node;

configuration three() {
  configuration c;
  c.voters = nodes({1, 2, 3});
  return c;
}

vote_request asking(std::uint64_t index, std::uint64_t term, bool pre = false) {
  return {{log_index(index), term_id(term)}, pre, false};
}

}  // namespace

TEST_CASE("election: servers start as followers (paper 5.2)") {
  raft_node node(config_of(1), booted(three(), {}, 1));
  CHECK(node.core.as() == role::follower);
  CHECK(node.outbox.empty());
}

TEST_CASE("election: a follower that hears of no leader asks for pre-votes (paper 5.2)") {
  raft_node node(config_of(1), booted(three(), {}, 1));
  node.tick(9);
  CHECK(node.core.as() == role::follower);
  node.time_out();
  CHECK(node.core.as() == role::pre_candidate);
  CHECK(node.core.term() == term_id(1));
  const auto requests = node.sent<vote_request>();
  CHECK(requests.size() == 2);
  for (const auto& [m, body] : requests) {
    CHECK(body.pre);
    CHECK(m.term == term_id(2));
  }
}

TEST_CASE("election: timeouts differ between servers and stay in their range (paper 5.2)") {
  std::set<int> seen;
  for (std::uint64_t self = 1; self <= 40; ++self) {
    configuration c = three();
    c.voters = nodes({self, 100});
    raft_node node(config_of(self), booted(c, {}, 1));
    int ticks = 0;
    for (; node.core.as() == role::follower; ++ticks)
      node.tick();
    CHECK(ticks >= 10);
    CHECK(ticks < 20);
    seen.insert(ticks);
  }
  CHECK(seen.size() >= 5);
}

TEST_CASE("election: a majority elects, and the leader says so at once (paper 5.2)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  CHECK(leader.core.term() == term_id(2));
  CHECK(group[2].core.leader() == node_id(1));
  CHECK(group[3].core.leader() == node_id(1));
}

TEST_CASE("election: a leader appends a no-op of its term (paper section 8)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  CHECK(leader.core.log().last() == log_position{log_index(1), term_id(2)});
  CHECK(leader.core.commit_index() == log_index(1));
  CHECK(leader.core.log().at(log_index(1)).kind == entry_kind::no_op);
}

TEST_CASE("election: one vote per term, first come first served (paper 5.2)") {
  raft_node node(config_of(1), booted(three(), {}, 1));
  node.instant_disk = true;
  node.receive(2, 2, asking(0, 0));
  node.receive(3, 2, asking(0, 0));
  node.receive(2, 2, asking(0, 0));  // repeated
  const auto answers = node.sent<vote_response>();
  REQUIRE(answers.size() == 3);
  CHECK(answers[0].second.granted);
  CHECK_FALSE(answers[1].second.granted);
  CHECK(answers[2].second.granted);
}

TEST_CASE("election: a log that is behind gets no vote (paper 5.4.1)") {
  for (const bool pre : {false, true}) {
    raft_node node(config_of(1), booted(three(), {1, 2, 2}, 2));
    node.instant_disk = true;
    const auto granted = [&](std::uint64_t index, std::uint64_t term, std::uint64_t in_term) {
      node.receive(2, in_term, asking(index, term, pre));
      return node.sent_one<vote_response>().granted;
    };
    CHECK_FALSE(granted(9, 1, 3));  // longer, but of an older term
    CHECK_FALSE(granted(2, 2, 4));
    CHECK(granted(3, 2, 5));
    CHECK(granted(1, 3, 6));
  }
}

TEST_CASE("election: a vote leaves only when it is durable (paper figure 2; bugs 13, 14)") {
  raft_node node(config_of(1), booted(three(), {}, 1));
  node.receive(2, 2, asking(0, 0));
  CHECK(node.outbox.empty());
  const persist_batch batch = node.write_done();
  CHECK(batch.state == hard_state{term_id(2), node_id(2)});
  CHECK(node.sent_one<vote_response>().granted);
}

TEST_CASE("election: a candidate asks only when its own vote is durable (bug 15)") {
  raft_node node(config_of(1), booted(three(), {}, 1));
  node.time_out();
  node.sent<vote_request>();
  node.receive(2, 2, vote_response{true, true});
  CHECK(node.core.as() == role::candidate);
  CHECK(node.sent<vote_request>().empty());
  CHECK(node.write_done().state == hard_state{term_id(2), node_id(1)});
  CHECK(node.sent<vote_request>().size() == 2);
}

TEST_CASE("election: the only voter leads only when its vote is durable (bug 7)") {
  configuration alone;
  alone.voters = nodes({1});
  raft_node node(config_of(1), booted(alone, {}, 1));
  node.tick(25);
  CHECK(node.core.as() == role::candidate);
  node.write_done();
  CHECK(node.core.as() == role::leader);
  CHECK(node.core.commit_index() == log_index(0));
  node.write_done();
  CHECK(node.core.commit_index() == log_index(1));
}

TEST_CASE("election: a pre-vote changes nothing (dissertation 9.6; bug 16)") {
  raft_node node(config_of(1), booted(three(), {}, 1));
  node.receive(2, 7, asking(5, 1, true));
  CHECK(node.core.term() == term_id(1));
  CHECK_FALSE(node.writing.has_value());
  CHECK(node.sent_one<vote_response>().granted);
  node.receive(3, 7, asking(5, 1, true));  // nor is it a promise
  CHECK(node.sent_one<vote_response>().granted);
}

TEST_CASE("election: a pre-vote's answer is no vote (bug 16)") {
  raft_node node(config_of(1), booted(three(), {}, 1));
  node.time_out();
  node.receive(2, 2, vote_response{true, true});
  node.write_done();
  REQUIRE(node.core.as() == role::candidate);
  node.receive(3, 2, vote_response{true, true});
  CHECK(node.core.as() == role::candidate);
  node.receive(3, 2, vote_response{true, false});
  CHECK(node.core.as() == role::leader);
}

TEST_CASE("election: a voter with a later term does not block pre-votes for ever (bug 17)") {
  for (const std::uint64_t count : {4, 5}) {
    raft_group group(count);
    configuration c;
    for (std::uint64_t i = 1; i <= count; ++i)
      c.voters.emplace_back(i);
    // Node 1 has the longest log, node 2 the highest term; the last node is down.
    group.add(1, booted(c, {1, 1}, 1));
    group.add(2, booted(c, {1}, 9));
    group.tick(100, cut_off({count}));
    int leaders = 0;
    for (std::uint64_t i = 1; i < count; ++i)
      leaders += group[i].core.as() == role::leader ? 1 : 0;
    CHECK(leaders == 1);
    CHECK(group[1].core.term() > term_id(9));
  }
}

TEST_CASE("election: a node that is cut off does not raise its term (bug 18)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  group.tick(100, cut_off({3}));
  CHECK(group[3].core.term() == term_id(2));
  group.tick(20);
  CHECK(leader.core.as() == role::leader);
  CHECK(leader.core.term() == term_id(2));
}

TEST_CASE("election: who hears the leader helps nobody to depose it (dissertation 4.2.3; bug 18)") {
  raft_group group(3);
  group.elect(1);
  group[2].receive(3, 9, asking(9, 2));
  CHECK(group[2].outbox.empty());
  CHECK(group[2].core.term() == term_id(2));
}

TEST_CASE("election: a leader that no quorum hears steps down (dissertation 6.2)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  group.tick(25, cut_off({1}));
  CHECK(leader.core.as() != role::leader);
  REQUIRE_FALSE(leader.notices.empty());
  CHECK(leader.notices.front().kind == notice_kind::quorum_lost);
}

TEST_CASE("election: a chain of five keeps one leader (bug 19)") {
  raft_group group(5);
  const auto chain = [](const message& m) {
    const std::uint64_t a = m.from.value();
    const std::uint64_t b = m.to.value();
    return (a > b ? a - b : b - a) > 1;
  };
  // Only the three in the middle hear two others.
  group.tick(200, chain);
  std::uint64_t leader = 0;
  for (std::uint64_t i = 1; i <= 5; ++i) {
    if (group[i].core.as() == role::leader) leader = i;
  }
  REQUIRE(leader != 0);
  const term_id term = group[leader].core.term();
  group.tick(300, chain);
  CHECK(group[leader].core.as() == role::leader);
  CHECK(group[leader].core.term() == term);
}

TEST_CASE("election: a learner never campaigns (bug 20)") {
  configuration c;
  c.voters = nodes({1, 2});
  c.learners = nodes({3});
  raft_node node(config_of(3), booted(c, {}, 1));
  node.tick(100);
  CHECK(node.core.as() == role::follower);
  CHECK(node.outbox.empty());
}

TEST_CASE("election: a node that takes itself for a learner votes all the same (bug 20)") {
  configuration c;
  c.voters = nodes({1, 2});
  c.learners = nodes({3});
  raft_node node(config_of(3), booted(c, {}, 1));
  node.instant_disk = true;
  node.receive(1, 2, asking(4, 1));  // whose log knows of the promotion
  CHECK(node.sent_one<vote_response>().granted);
}

TEST_CASE("election: a later term turns a leader into a follower (paper 5.1)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  leader.receive(2, 8, append_response{});
  CHECK(leader.core.as() == role::follower);
  CHECK(leader.core.term() == term_id(8));
}

TEST_CASE("election: an old leader learns of the new term (paper 5.1)") {
  raft_node node(config_of(1), booted(three(), {}, 5));
  node.receive(2, 3, heartbeat_request{});
  const auto answers = node.sent<append_response>();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].first.term == term_id(5));
  CHECK(node.core.leader() == k_nobody);
}

TEST_CASE("election: a leader whose disk hangs steps down and does not campaign (bug 51)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  leader.instant_disk = false;
  leader.propose(1);
  group.deliver();
  REQUIRE(leader.writing.has_value());
  group.tick(45);
  CHECK(leader.core.as() == role::follower);
  CHECK(leader.notices.front().kind == notice_kind::disk_stalled);
  group.tick(60);
  CHECK((group[2].core.as() == role::leader || group[3].core.as() == role::leader));
}

TEST_CASE("election: a malformed message changes nothing") {
  raft_node node(config_of(1), booted(three(), {}, 1));
  node.receive(2, k_term_limit.value(), heartbeat_request{});
  node.receive(1, 3, heartbeat_request{});
  node.receive(2, 3, vote_request{{log_index(4), term_id(9)}, false, false});
  CHECK(node.core.term() == term_id(1));
  CHECK(node.notices.size() == 3);
}

}  // namespace cairn::raft
