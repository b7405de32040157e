// explain(): why the last election was.
#include "tests/unit/console/situations.hpp"

using namespace cairn;
using namespace cairn::console;

TEST_CASE("explain: the election after the leader was killed: who stood, why, who is away") {
  auto seen = three_nodes();
  take_away(seen, "n1");
  add_election(seen, "n2",
               fmt::format(R"(term: 3 time_ms: {} cause: "no-heartbeat" leader: "n2" previous: "n1"
                              silence_ms: 1230)",
                           k_elected_ms));
  add_election(
      seen, "n3",
      fmt::format(R"(term: 3 time_ms: {} cause: "higher-term" leader: "n2")", k_elected_ms + 3));
  *node(seen, "n3")
       .events.insert(
           node(seen, "n3").events.end(),
           from_text<v1::Event>(fmt::format(
               R"(id: 9 time_ms: {} kind: "link" text: "the link to n1 is down: end of file")",
               k_elected_ms - 1'200)));
  check_told(
      seen, "election",
      "The last election was for term 3, at 2026-11-23 06:57:00 UTC (3 min ago): n2 stood for "
      "election because nothing had come from n1, which led until then, for 1.2 s");
  check_told(seen, "election", "n2 won it.");
  check_told(seen, "election", "n1 is still away: it stopped answering and was given up by n3");
  check_told(seen, "election", "n3 noted at 06:56:58.800: the link to n1 is down: end of file");
}

TEST_CASE("explain: what was well before the leader was last heard of explains nothing") {
  auto seen = three_nodes();
  take_away(seen, "n1");
  add_election(seen, "n2",
               fmt::format(R"(term: 3 time_ms: {} cause: "no-heartbeat" leader: "n2" previous: "n1"
                              silence_ms: 600)",
                           k_elected_ms));
  auto& events = node(seen, "n3").events;
  events.insert(events.end(), from_text<v1::Event>(fmt::format(
                                  R"(id: 9 time_ms: {} kind: "link" text: "linked to n1")",
                                  k_elected_ms - 9'000)));
  check_not_told(seen, "election", "linked to n1");
}

TEST_CASE("explain: of two that stood, the one that knows who led before says why") {
  auto seen = three_nodes();
  take_away(seen, "n1");
  add_election(seen, "n3", fmt::format(R"(term: 3 time_ms: {} cause: "start")", k_elected_ms - 5));
  add_election(seen, "n2",
               fmt::format(R"(term: 3 time_ms: {} cause: "no-heartbeat" leader: "n2" previous: "n1"
                              silence_ms: 1230)",
                           k_elected_ms));
  check_told(seen, "election", "n2 stood for election because nothing had come from n1");
  // Two that stood: the winner says why, the other is named.
  auto both = three_nodes();
  for (const auto* node_id : {"n3", "n2"}) {
    add_election(both, node_id,
                 fmt::format(R"(term: 3 time_ms: {} cause: "no-heartbeat" leader: "n2"
                                previous: "n1" silence_ms: 700 candidate: "{}")",
                             k_elected_ms - (node_id[1] == '3' ? 9 : 0), node_id));
  }
  check_told(both, "election", "n2 stood for election because nothing had come from n1");
  check_told(both, "election", "n3 asked for votes in that term, too, and was not elected.");
}

TEST_CASE("explain: who only heard that another one asked for votes has not stood") {
  auto seen = three_nodes();
  take_away(seen, "n1");
  const auto election = [](std::string_view candidate, std::uint64_t silence_ms) {
    return fmt::format(R"(term: 3 time_ms: {} cause: "no-heartbeat" leader: "n2" previous: "n1"
                          silence_ms: {} candidate: "{}")",
                       k_elected_ms, silence_ms, candidate);
  };
  add_election(seen, "n2", election("n2", 600));
  add_election(seen, "n3", election("n2", 610));
  check_told(seen, "election", "n2 stood for election because nothing had come from n1");
  check_not_told(seen, "election", "n3 asked for votes");
  // The one that stood is away by now: the other tells of it, not of itself.
  take_away(seen, "n2");
  check_told(seen, "election",
             "n2 stood for election, and n3 had not heard of n1, which led until then, for 610 ms "
             "either");
}

TEST_CASE("explain: the former leader is back: its process had ended") {
  auto seen = three_nodes();
  node(seen, "n1").facts.set_started_ms(k_elected_ms + 20'000);
  add_election(seen, "n2",
               fmt::format(R"(term: 3 time_ms: {} cause: "no-heartbeat" leader: "n2" previous: "n1"
                              silence_ms: 1230)",
                           k_elected_ms));
  check_told(seen, "election",
             "n1 had ended: its process that runs now was started at 2026-11-23 06:57:20 UTC");
}

TEST_CASE("explain: the former leader never stopped: it was cut off or paused") {
  auto seen = three_nodes();
  add_election(seen, "n2",
               fmt::format(R"(term: 3 time_ms: {} cause: "no-heartbeat" leader: "n2" previous: "n1"
                              silence_ms: 1230)",
                           k_elected_ms));
  check_told(seen, "election", "it was cut off, paused or too slow, not stopped.");
}

TEST_CASE("explain: a lead that was handed over") {
  auto seen = three_nodes();
  add_election(seen, "n2",
               fmt::format(R"(term: 3 time_ms: {} cause: "transfer" leader: "n2" previous: "n1"
                              detail: "n1 asked n2 to take over.")",
                           k_elected_ms));
  check_told(seen, "election", "because n1 handed its lead over to it");
  check_told(seen, "election", "n2 says: n1 asked n2 to take over.");
  check_not_told(seen, "election", "still away");
}

TEST_CASE("explain: the first election after a start, of an only voter, after a lost quorum") {
  const std::vector<std::pair<std::string, std::string>> causes = {
      {"start", "after it had started: it had heard of no leader"},
      {"only-voter", "was the only voter and elected itself"},
      {"lost-quorum", "gave its lead up, because it had lost contact with a majority"},
      {"leader-removed", "gave its lead up: it was removed"},
      {"higher-term", "heard of the new term from another node"}};
  for (const auto& [cause, text] : causes) {
    auto seen = three_nodes();
    add_election(seen, "n2",
                 fmt::format(R"(term: 3 time_ms: {} cause: "{}")", k_elected_ms, cause));
    check_told(seen, "election", text);
    check_told(seen, "election", "n2 won it.");
  }
}

TEST_CASE("explain: the last election is the one of the highest term, told by who knows most") {
  auto seen = three_nodes();
  add_election(seen, "n1",
               fmt::format(R"(term: 2 time_ms: {} cause: "start" leader: "n1")", k_now_ms - 100));
  add_election(seen, "n1",
               fmt::format(R"(term: 3 time_ms: {} cause: "higher-term")", k_elected_ms));
  add_election(seen, "n2",
               fmt::format(R"(term: 3 time_ms: {} cause: "no-heartbeat" previous: "n1"
                              silence_ms: 1100)",
                           k_elected_ms + 1));
  check_told(seen, "election", "The last election was for term 3");
  check_told(seen, "election", "n2 stood for election because nothing had come from n1");
}

TEST_CASE("explain: an election that nobody has won yet") {
  auto seen = three_nodes();
  for (auto& one : seen.nodes)
    one.raft.clear_leader();
  node(seen, "n2").raft.set_role("candidate");
  node(seen, "n2").raft.set_term(4);
  add_election(
      seen, "n2",
      fmt::format(R"(term: 4 time_ms: {} cause: "no-heartbeat" silence_ms: 1500)", k_now_ms - 200));
  check_told(seen, "election", "Nobody has won it yet.");
}

TEST_CASE("explain: nobody remembers an election") {
  check_told(three_nodes(), "election", "No node that answers remembers an election");
}

TEST_CASE("explain: many elections within ten minutes are told, each term once") {
  auto seen = three_nodes();
  for (int term = 3; term < 7; ++term) {
    for (const auto* who : {"n1", "n2"}) {
      add_election(
          seen, who,
          fmt::format(R"(term: {} time_ms: {} cause: "higher-term")", term, k_now_ms - 10'000));
    }
  }
  check_told(seen, "election", "4 terms have begun within ten minutes");
}
