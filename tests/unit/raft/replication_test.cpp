// The leader's side of the log, proposals and sleep, one test per claim.

#include "tests/unit/raft/group.hpp"

namespace cairn::raft {
namespace {

using testing::booted;
using testing::config_of;
using testing::cut_off;
using testing::nodes;
using testing::raft_group;
using testing::raft_node;

configuration first(std::uint64_t count) {
  configuration c;
  for (std::uint64_t i = 1; i <= count; ++i)
    c.voters.emplace_back(i);
  return c;
}

// Node 1 of `count`, elected by 2 and 3 for the next term; its own disk waits.
std::unique_ptr<raft_node> elected(std::uint64_t count, const boot_state& boot,
                                   const core_config& config = config_of(1)) {
  auto node = std::make_unique<raft_node>(config, boot);
  node->time_out();
  const std::uint64_t term = boot.state.term.value() + 1;
  for (std::uint64_t i = 2; i <= count; ++i)
    node->receive(i, term, vote_response{true, true});
  node->write_done();
  for (std::uint64_t i = 2; i <= count / 2 + 1; ++i) {
    node->receive(i, term, vote_response{true, false});
  }
  REQUIRE(node->core.as() == role::leader);
  return node;
}

append_response accepted(std::uint64_t index) {
  return {true, log_index(index), {}};
}

}  // namespace

TEST_CASE("replication: an entry of an earlier term is not committed by counting (5.4.2; bug 1)") {
  // Figure 8: node 1 leads again, in term 4, with an entry of term 2 at index 2.
  auto leader = elected(5, booted(first(5), {1, 2}, 3));
  leader->write_all();
  leader->receive(2, 4, accepted(2));
  leader->receive(3, 4, accepted(2));
  CHECK(leader->core.commit_index() == log_index(0));
  leader->receive(2, 4, accepted(3));
  leader->receive(3, 4, accepted(3));
  CHECK(leader->core.commit_index() == log_index(3));
}

TEST_CASE("replication: the leader's own write counts when it is durable (bugs 7, 8)") {
  auto leader = elected(3, booted(first(3), {}, 1));
  REQUIRE(leader->writing.has_value());
  CHECK(leader->sent<append_request>().size() == 2);  // in parallel with the write
  CHECK(leader->core.commit_index() == log_index(0));
  leader->receive(2, 2, accepted(1));
  CHECK(leader->core.commit_index() == log_index(0));  // one follower, and nobody else yet
  leader->write_done();
  CHECK(leader->core.commit_index() == log_index(1));
}

TEST_CASE(
    "replication: a quorum of followers commits before the leader's disk (dissertation 10.2)") {
  auto leader = elected(3, booted(first(3), {}, 1));
  leader->receive(2, 2, accepted(1));
  leader->receive(3, 2, accepted(1));
  CHECK(leader->core.commit_index() == log_index(1));
  CHECK(leader->visible == log_index(0));
  leader->write_done();
  CHECK(leader->visible == log_index(1));
}

TEST_CASE("replication: match never goes back, whatever the order of replies (bug 9)") {
  auto leader = elected(3, booted(first(3), {}, 1));
  for (std::uint64_t id = 1; id <= 5; ++id)
    leader->propose(id);
  testing::sim_random shuffle(7);
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t index = shuffle.below(7);
    if (shuffle.coin()) {
      leader->receive(2, 2, accepted(index));
    } else {
      leader->receive(2, 2, append_response{false, log_index(index), {}});
    }
  }
  CHECK(leader->core.status().peers.at(node_id(2)).match == log_index(6));
}

TEST_CASE("replication: a follower with conflicting terms is caught up (paper 5.3, figure 7)") {
  raft_group group(3);
  group.add(1, booted(first(3), {1, 1, 1, 4, 4, 5, 5, 6, 6, 6}, 6));
  group.add(2, booted(first(3), {1, 1, 1, 4, 4, 5, 5, 6, 6}, 6));
  for (const auto& terms :
       std::vector<std::vector<std::uint64_t>>{{1, 1, 1, 4, 4, 5, 5, 6, 6},
                                               {1, 1, 1, 4},
                                               {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6},
                                               {1, 1, 1, 4, 4, 4, 4},
                                               {1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3}}) {
    group.add(1, booted(first(3), {1, 1, 1, 4, 4, 5, 5, 6, 6, 6}, 6));
    group.add(2, booted(first(3), {1, 1, 1, 4, 4, 5, 5, 6, 6}, 6));
    raft_node& follower = group.add(3, booted(first(3), terms, 6));
    raft_node& leader = group.elect(1, cut_off({3}));
    for (int i = 0; i < 20; ++i) {
      group.tick();
      // Storage answers what the core no longer holds.
      for (const load_request& want : std::exchange(leader.loads, {})) {
        entries_loaded loaded{want.peer, want.request, {}};
        for (log_index at = want.first; at < want.last; at = at.next()) {
          entry e;
          e.index = at;
          e.term = *leader.core.log().term_of(at);
          e.base_offset = record_offset(at.value() - 1);
          e.record_count = 1;
          loaded.entries.push_back(e);
        }
        leader.step(std::move(loaded));
      }
    }
    CHECK(follower.core.log().last() == leader.core.log().last());
    CHECK(follower.core.commit_index() == leader.core.commit_index());
  }
}

TEST_CASE("replication: appends follow each other up to the byte window (dissertation 10.2.1)") {
  core_config config = config_of(1);
  config.append_bytes_max = 1;
  config.peer_window_bytes = 3 * (k_entry_overhead_bytes + 8);
  auto leader = elected(3, booted(first(3), {}, 1), config);
  leader->receive(2, 2, accepted(1));
  leader->outbox.clear();
  for (std::uint64_t id = 1; id <= 9; ++id)
    leader->propose(id);
  CHECK(leader->sent<append_request>().size() == 3);
  leader->receive(2, 2, accepted(2));
  CHECK(leader->sent<append_request>().size() == 1);
}

TEST_CASE("replication: lost appends are found out by heartbeats (bug 12)") {
  raft_group group(3);
  raft_node& leader = group.elect(1);
  group.deliver();
  leader.propose(1);
  group.deliver(cut_off({2, 3}));
  group.tick(8);
  CHECK(leader.core.commit_index() == log_index(2));
  CHECK(group[3].core.commit_index() == log_index(2));
}

TEST_CASE("replication: a probe's entries do not go again with each answer to a heartbeat") {
  auto leader = elected(3, booted(first(3), {}, 1));
  leader->write_all();
  leader->receive(2, 2, accepted(1));
  leader->receive(3, 2, accepted(1));
  for (std::uint64_t id = 1; id <= 9; ++id)
    leader->propose(id);
  // Node 3 has lost what was sent to it, and says so.
  leader->receive(3, 2, append_response{false, log_index(5), {log_index(1), term_id(2)}});
  REQUIRE(leader->sent<append_request>().back().second.entries.size() > 1);
  // It is cut off for a while, and then answers all that it finds in its socket.
  std::vector<std::uint64_t> unanswered;
  while (unanswered.size() < 8) {
    leader->tick();
    for (const auto& [m, heartbeat] : leader->sent<heartbeat_request>()) {
      if (m.to == node_id(3)) unanswered.push_back(heartbeat.round);
      if (m.to == node_id(2)) leader->receive(2, 2, heartbeat_response{heartbeat.round});
    }
  }
  leader->outbox.clear();
  std::size_t asked = 0;
  for (const std::uint64_t round : unanswered) {
    leader->receive(3, 2, heartbeat_response{round});
    for (const auto& [to, probe] : leader->sent<append_request>()) {
      CHECK(probe.entries.empty());
      CHECK(probe.prev.index == log_index(1));
      ++asked;
    }
  }
  CHECK(asked == unanswered.size());
  // The answer to any of them is enough.
  leader->receive(3, 2, accepted(1));
  const auto rest = leader->sent<append_request>();
  REQUIRE_FALSE(rest.empty());
  CHECK_FALSE(rest.front().second.entries.empty());
}

TEST_CASE("replication: a follower behind the start of the log gets a snapshot (paper section 7)") {
  raft_group group(3);
  group.add(1, booted(first(3), {2, 2}, 2, 8, 1));
  group.add(2, booted(first(3), {2, 2}, 2, 8, 1));
  raft_node& leader = group.elect(1);
  group.tick(4);
  REQUIRE(leader.snapshots.size() == 1);
  CHECK(leader.snapshots[0].peer == node_id(3));
  snapshot content;
  content.last = {log_index(8), term_id(1)};
  content.next_offset = record_offset(8);
  content.config = first(3);
  leader.step(snapshot_available{node_id(3), leader.snapshots[0].request, content});
  group.deliver();
  // Entries 9 and 10 are no longer in the leader's memory.
  REQUIRE(leader.loads.size() == 1);
  CHECK(leader.loads[0].first == log_index(9));
  CHECK(leader.loads[0].last == log_index(11));
  CHECK(group[3].core.log().start().index == log_index(8));
  CHECK(group[3].core.log().start_offset() == record_offset(8));
}

TEST_CASE("replication: entries that storage cannot read are asked for again by the heartbeat") {
  raft_group group(3);
  group.add(1, booted(first(3), {2, 2}, 2, 8, 1));
  group.add(2, booted(first(3), {2, 2}, 2, 8, 1));
  group.add(3, booted(first(3), {}, 2, 8, 1));
  raft_node& leader = group.elect(1);
  REQUIRE(leader.loads.size() == 1);
  for (int failures = 0; failures < 3; ++failures) {
    const load_request want = leader.loads.back();
    leader.loads.clear();
    leader.step(entries_loaded{want.peer, want.request, {}});
    leader.step(persist_done{});
    CHECK(leader.loads.empty());  // else a bad sector keeps a core busy
    group.tick(static_cast<int>(config_of(1).heartbeat_ticks));
    REQUIRE(leader.loads.size() == 1);
    CHECK(leader.loads[0].request != want.request);
  }
}

TEST_CASE("replication: a snapshot without answer is asked for again (bug 39)") {
  raft_group group(3, [](core_config& c) { c.snapshot_retry_ticks = 5; });
  group.add(1, booted(first(3), {2}, 2, 8, 1), [](core_config& c) { c.snapshot_retry_ticks = 5; });
  group.add(2, booted(first(3), {2}, 2, 8, 1));
  raft_node& leader = group.elect(1);
  group.tick(12);
  REQUIRE(leader.snapshots.size() >= 2);
  CHECK(leader.snapshots[0].request != leader.snapshots[1].request);
}

TEST_CASE("proposal: the leader gives offsets without gaps, internal entries take none") {
  raft_group group(3);
  raft_node& leader = group.elect(1);  // its no-op is entry 1
  for (std::uint64_t id = 1; id <= 3; ++id) {
    propose in;
    in.id = proposal_id(id);
    in.record_count = 5;
    leader.step(std::move(in));
  }
  group.deliver();
  CHECK(leader.core.log().at(log_index(2)).base_offset == record_offset(0));
  CHECK(leader.core.log().at(log_index(4)).base_offset == record_offset(10));
  CHECK(leader.core.log().next_offset() == record_offset(15));
  CHECK(group[2].core.log().next_offset() == record_offset(15));
}

TEST_CASE("proposal: ends in exactly one answer (bug 55)") {
  raft_group group(3);
  group[2].propose(1);
  REQUIRE(group[2].answers.size() == 1);
  CHECK(group[2].answers[0].outcome == proposal_outcome::not_done);
  raft_node& leader = group.elect(1);
  leader.propose(2);
  group.deliver();
  REQUIRE(leader.answers.size() == 1);
  CHECK(leader.answers[0].outcome == proposal_outcome::ok);
  CHECK(leader.answers[0].position == log_position{log_index(2), term_id(2)});
  leader.propose(3);
  group.tick(30, cut_off({1}));
  REQUIRE(leader.answers.size() == 2);
  CHECK(leader.answers[1].outcome == proposal_outcome::unknown);
  group.tick(40);
  CHECK(leader.answers.size() == 2);
}

TEST_CASE("proposal: a failed write makes its outcome unknown, and ends the replica (bug 41)") {
  auto leader = elected(3, booted(first(3), {}, 1));
  leader->propose(1);
  leader->step(persist_failed{});
  REQUIRE(leader->answers.size() == 1);
  CHECK(leader->answers[0].outcome == proposal_outcome::unknown);
  leader->outbox.clear();
  leader->tick(100);
  leader->propose(2);
  CHECK(leader->outbox.empty());
  CHECK(leader->answers[1].outcome == proposal_outcome::not_done);
}

TEST_CASE("proposal: refused at the limits (bug 58)") {
  core_config config = config_of(1);
  config.entry_bytes_max = 100;
  config.uncommitted_bytes_max = 300;
  auto leader = elected(3, booted(first(3), {}, 1), config);
  leader->propose(1, 100);
  CHECK(leader->answers.empty());
  leader->propose(2, 101);
  REQUIRE(leader->answers.size() == 1);
  CHECK(leader->answers[0].reason == errc::too_large);
  leader->propose(3, 100);
  REQUIRE(leader->answers.size() == 2);
  CHECK(leader->answers[1].reason == errc::overloaded);
}

TEST_CASE("proposal: timestamps never go back") {
  auto leader = elected(3, booted(first(3), {}, 1));
  for (const unix_ms time : {500, 400}) {
    propose in;
    in.id = proposal_id(static_cast<std::uint64_t>(time));
    in.timestamp_ms = time;
    leader->step(std::move(in));
  }
  CHECK(leader->core.log().at(log_index(2)).timestamp_ms == 500);
  CHECK(leader->core.log().at(log_index(3)).timestamp_ms == 500);
}

TEST_CASE("proposal: nothing is stamped older than what a snapshot stands for") {
  raft_node node(config_of(1), booted(first(3), {}, 1));
  snapshot content;
  content.last = {log_index(8), term_id(2)};
  content.next_offset = record_offset(8);
  content.config = first(3);
  content.last_timestamp_ms = 700;
  node.receive(2, 2, snapshot_request{content});
  node.write_all();
  node.time_out();
  for (const std::uint64_t voter : {2, 3})
    node.receive(voter, 3, vote_response{true, true});
  node.write_all();
  node.receive(2, 3, vote_response{true, false});
  REQUIRE(node.core.as() == role::leader);
  propose in;
  in.timestamp_ms = 500;
  node.step(std::move(in));
  for (const std::uint64_t index : {9, 10})
    CHECK(node.core.log().at(log_index(index)).timestamp_ms == 700);
}

TEST_CASE("sleep: an idle group sends nothing, and wakes for a proposal") {
  raft_group group(3, [](core_config& c) { c.quiesce_after_ticks = 10; });
  raft_node& leader = group.elect(1);
  group.tick(30);
  for (std::uint64_t i = 1; i <= 3; ++i)
    CHECK(group[i].core.quiesced());
  std::size_t messages = 0;
  group.tick(500, [&messages](const message&) {
    ++messages;
    return false;
  });
  CHECK(messages == 0);
  leader.propose(1);
  group.deliver();
  CHECK(leader.answers.size() == 1);
  CHECK_FALSE(group[2].core.quiesced());
}

TEST_CASE("sleep: a group whose leader is doubted wakes and elects another one") {
  raft_group group(3, [](core_config& c) { c.quiesce_after_ticks = 10; });
  group.elect(1);
  group.tick(30);
  REQUIRE(group[2].core.quiesced());
  group[2].step(peer_reachable{node_id(1), false});
  group[3].step(peer_reachable{node_id(1), false});
  group.tick(60, cut_off({1}));
  CHECK((group[2].core.as() == role::leader || group[3].core.as() == role::leader));
}

TEST_CASE("sleep: a lost good night costs one question, and no election") {
  raft_group group(3, [](core_config& c) { c.quiesce_after_ticks = 10; });
  raft_node& leader = group.elect(1);
  group.tick(40, [](const message& m) {
    const auto* heartbeat = std::get_if<heartbeat_request>(&m.body);
    return heartbeat != nullptr && heartbeat->quiesce && m.to == node_id(3);
  });
  group.tick(60);
  CHECK(leader.core.as() == role::leader);
  CHECK(leader.core.term() == term_id(2));
  CHECK(group[3].core.quiesced());
}

}  // namespace cairn::raft
