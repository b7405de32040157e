// explain(): each situation that an operator may be in, and what is said about it.
#include "tests/unit/console/situations.hpp"

using namespace cairn;
using namespace cairn::console;

TEST_CASE("explain: all is well: who leads, since when, in contact with whom") {
  const auto seen = three_nodes();
  CHECK(
      told(seen, "leader") ==
      "n2 leads default in term 3 since 2026-11-23 06:57:00 UTC (3 min ago), in contact with 3 of "
      "3 voters (itself counted).\n");
  check_told(seen, "replicas", "n1 and n3 keep up with n2");
  check_told(seen, "writes", "n1, n2 and n3 take appends (n1 and n3 pass them on to n2).");
  CHECK(told(seen, "nodes") == "");
  CHECK(!anything_bad(seen));
}

TEST_CASE("explain: a single node leads itself and has no copy") {
  auto seen = three_nodes();
  seen.nodes.erase(seen.nodes.begin());
  seen.nodes.pop_back();
  seen.nodes[0].raft.clear_peers();
  check_told(seen, "leader", "n2 leads default in term 3");
  check_told(seen, "leader", "1 of 1 voters");
  check_told(seen, "replicas", "n2 is alone: there is no other copy.");
  check_told(seen, "writes", "n2 takes appends.");
  CHECK(!anything_bad(seen));
}

TEST_CASE("explain: no leader, because two of three are down: which, since when, what to do") {
  auto seen = three_nodes();
  take_away(seen, "n2");
  take_away(seen, "n3", false);
  auto& alone = node(seen, "n1").raft;
  alone.clear_leader();
  alone.set_role("pre-candidate");
  check_told(seen, "leader",
             "default has no leader: an election needs 2 of its 3 voters, and only n1 answers.");
  check_told(
      seen, "leader",
      "n2 is missing: it stopped answering and was given up by n3 at 2026-11-23 06:57:10 UTC "
      "(2 min 50 s ago).");
  check_told(seen, "leader", "n3 is missing: it does not answer: n3 is not linked to n1.");
  check_told(seen, "leader", "Start one of n2 and n3: a leader is elected by itself.");
  check_told(seen, "writes", "No leader answers");
  CHECK(anything_bad(seen));
}

TEST_CASE("explain: no leader although all answer: who stands") {
  auto seen = three_nodes();
  for (auto& one : seen.nodes) {
    one.raft.set_role("follower");
    one.raft.clear_leader();
  }
  node(seen, "n3").raft.set_role("candidate");
  node(seen, "n3").raft.set_term(4);
  node(seen, "n3").raft.set_since_ms(k_now_ms - 300);
  check_told(seen, "leader", "default has no leader, although 3 of its 3 voters answer");
  check_told(seen, "leader",
             "n3 stands for election in term 4 since 2026-11-23 06:59:59 UTC "
             "(300 ms ago).");
}

TEST_CASE("explain: no leader and nobody stands yet: ask again") {
  auto seen = three_nodes();
  for (auto& one : seen.nodes) {
    one.raft.set_role("follower");
    one.raft.clear_leader();
  }
  check_told(seen, "leader", "one of them will stand within its election timeout");
}

TEST_CASE("explain: no leader, because voters that run have no link to each other") {
  auto seen = three_nodes();
  take_away(seen, "n2");
  for (const auto* name : {"n1", "n3"}) {
    auto& raft = node(seen, name).raft;
    raft.clear_leader();
    for (auto& peer : *raft.mutable_peers())
      peer.set_linked(false);
  }
  check_told(seen, "leader", "n1 and n3 both run, but have no link to each other");
  check_not_told(seen, "leader", "n3 and n1 both run");
}

TEST_CASE("explain: no leader, because a voter is fenced and another's disk is full") {
  auto seen = three_nodes();
  for (auto& one : seen.nodes) {
    one.raft.set_role("follower");
    one.raft.clear_leader();
  }
  node(seen, "n1").raft.set_fenced(true);
  node(seen, "n1").raft.set_fence_reason("sync failed: Input/output error");
  node(seen, "n3").raft.set_disk_full(true);
  node(seen, "n3").raft.set_disk_full_reason("no room for 4 KiB");
  check_told(seen, "leader", "n1 is fenced and takes no part: sync failed: Input/output error.");
  check_told(seen, "leader", "n3 cannot vote, since it cannot write its vote down");
}

TEST_CASE("explain: nodes that have joined no cluster have no log yet") {
  situation seen;
  seen.now_ms = k_now_ms;
  node_view alone;
  alone.node = "n1";
  alone.no_raft = error{errc::unavailable, "not a member of any cluster"};
  alone.facts.add_unready("waits to be let in by 127.0.0.1:7081");
  seen.nodes.push_back(alone);
  check_told(seen, "leader", "No node that answers takes part in default yet");
  check_told(seen, "writes",
             "n1 refuses appends: it is no member of a cluster yet: waits to be let in by "
             "127.0.0.1:7081.");
  check_told(seen, "nodes", "n1 is not ready: waits to be let in");
}

TEST_CASE("explain: the others follow a leader that the console does not reach") {
  auto seen = three_nodes();
  take_away(seen, "n2", false);
  check_told(
      seen, "leader",
      "n1 and n3 follow n2 in term 3, which does not answer the console (it does not answer: "
      "n2 is not linked to n1); n1 heard from it 40 ms ago.");
  check_not_told(seen, "leader", "about to come");
}

TEST_CASE("explain: followers of a leader that has gone silent will elect") {
  auto seen = three_nodes();
  take_away(seen, "n2", false);
  node(seen, "n1").raft.set_last_contact_ms(1'400);
  check_told(seen, "leader", "An election is about to come.");
}

TEST_CASE("explain: one that is cut off may believe that it leads: the higher term does") {
  auto seen = three_nodes();
  node(seen, "n1").raft.set_role("leader");
  node(seen, "n1").raft.set_term(2);
  check_told(seen, "leader", "n2 leads default in term 3");
  check_told(seen, "leader", "n1 still believes that it leads, in term 2: it is cut off");
}

TEST_CASE("explain: a leader of an old term does not lead when others follow a newer one") {
  auto seen = three_nodes();
  node(seen, "n2").raft.set_term(2);
  take_away(seen, "n1", false);
  auto& third = node(seen, "n3").raft;
  third.set_leader("n1");
  third.set_term(3);
  CHECK(leader_in(seen) == nullptr);
  check_told(seen, "leader", "n3 follows n1 in term 3, which does not answer the console");
}

TEST_CASE("explain: a follower that has not heard of the leader yet is named") {
  auto seen = three_nodes();
  node(seen, "n3").raft.clear_leader();
  node(seen, "n3").raft.set_term(2);
  check_told(seen, "leader",
             "n3 does not know that yet: it is a follower in term 2 and knows no "
             "leader.");
}

TEST_CASE("explain: a leader without a majority commits nothing") {
  auto seen = three_nodes();
  for (auto& peer : *node(seen, "n2").raft.mutable_peers()) {
    peer.set_active(false);
    peer.set_last_contact_ms(1'500);
  }
  check_told(seen, "leader", "in contact with 1 of 3 voters");
  check_told(seen, "leader", "That is no majority: n2 cannot commit anything");
  CHECK(anything_bad(seen));
}

TEST_CASE("explain: a replica is behind, because it is away") {
  auto seen = three_nodes();
  take_away(seen, "n1");
  auto& peer = peer_of_leader(seen, "n1");
  peer.set_match_index(40);
  peer.set_last_contact_ms(180'000);
  peer.set_active(false);
  check_told(
      seen, "replicas",
      "n1 is 60 entries behind and out of reach: it stopped answering and was given up by n3");
  check_told(seen, "replicas", "last contact 3 min ago. It catches up by itself once it is back.");
  check_told(seen, "replicas", "n3 keeps up with n2");
}

TEST_CASE(
    "explain: a replica that lacks one entry, and one that lacks none, are told as they are") {
  auto seen = three_nodes();
  take_away(seen, "n1");
  peer_of_leader(seen, "n1").set_last_contact_ms(180'000);
  peer_of_leader(seen, "n1").set_match_index(99);
  check_told(seen, "replicas", "n1 is 1 entry behind");
  peer_of_leader(seen, "n1").set_match_index(100);
  check_told(seen, "replicas", "n1 lacks nothing yet and out of reach");
}

TEST_CASE("explain: a replica that was given up is out of reach, however fresh its contact is") {
  auto seen = three_nodes();
  take_away(seen, "n1");
  auto& peer = peer_of_leader(seen, "n1");
  peer.set_state("probe");
  peer.set_match_index(40);
  peer.set_last_contact_ms(0);
  check_told(seen, "replicas", "n1 is 60 entries behind and out of reach");
  check_not_told(seen, "replicas", "finding out");
}

TEST_CASE("explain: a replica runs, and the leader hears nothing from it") {
  auto seen = three_nodes();
  auto& peer = peer_of_leader(seen, "n1");
  peer.set_last_contact_ms(5'000);
  peer.set_linked(false);
  check_told(
      seen, "replicas",
      "n1 lacks nothing yet: it runs, but n2 has heard nothing from it since 5.0 s ago and has "
      "no link to it. Look at the network between the two.");
}

TEST_CASE("explain: a replica catches up: how much is left") {
  auto seen = three_nodes();
  node(seen, "n2").raft.set_last_index(50'000);
  peer_of_leader(seen, "n3").set_match_index(50'000);
  peer_of_leader(seen, "n1").set_in_flight_bytes(1 << 20);
  node(seen, "n2").log = from_text<v1::LogState>("size_bytes: 104857600");
  node(seen, "n1").log = from_text<v1::LogState>("size_bytes: 41943040");
  check_told(seen, "replicas",
             "n1 is 49,900 entries behind and is catching up: 1.0 MiB in flight, 60.0 MiB left.");
}

TEST_CASE("explain: what is left is not guessed where the logs begin at different places") {
  auto seen = three_nodes();
  node(seen, "n2").raft.set_last_index(50'000);
  node(seen, "n2").log = from_text<v1::LogState>("size_bytes: 104857600 lowest_offset: 5");
  node(seen, "n1").log = from_text<v1::LogState>("size_bytes: 41943040");
  check_told(seen, "replicas", "is catching up");
  check_not_told(seen, "replicas", "left");
}

TEST_CASE("explain: some entries on their way under load are not behind") {
  auto seen = three_nodes();
  node(seen, "n2").raft.set_last_index(300);
  check_told(seen, "replicas", "n1 and n3 keep up with n2");
}

TEST_CASE("explain: a replica is behind, because its disk is full, or because it is fenced") {
  auto seen = three_nodes();
  node(seen, "n2").raft.set_last_index(5'000);
  peer_of_leader(seen, "n3").set_match_index(5'000);
  node(seen, "n1").raft.set_disk_full(true);
  node(seen, "n1").raft.set_disk_full_reason("12 KiB free, 4 MiB needed");
  check_told(
      seen, "replicas",
      "n1 is 4,900 entries behind: its disk is full (12 KiB free, 4 MiB needed). Make room; it "
      "goes on by itself.");
  check_told(seen, "writes", "n1 refuses appends: its disk is full: 12 KiB free, 4 MiB needed.");
  node(seen, "n1").raft.set_fenced(true);
  node(seen, "n1").raft.set_fence_reason("sync failed");
  check_told(seen, "replicas", "it is fenced (sync failed). Restart it once the cause is mended.");
  check_told(seen, "writes", "n1 refuses appends: it is fenced: sync failed.");
  check_told(seen, "writes", "n2 and n3 take appends");
}

TEST_CASE("explain: a replica gets a snapshot, or is probed") {
  auto seen = three_nodes();
  peer_of_leader(seen, "n1").set_state("snapshot");
  peer_of_leader(seen, "n3").set_state("probe");
  peer_of_leader(seen, "n3").set_match_index(1);
  check_told(seen, "replicas", "n2 sends it a snapshot");
  check_told(seen, "replicas",
             "n3 is 99 entries behind: n2 is finding out up to where their logs "
             "agree.");
}

TEST_CASE("explain: of a replica that a new leader has not heard of nobody says how far it is") {
  auto seen = three_nodes();
  take_away(seen, "n3");
  auto& peer = peer_of_leader(seen, "n3");
  peer.set_state("probe");
  peer.set_match_index(0);
  peer.set_active(true);  // as all are when a term begins
  peer.set_last_contact_ms(std::numeric_limits<std::uint64_t>::max());
  check_told(seen, "replicas", "n3 has not told n2 yet what it holds and is out of reach");
  check_not_told(seen, "replicas", "behind");
  check_told(seen, "leader", "in contact with 2 of 3 voters");
}

TEST_CASE("explain: a learner has no vote yet") {
  auto seen = three_nodes();
  peer_of_leader(seen, "n3").set_role("learner");
  check_told(seen, "replicas", "n3 is a learner: it has no vote until it has caught up");
  check_told(seen, "leader", "2 of 2 voters");
}

TEST_CASE("explain: without a leader each says what it holds") {
  auto seen = three_nodes();
  for (auto& one : seen.nodes) {
    one.raft.set_role("follower");
    one.raft.clear_leader();
  }
  take_away(seen, "n2");
  CHECK(told(seen, "replicas") ==
        "Only a leader knows who is behind. By their own account they hold: n1 entries up to 100 "
        "(committed 100), n3 entries up to 100 (committed 100).\n");
}

TEST_CASE("explain: the leader's queue is full") {
  auto seen = three_nodes();
  auto& raft = node(seen, "n2").raft;
  raft.set_queued_bytes(64 << 20);
  raft.set_queued_bytes_max(64 << 20);
  raft.set_waiting_appends(640);
  check_told(
      seen, "writes",
      "n2 refuses appends: its queue is full, 64.0 MiB of 64.0 MiB wait to be written: clients "
      "are told to come again later.");
  check_told(seen, "writes", "640 appends wait in the leader's queue");
}

TEST_CASE("explain: a node says itself why it refuses, or why it does not serve") {
  auto seen = three_nodes();
  node(seen, "n1").raft.set_refuses("the leader is being changed");
  node(seen, "n3").facts.add_unready("is shutting down");
  check_told(seen, "writes", "n1 refuses appends: the leader is being changed.");
  check_told(seen, "writes", "n3 refuses appends: is shutting down.");
  check_told(seen, "nodes", "n3 is not ready: is shutting down.");
}

TEST_CASE("explain: silent nodes, full disks and troubles of the last ten minutes are told") {
  auto seen = three_nodes();
  take_away(seen, "n3");
  auto& first = node(seen, "n1");
  first.facts.set_disk_bytes(100ULL << 30);
  first.facts.set_disk_free_bytes(1ULL << 30);
  first.events.push_back(from_text<v1::Event>(
      fmt::format(R"(time_ms: {} kind: "backpressure" severity: "warning" text: "queue full")",
                  k_now_ms - 60'000)));
  first.events.push_back(from_text<v1::Event>(fmt::format(
      R"(time_ms: {} kind: "fault" severity: "error" text: "old fault")", k_now_ms - 6'000'000)));
  check_told(seen, "nodes", "n3 does not answer: it stopped answering and was given up by n3");
  check_told(seen, "nodes", "n1 has only 1.0 GiB of its disk left.");
  check_told(seen, "nodes", "n1, 1 min ago: queue full");
  check_not_told(seen, "nodes", "old fault");
}

TEST_CASE("explain: answers that say nothing at all are no reason to fail") {
  situation nothing;
  CHECK(!explain(nothing).empty());
  situation empty_answers;
  empty_answers.nodes.resize(3);
  CHECK(!explain(empty_answers).empty());
}
