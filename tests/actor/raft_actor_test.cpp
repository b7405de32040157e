#include "tests/actor/raft_trio.hpp"

namespace cairn::testing {

TEST_CASE("raft actor: three elect one, and what it takes is on all of them") {
  raft_trio trio(3);
  const auto leader = trio.elect();
  const auto client = trio.make_client();
  for (actors::request_id id = 1; id <= 5; ++id)
    trio.append(*client, leader, id);
  trio.run();
  REQUIRE(client->answers.size() == 5);
  CHECK(client->answers[5].code == errc::none);
  CHECK(client->answers[5].offset == record_offset(4));
  CHECK(client->replicas == 3);
  CHECK(client->durable_on >= 2);
  CHECK(trio[leader].gate->queued_appends() == 0);
  trio.pass(200);
  for (std::uint64_t n = 1; n <= 3; ++n) {
    CHECK(trio[n].log->end() == record_offset(5));
    CHECK(trio[n].log->published == log_index(trio[n].log->entries.size()));
    CHECK(trio[n].view->get().leader == trio[leader].name);
  }
}

TEST_CASE("raft actor: what is in the mailbox together becomes one entry") {
  raft_trio trio(1);
  const auto client = trio.make_client();
  const auto before = trio[1].log->entries.size();
  for (actors::request_id id = 1; id <= 50; ++id)
    trio.append(*client, 1, id);
  trio.run();
  CHECK(client->answers.size() == 50);
  CHECK(trio[1].log->entries.size() == before + 1);
}

TEST_CASE("raft actor: a follower's append goes to the leader and comes back with its offset") {
  raft_trio trio(3);
  const auto leader = trio.elect();
  const auto follower = trio.other_than(leader);
  const auto client = trio.make_client();
  trio.append(*client, leader, 1);
  trio.run();
  trio.append(*client, follower, 2);
  trio.append(*client, follower, 3, true, 0);
  trio.run();
  REQUIRE(client->answers.size() == 3);
  CHECK(client->answers[2].offset == record_offset(1));
  CHECK(client->answers[3].code == errc::expected_offset_missed);
  CHECK(client->replicas == 3);
  CHECK(trio[follower].gate->queued_appends() == 0);
  CHECK(trio[follower].log->published >= client->answers[2].index);
}

TEST_CASE("raft actor: the leader dies, another one goes on with all that was acknowledged") {
  raft_trio trio(3);
  const auto first = trio.elect();
  const auto client = trio.make_client();
  trio.append(*client, first, 1);
  trio.run();
  CHECK(client->answers[1].code == errc::none);
  trio.stop(first);
  const auto second = trio.elect(first);
  trio.append(*client, second, 2);
  trio.run();
  REQUIRE(client->answers.size() == 2);
  CHECK(client->answers[2].offset == record_offset(1));
  trio.start(first);
  trio.pass(500);
  CHECK(trio[first].log->end() == record_offset(2));
}

TEST_CASE("raft actor: a link that is lost on the way leaves the outcome unknown") {
  raft_trio trio(3);
  const auto leader = trio.elect();
  const auto follower = trio.other_than(leader);
  const auto client = trio.make_client();
  trio.network.hold(trio[leader].name, trio[follower].name);
  trio.append(*client, follower, 1);
  trio.run();
  CHECK(client->answers.empty());
  CHECK(trio[leader].log->end() == record_offset(1));  // stored, but nobody says so
  trio.network.cut(trio[leader].name, trio[follower].name);
  trio.run();
  REQUIRE(client->answers.size() == 1);
  CHECK(client->answers[1].code == errc::outcome_unknown);
  CHECK(trio[follower].gate->queued_appends() == 0);
}

TEST_CASE("raft actor: appends that no link takes wait, and are taken once there is one") {
  raft_trio trio(3);
  const auto leader = trio.elect();
  const auto follower = trio.other_than(leader);
  const auto client = trio.make_client();
  trio.network.no_room(trio[follower].name, trio[leader].name);
  trio.append(*client, follower, 1);
  trio.run();
  CHECK(client->answers.empty());
  trio.network.no_room(trio[follower].name, trio[leader].name, false);
  trio.pass(100);
  REQUIRE(client->answers.size() == 1);
  CHECK(client->answers[1].code == errc::none);
}

TEST_CASE("raft actor: without a leader an append is rejected, not kept for ever") {
  raft_trio trio(3);
  trio.stop(2);
  trio.stop(3);
  const auto client = trio.make_client();
  trio.append(*client, 1, 1);
  trio.pass(1'500);
  CHECK(client->answers.empty());
  trio.pass(1'000);
  REQUIRE(client->answers.size() == 1);
  CHECK(client->answers[1].code == errc::unavailable);
}

TEST_CASE("raft actor: a linearizable read waits for a quorum's word") {
  raft_trio trio(3);
  const auto leader = trio.elect();
  const auto follower = trio.other_than(leader);
  const auto client = trio.make_client();
  trio.append(*client, leader, 1);
  trio.run();
  const auto deadline_ns = trio.env.monotonic_ns() + 60'000'000'000;
  const auto passed = trio.ask<actors::barrier_passed>(follower, actors::read_barrier{deadline_ns});
  trio.run();
  REQUIRE(passed->has_value());
  CHECK((*passed)->code == errc::none);
  CHECK((*passed)->end == record_offset(1));
  trio.network.isolate(trio[leader].name);
  trio.run();
  const auto refused = trio.ask<actors::barrier_passed>(leader, actors::read_barrier{deadline_ns});
  trio.pass(200);
  CHECK_FALSE(refused->has_value());
  trio.pass(3'000);
  REQUIRE(refused->has_value());
  CHECK((*refused)->code == errc::unavailable);
}

TEST_CASE("raft actor: readers that wait are woken on every node") {
  raft_trio trio(3);
  const auto leader = trio.elect();
  const auto client = trio.make_client();
  std::vector<std::shared_ptr<raft_trio::client>> readers;
  for (std::uint64_t n = 1; n <= 3; ++n) {
    readers.push_back(trio.make_client());
    caf::anon_send(trio[n].raft, actors::await_commit{readers.back()->handle, record_offset(0)});
  }
  trio.run();
  trio.append(*client, leader, 1);
  trio.pass(100);
  for (const auto& reader : readers)
    CHECK(reader->advanced == 1);
}

TEST_CASE("raft actor: the lead is handed over, and who watches is told") {
  raft_trio trio(3);
  const auto leader = trio.elect();
  const auto target = trio.other_than(leader);
  const auto done =
      trio.ask<actors::raft_request_done>(leader, actors::transfer_lead{raft::node_id(target)});
  trio.pass(200);
  REQUIRE(done->has_value());
  CHECK((*done)->code == errc::none);
  CHECK(trio.leads(target));
  const auto report = trio.ask<actors::raft_report>(target, actors::ask_raft{});
  trio.run();
  REQUIRE(report->has_value());
  CHECK((*report)->peers.size() == 2);
  CHECK((*report)->peers[0].replicating);
  CHECK((*report)->members->voters.size() == 3);
  const auto refused = trio.ask<actors::raft_request_done>(leader, actors::change_members{});
  trio.run();
  REQUIRE(refused->has_value());
  CHECK((*refused)->code == errc::unavailable);
}

TEST_CASE("raft actor: after the leader's death the others say why there was an election") {
  raft_trio trio(3);
  const auto first = trio.elect();
  trio.pass(300);
  trio.stop(first);
  const auto second = trio.elect(first);
  trio.pass(300);
  for (std::uint64_t n = 1; n <= 3; ++n) {
    if (n == first) continue;
    const auto answer = trio.ask<actors::raft_report>(n, actors::ask_raft{});
    trio.run();
    REQUIRE(answer->has_value());
    const actors::raft_report& report = **answer;
    CHECK(report.node == trio[n].name);
    CHECK(report.leader == trio[second].name);
    REQUIRE_FALSE(report.elections.empty());
    const auto& last = report.elections.back();
    CHECK(last.cause == raft::election_cause::no_heartbeat);
    CHECK(last.previous == trio[first].name);
    CHECK(last.leader == trio[second].name);
    CHECK(last.silence_ms >= 400);
    CHECK(last.silence_ms < 5'000);
    REQUIRE(report.others.size() == 2);
    for (const auto& other : report.others) {
      const bool dead = other.node == raft::node_id(first);
      CHECK(other.linked == !dead);
      CHECK(other.last_contact_ms != actors::k_unknown);
      CHECK((other.last_contact_ms > 600) == dead);
      CHECK(other.role == "voter");
    }
    CHECK(report.refuses.empty());
    CHECK(report.applied == report.commit);
    CHECK(report.first == log_index(1));
    CHECK(report.heartbeat_ms == 100);
    CHECK(report.election_timeout_ms == 500);
    CHECK(report.peers.size() == (n == second ? 2 : 0));
    if (n == second) CHECK(report.voted_for == trio[n].name);
    bool told = false;
    for (const auto& event : trio[n].events->after(0, 1'000).events)
      told =
          told || event.text.find("nothing has come from " + trio[first].name) != std::string::npos;
    CHECK(told);
  }
}

TEST_CASE("raft actor: a node without a leader says that appends would not be taken") {
  raft_trio trio(3);
  trio.stop(2);
  trio.stop(3);
  trio.pass(3'000);
  const auto answer = trio.ask<actors::raft_report>(1, actors::ask_raft{});
  trio.run();
  REQUIRE(answer->has_value());
  CHECK((*answer)->refuses.find("no leader is known") == 0);
  CHECK((*answer)->leader.empty());
  REQUIRE_FALSE((*answer)->elections.empty());
  CHECK((*answer)->elections.back().cause == raft::election_cause::start);
  CHECK((*answer)->elections.back().attempts > 1);
}

TEST_CASE("raft actor: a failed write fences the log and answers everything") {
  raft_trio trio(1);
  const auto client = trio.make_client();
  trio[1].log->broken = true;
  trio.append(*client, 1, 1);
  trio.run();
  REQUIRE(client->answers.size() == 1);
  CHECK(client->answers[1].code == errc::outcome_unknown);
  CHECK(trio[1].gate->fenced());
  trio.append(*client, 1, 2);
  trio.run();
  CHECK(client->answers[2].code == errc::unavailable);
}

TEST_CASE("raft actor: closing finishes what is under way, then the log") {
  raft_trio trio(1);
  const auto client = trio.make_client();
  trio[1].log->hold = true;
  trio.append(*client, 1, 1);
  trio.run();
  const auto closed = trio.ask<actors::log_closed>(1, actors::close_log{});
  trio.run();
  CHECK_FALSE(closed->has_value());
  trio[1].log->hold = false;
  for (auto& [to, batch] : std::exchange(trio[1].log->held, {})) {
    trio[1].log->apply(*batch);
    caf::anon_send(to, actors::persisted{batch->ticket, errc::none, {}, 0});
  }
  trio.run();
  CHECK(client->answers[1].code == errc::none);
  CHECK(closed->has_value());
  CHECK(trio[1].log->sessions == trio[1].log->entries.back().index);
  const auto again = trio.ask<actors::log_closed>(1, actors::close_log{});
  trio.run();
  CHECK(again->has_value());
}

TEST_CASE("raft actor: envelopes of strangers, of other clusters and garbage change nothing") {
  raft_trio trio(3);
  const auto leader = trio.elect();
  const auto term = trio[leader].view->get().lead.term;
  actors::peer_envelope bad;
  bad.cluster_id = "another";
  bad.sender = "n2";
  bad.log = "default";
  caf::anon_send(trio[1].raft, bad);
  bad.cluster_id = "c";
  bad.head = shared_bytes::copy_of(as_byte_span("garbage"));
  caf::anon_send(trio[1].raft, bad);
  bad.kind = actors::peer_kind::append;
  bad.sender = "stranger";
  caf::anon_send(trio[1].raft, bad);
  bad.kind = actors::peer_kind::swim;
  caf::anon_send(trio[1].raft, bad);
  trio.pass(1'000);
  CHECK(trio.leads(leader));
  CHECK(trio[leader].view->get().lead.term == term);
}

}  // namespace cairn::testing
