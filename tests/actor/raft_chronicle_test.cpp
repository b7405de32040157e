// What a RaftActor remembers for people, and the events that it makes of it.
#include "actors/raft_chronicle.hpp"

#include "proto/cluster_context.hpp"
#include "tests/support/sim_env.hpp"

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::actors;
using raft::election_cause;
using raft::election_stage;
using raft::election_step;

namespace {

raft::configuration named(std::initializer_list<std::uint64_t> voters) {
  raft::configuration config;
  proto::cluster_context context;
  context.cluster_id = "c1";
  context.next_number = 10;
  for (const std::uint64_t number : voters) {
    config.voters.emplace_back(number);
    context.members.push_back({.number = number,
                               .node_id = "n" + std::to_string(number),
                               .data_id = "d",
                               .peer = "127.0.0.1:1",
                               .http = {},
                               .grpc = {},
                               .zone = {}});
  }
  config.context = proto::encode(context);
  return config;
}

/// The chronicle of n2, which knows n1, n2 and n3.
struct history_of_two {
  history_of_two() { REQUIRE(names.update(named({1, 2, 3}))); }

  void step(election_stage stage, std::uint64_t term, election_cause cause, std::uint64_t previous,
            std::uint64_t candidate = 2) {
    chronicle.elections(
        {{stage, term_id(term), cause, raft::node_id(previous), raft::node_id(candidate), 10}});
  }
  void lead(raft::role as, std::uint64_t term, std::uint64_t leader) {
    chronicle.lead({as, term_id(term), raft::node_id(leader)});
  }
  /// The newest event; the others are forgotten.
  node_event last() {
    const auto page = events->after(seen, 1000);
    seen = page.next;
    REQUIRE_FALSE(page.events.empty());
    return page.events.back();
  }
  std::size_t fresh() {
    const auto page = events->after(seen, 1000);
    seen = page.next;
    return page.events.size();
  }
  static std::string field(const node_event& event, const std::string& name) {
    for (const auto& [key, value] : event.fields)
      if (key == name) return value;
    return "(none)";
  }

  testing::sim_env env;
  node_events_ptr events = std::make_shared<node_events>(env, 1);
  raft_peers names;
  raft_chronicle chronicle{env, events, names, "default", raft::node_id(2), "n2"};
  std::uint64_t seen = 0;
};

}  // namespace

TEST_CASE("chronicle: an election because of silence tells for how long and what the link did") {
  history_of_two n2;
  n2.lead(raft::role::follower, 4, 1);
  n2.chronicle.link("n1", true, {});
  n2.chronicle.heard(raft::node_id(1));
  n2.env.advance_ms(22);
  n2.chronicle.link("n1", false, "the peer closed it");
  n2.env.advance_ms(790);
  n2.fresh();
  n2.step(election_stage::stands, 5, election_cause::no_heartbeat, 1);
  const auto event = n2.last();
  CHECK(event.kind == event_kind::election);
  CHECK(event.severity == event_severity::warning);
  CHECK(event.source == "raft default");
  CHECK(event.text ==
        "n2 stands for election in term 5: nothing has come from n1, which led, for 812 ms, and "
        "the link to it went down 790 ms ago (the peer closed it)");
  CHECK(n2.field(event, "cause") == "no-heartbeat");
  CHECK(n2.field(event, "silence_ms") == "812");
  CHECK(n2.field(event, "previous") == "n1");
  CHECK(n2.field(event, "term") == "5");
  CHECK(n2.field(event, "log") == "default");
  n2.step(election_stage::asks, 5, election_cause::no_heartbeat, 1);
  CHECK(n2.fresh() == 0);
  n2.lead(raft::role::leader, 5, 2);
  const auto won = n2.last();
  CHECK(won.kind == event_kind::leader);
  CHECK(won.text == "n2 leads in term 5, n1 led before");
  REQUIRE(n2.chronicle.elections().size() == 1);
  const auto& told = n2.chronicle.elections().front();
  CHECK(told.leader == "n2");
  CHECK(told.previous == "n1");
  CHECK(told.silence_ms == 812);
  CHECK(told.attempts == 1);
}

TEST_CASE("chronicle: a follower tells who asks for votes and why it let go of its leader") {
  history_of_two n2;
  n2.lead(raft::role::follower, 4, 1);
  n2.chronicle.heard(raft::node_id(1));
  n2.env.advance_ms(700);
  n2.step(election_stage::vacant, 5, election_cause::no_heartbeat, 1, 3);
  const auto event = n2.last();
  CHECK(event.text ==
        "n1 does not lead any more, n3 asks for votes in term 5: nothing has come "
        "from n1, which led, for 700 ms");
  CHECK(n2.field(event, "node") == "n3");
  n2.lead(raft::role::follower, 5, 3);
  CHECK(n2.last().text == "n3 leads in term 5, n1 led before");
  CHECK(n2.chronicle.elections().back().leader == "n3");
}

TEST_CASE("chronicle: the first leader that is heard of is no election") {
  history_of_two n2;
  n2.lead(raft::role::follower, 4, 1);
  CHECK(n2.last().text == "n1 leads in term 4");
  CHECK(n2.chronicle.elections().empty());
}

TEST_CASE("chronicle: a node that is cut off for an hour fills neither ring") {
  history_of_two n2;
  n2.lead(raft::role::follower, 4, 1);
  n2.fresh();
  for (int i = 0; i < 4'000; ++i) {
    n2.step(election_stage::stands, 5, election_cause::no_heartbeat, 1);
    n2.step(election_stage::lost, 5, election_cause::no_heartbeat, 1);
    n2.env.advance_ms(900);
  }
  CHECK(n2.fresh() < 30);
  REQUIRE(n2.chronicle.elections().size() == 1);
  CHECK(n2.chronicle.elections().front().attempts == 4'000);
}

TEST_CASE("chronicle: the last eight elections are kept, however many terms each took") {
  history_of_two n2;
  std::uint64_t term = 1;
  for (int i = 0; i < 20; ++i) {
    for (int attempt = 0; attempt < 3; ++attempt) {
      n2.step(election_stage::stands, ++term, election_cause::no_heartbeat, 1);
      n2.step(election_stage::asks, term, election_cause::no_heartbeat, 1);
    }
    n2.lead(raft::role::leader, term, 2);
    n2.lead(raft::role::follower, term, 0);
  }
  const auto& elections = n2.chronicle.elections();
  REQUIRE(elections.size() == raft_chronicle::k_elections_max);
  CHECK(elections.back().term == term_id(term));
  CHECK(elections.front().term == term_id(term - 21));
  CHECK(elections.back().attempts == 3);
}

TEST_CASE("chronicle: a handed over lead is nothing to worry about") {
  history_of_two n2;
  n2.lead(raft::role::follower, 4, 1);
  n2.step(election_stage::asks, 5, election_cause::transfer, 1);
  const auto event = n2.last();
  CHECK(event.severity == event_severity::info);
  CHECK(event.text == "n2 stands for election in term 5: n1 handed the lead over");
}

TEST_CASE("chronicle: a change of members is told by what it changes") {
  history_of_two n2;
  auto before = named({1, 2, 3});
  auto learner = before;
  learner.learners.emplace_back(4);
  auto both = named({1, 2, 3, 4});
  REQUIRE(n2.names.update(both));
  n2.chronicle.members(before, learner);
  CHECK(n2.last().text == "n4 joins as a learner");
  auto joint = both;
  joint.outgoing = before.voters;
  n2.chronicle.members(learner, joint);
  CHECK(n2.last().text ==
        "n4 is promoted to voter; the voters begin to change from n1, n2, n3 to "
        "n1, n2, n3, n4 (joint configuration)");
  n2.chronicle.members(joint, both);
  CHECK(n2.last().text == "the change is done, the voters are n1, n2, n3, n4");
  n2.chronicle.members(both, before);
  CHECK(n2.last().text == "n4 is removed");
  n2.chronicle.members(before, before);
  CHECK(n2.fresh() == 0);
}

TEST_CASE("chronicle: refusals that follow each other are one episode") {
  history_of_two n2;
  n2.chronicle.backpressure(0, 0, 64);
  CHECK(n2.fresh() == 0);
  for (std::uint64_t refused = 1; refused <= 1'000; ++refused) {
    n2.chronicle.backpressure(refused, 60, 64);
    n2.env.advance_ms(50);
  }
  const auto begun = n2.last();
  CHECK(begun.kind == event_kind::backpressure);
  CHECK(begun.text == "appends are refused as overloaded: the queue holds 60 of 64 bytes");
  for (int i = 0; i < 50; ++i) {
    n2.env.advance_ms(50);
    n2.chronicle.backpressure(1'000, 0, 64);
  }
  const auto page = n2.events->after(n2.seen, 10);
  REQUIRE(page.events.size() == 1);
  CHECK(page.events[0].text == "appends are taken again: 1000 were refused within 49950 ms");
}

TEST_CASE("chronicle: a report names peers, leader and vote, and says how long ago it heard") {
  history_of_two n2;
  n2.lead(raft::role::follower, 4, 1);
  n2.chronicle.heard(raft::node_id(1));
  n2.chronicle.link("n3", true, {});
  n2.env.advance_ms(30);
  raft_report report;
  report.members = std::make_shared<const raft::configuration>(named({1, 2, 3}));
  report.lead = {raft::role::follower, term_id(4), raft::node_id(1)};
  n2.chronicle.fill(report, raft::node_id(3));
  CHECK(report.node == "n2");
  CHECK(report.leader == "n1");
  CHECK(report.voted_for == "n3");
  CHECK(report.last_contact_ms == 30);
  REQUIRE(report.others.size() == 2);
  CHECK(report.others[0].name == "n1");
  CHECK(report.others[0].last_contact_ms == 30);
  CHECK_FALSE(report.others[0].linked);
  CHECK(report.others[1].last_contact_ms == k_unknown);
  CHECK(report.others[1].linked);
  CHECK(report.leader_since_ms == n2.env.now_ms() - 30);
}
