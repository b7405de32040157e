// Who counts which stage of an append, and what is known of an entry's way.
#include "tests/actor/backend_world.hpp"
#include "tests/actor/raft_trio.hpp"

namespace cairn::testing {
namespace {

using actors::append_stage;

std::uint64_t count_of(const actors::append_times& times, append_stage stage) {
  return times.stages()[static_cast<std::size_t>(stage)].count();
}

}  // namespace

TEST_CASE("stage times: a node alone counts every stored append once in each of its stages") {
  backend_world world;
  std::array<append_answer, 20> done;
  for (auto& answer : done)
    world.append(answer, "r");
  append_answer refused;
  world.append(refused, "r", 1, record_offset(4711));
  world.port->flush();
  world.run();
  REQUIRE(done.back().ok());
  REQUIRE(refused.code() == errc::expected_offset_missed);
  const auto& times = *world.observer->times();
  for (const auto stage : {append_stage::queue, append_stage::write, append_stage::sync,
                           append_stage::commit, append_stage::answer, append_stage::total}) {
    CAPTURE(to_string(stage));
    CHECK(count_of(times, stage) == done.size());
  }
  CHECK(count_of(times, append_stage::replicate) == 0);
  CHECK(count_of(times, append_stage::forward) == 0);
  CHECK(times.peers().empty());
}

TEST_CASE("stage times: the leader of three counts replication, a follower what it sends on") {
  raft_trio trio(3);
  const auto leader = trio.elect();
  const auto follower = trio.other_than(leader);
  const auto client = trio.make_client();
  trio.append(*client, leader, 1);
  trio.run();
  trio.append(*client, follower, 2);
  trio.run();
  trio.pass(200);
  REQUIRE(client->answers.size() == 2);
  const auto& here = *trio[leader].observer->times();
  for (const auto stage : {append_stage::queue, append_stage::write, append_stage::sync,
                           append_stage::replicate, append_stage::commit, append_stage::answer}) {
    CAPTURE(to_string(stage));
    CHECK(count_of(here, stage) == 2);
  }
  CHECK(count_of(here, append_stage::forward) == 0);
  const auto& there = *trio[follower].observer->times();
  CHECK(count_of(there, append_stage::forward) == 1);
  CHECK(count_of(there, append_stage::commit) == 0);
  CHECK(here.peers().size() == 2);
  CHECK(here.peers().at(trio[follower].name).count() == 2);
}

TEST_CASE("stage times: the leader knows the way of its entry, and of no other") {
  raft_trio trio(3);
  const auto leader = trio.elect();
  const auto client = trio.make_client();
  trio.append(*client, leader, 1);
  trio.run();
  trio.pass(200);
  const auto& outcome = client->answers.at(1);
  const auto way =
      trio.ask<actors::entry_timeline>(leader, actors::ask_timeline{outcome.index, outcome.term});
  const auto unknown = trio.ask<actors::entry_timeline>(
      leader, actors::ask_timeline{outcome.index, term_id(outcome.term.value() + 1)});
  const auto elsewhere = trio.ask<actors::entry_timeline>(
      trio.other_than(leader), actors::ask_timeline{outcome.index, outcome.term});
  trio.run();
  REQUIRE(way->has_value());
  const actors::entry_timeline& timeline = **way;
  REQUIRE(timeline.code == errc::none);
  CHECK(timeline.way.entry.appends == 1);
  CHECK(timeline.way.entry.records == 1);
  CHECK(timeline.way.proposed_ns > 0);
  CHECK(timeline.way.committed_ns >= timeline.way.proposed_ns);
  CHECK(timeline.way.answered_ns >= timeline.way.committed_ns);
  CHECK(timeline.voters == 3);
  REQUIRE(timeline.peers.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK_FALSE(timeline.peers[i].empty());
    CHECK(timeline.way.peers[i].sent_ns >= timeline.way.proposed_ns);
    CHECK(timeline.way.peers[i].acked_ns >= timeline.way.peers[i].sent_ns);
  }
  CHECK((*unknown)->code == errc::not_found);
  CHECK((*elsewhere)->code == errc::not_found);
}

}  // namespace cairn::testing
