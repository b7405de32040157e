#include "tests/unit/recorder/recorded_trio.hpp"

namespace cairn::testing {
namespace {

std::string named(raft::node_id node) {
  return fmt::format("n{}", node.value());
}

// All that is said about elections, a line each.
std::string election_story(const actors::flight_recorder& recorder) {
  const auto dump = dump_of(recorder);
  actors::replay run(dump);
  std::string story;
  while (run.next() != nullptr) {
    const actors::replay_step step = run.step();
    for (const auto& change : actors::explain(step, dump.head.identity.core, named)) {
      if (change.topic == actors::change_topic::election) story += change.text + "\n";
    }
  }
  return story;
}

bool tells(const std::string& story, std::string_view what) {
  const bool found = story.find(what) != std::string::npos;
  if (!found) MESSAGE(fmt::format("'{}' is not in:\n{}", what, story));
  return found;
}

}  // namespace

TEST_CASE("explain: why a leader was replaced is told by the one who replaced it") {
  recorded_trio trio;
  const std::uint64_t first = trio.elect();
  trio.tick_all(10);
  trio.down.insert(first);
  const std::uint64_t second = trio.elect();
  REQUIRE(second != first);
  const std::uint64_t third = 6 - first - second;
  const std::string story = election_story(trio.recorder(second));
  CHECK(tells(story, fmt::format("ticks without a word from n{}, who led term {}", first,
                                 trio.core(first).term().value())));
  CHECK(tells(story, "becomes a pre-candidate"));
  const auto [low, high] = std::minmax(second, third);
  CHECK(tells(story, fmt::format("becomes the leader of term {}: n{} and n{} voted for it (2 of 3 "
                                 "voters, 2 needed)",
                                 trio.core(second).term().value(), low, high)));
  const std::string voter = election_story(trio.recorder(third));
  CHECK(tells(voter,
              fmt::format("votes for n{} in term {}", second, trio.core(second).term().value())));
  CHECK(tells(voter,
              fmt::format("follows n{} in term {}", second, trio.core(second).term().value())));
}

TEST_CASE("explain: a message is named with the article that goes with it") {
  recorded_trio trio;
  const std::uint64_t first = trio.elect();
  const std::uint64_t second = first % 3 + 1;
  const std::uint64_t third = second % 3 + 1;
  // The first word that the third one hears in a new term.
  raft::message m;
  m.from = raft::node_id(second);
  m.to = raft::node_id(third);
  m.term = term_id(trio.core(third).term().value() + 1);
  m.body = raft::append_request{};
  trio.give(third, std::move(m));
  const std::string story = election_story(trio.recorder(third));
  CHECK(tells(story, fmt::format(": an append-request of n{} shows it", second)));
  CHECK(tells(story, "only the leader of a term sends an append-request"));
  CHECK(tells(story, "only the leader of a term sends a heartbeat-request"));
}

TEST_CASE("explain: a leader that nobody answers says who is silent") {
  recorded_trio trio;
  const std::uint64_t leader = trio.elect();
  for (std::uint64_t n = 1; n <= 3; ++n) {
    if (n != leader) trio.down.insert(n);
  }
  trio.tick_all(80);
  REQUIRE(trio.core(leader).as() != raft::role::leader);
  const std::string story = election_story(trio.recorder(leader));
  CHECK(tells(story, "steps down: no quorum has answered within 10 ticks (silent: n"));
  CHECK(tells(story, "without hearing of any leader"));
  CHECK(tells(story, "asks once more whether it would be elected"));
}

TEST_CASE("explain: a lead that is handed over is told on both sides") {
  recorded_trio trio;
  const std::uint64_t first = trio.elect();
  const std::uint64_t target = first % 3 + 1;
  trio.give(first, raft::transfer_leadership{raft::node_id(target)});
  REQUIRE(trio.core(target).as() == raft::role::leader);
  CHECK(tells(election_story(trio.recorder(first)), fmt::format("hands the lead to n{}", target)));
  CHECK(tells(election_story(trio.recorder(target)),
              fmt::format("n{} leads and asked it to take over", first)));
}

TEST_CASE("explain: a refused vote says what was missing") {
  recorded_trio trio;
  const std::uint64_t leader = trio.elect();
  const std::uint64_t other = leader % 3 + 1;
  const std::uint64_t voter = 6 - leader - other;
  raft::message m;
  m.from = raft::node_id(other);
  m.to = raft::node_id(voter);
  m.term = trio.core(voter).term().next();
  m.body = raft::vote_request{trio.core(voter).log().last(), true, false};
  trio.give(voter, m);
  CHECK(tells(election_story(trio.recorder(voter)),
              fmt::format("does not listen to n{}: it heard of its leader n{}", other, leader)));
  m.body = raft::vote_request{{log_index(1), term_id(1)}, false, true};
  m.term = trio.core(voter).term();
  trio.give(voter, m);
  CHECK(tells(election_story(trio.recorder(voter)), "is behind this one"));
}

TEST_CASE("explain: a failed write ends it for good") {
  recorded_trio trio;
  const std::uint64_t leader = trio.elect();
  trio.give(leader, raft::persist_failed{});
  CHECK(tells(election_story(trio.recorder(leader)),
              "stops for good, no leader any more: a write has failed"));
}

}  // namespace cairn::testing
