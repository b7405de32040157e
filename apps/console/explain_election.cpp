// Why the last election was.
#include "apps/console/explain.hpp"
#include "apps/console/human.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace cairn::console {

namespace {

/// Events this near to an election may belong to it.
constexpr std::int64_t k_near_ms = 15'000;
/// Clocks of nodes differ, and a link may go down a little before the last heartbeat is missed.
constexpr std::int64_t k_early_ms = 2'000;
/// More elections than these within ten minutes are told.
constexpr std::size_t k_many_elections = 3;
constexpr std::int64_t k_ten_minutes_ms = 600'000;

struct told_election {
  const node_view* by;
  const v1::Election* what;
};

constexpr int k_rank_stood = 4;

/// It tells of another one that asked for votes.
bool is_witness(const told_election& told) {
  return !told.what->candidate().empty() && told.what->candidate() != told.by->node;
}

/// The more it says about why somebody stood, the higher.
int rank_of(const told_election& told) {
  const auto& cause = told.what->cause();
  if (is_witness(told)) return cause == "no-heartbeat" ? 2 : 1;
  if (cause == "no-heartbeat" || cause == "transfer" || cause == "only-voter") return k_rank_stood;
  if (cause == "start") return 3;  // of one that does not know who led
  return cause == "lost-quorum" || cause == "leader-removed" ? 2 : 1;
}

/// Latest term first; of one term what says most, then what was first.
std::vector<told_election> elections_in(const situation& seen) {
  std::vector<told_election> all;
  for (const auto& one : seen.nodes) {
    if (one.silent || one.no_raft) continue;
    for (const auto& election : one.raft.elections())
      all.push_back({&one, &election});
  }
  std::stable_sort(all.begin(), all.end(), [](const told_election& a, const told_election& b) {
    if (a.what->term() != b.what->term()) return a.what->term() > b.what->term();
    if (rank_of(a) != rank_of(b)) return rank_of(a) > rank_of(b);
    return a.what->time_ms() < b.what->time_ms();
  });
  return all;
}

std::string previous_text(const v1::Election& what) {
  return what.previous().empty() ? std::string("a leader")
                                 : fmt::format("{}, which led until then,", what.previous());
}

std::string cause_text(const situation& seen, const told_election& told) {
  const auto& what = *told.what;
  const auto& who = is_witness(told) ? what.candidate() : told.by->node;
  const auto& cause = what.cause();
  if (cause == "no-heartbeat" && is_witness(told)) {
    return fmt::format("{} stood for election, and {} had not heard of {} for {} either", who,
                       told.by->node, previous_text(what), duration_text(what.silence_ms()));
  }
  if (cause == "no-heartbeat") {
    return fmt::format(
        "{} stood for election because nothing had come from {} for {} (it waits "
        "{} to twice that)",
        who, previous_text(what), duration_text(what.silence_ms()),
        duration_text(told.by->raft.election_timeout_ms()));
  }
  if (cause == "transfer") {
    return fmt::format("{} stood for election because {} handed its lead over to it", who,
                       what.previous().empty() ? "the leader" : what.previous());
  }
  if (cause == "start") {
    return fmt::format("{} stood for election after it had started: it had heard of no leader",
                       who);
  }
  if (cause == "only-voter") return fmt::format("{} was the only voter and elected itself", who);
  if (cause == "lost-quorum") {
    return fmt::format("{} gave its lead up, because it had lost contact with a majority", who);
  }
  if (cause == "leader-removed") return fmt::format("{} gave its lead up: it was removed", who);
  if (cause == "higher-term") {
    return fmt::format("{} heard of the new term from another node", who);
  }
  return fmt::format("{} says only: {}", who, cause.empty() ? seen.log : cause);
}

std::string winner_of(const situation& seen, std::uint64_t term) {
  for (const auto& one : seen.nodes) {
    if (one.silent || one.no_raft) continue;
    for (const auto& election : one.raft.elections()) {
      if (election.term() == term && !election.leader().empty()) return election.leader();
    }
    if (one.raft.term() == term && !one.raft.leader().empty()) return one.raft.leader();
  }
  return {};
}

/// Of those that tell of the last term the winner, if it says why it stood; else who says most.
const told_election& told_best(const std::vector<told_election>& all, const std::string& winner) {
  const auto term = all.front().what->term();
  for (const auto& one : all) {
    const bool stood = rank_of(one) == rank_of(all.front());
    if (one.what->term() == term && stood && one.by->node == winner) return one;
  }
  return all.front();
}

/// What became of the one that led before.
void explain_previous(const situation& seen, const v1::Election& what, std::vector<finding>& into) {
  const auto& name = what.previous();
  if (name.empty() || what.cause() != "no-heartbeat") return;
  const auto* view = node_in(seen, name);
  if (view == nullptr || view->silent) {
    into.push_back({k_topic_election, weight::bad,
                    fmt::format("{} is still away: {}.", name, absence_text(seen, name))});
  } else if (view->facts.started_ms() > what.time_ms() - k_near_ms) {
    into.push_back({k_topic_election, weight::note,
                    fmt::format("{} had ended: its process that runs now was started at {}.", name,
                                time_and_age(view->facts.started_ms(), seen.now_ms))});
  } else {
    into.push_back({k_topic_election, weight::note,
                    fmt::format("{} has been running since {}, before that: it was cut off, paused "
                                "or too slow, not stopped.",
                                name, time_and_age(view->facts.started_ms(), seen.now_ms))});
  }
}

/// Events of links and reachability that name the one that led before, near the election: from when
/// it was heard of last on, since what was well before that explains nothing.
void add_evidence(const situation& seen, const v1::Election& what, std::vector<finding>& into) {
  if (what.previous().empty()) return;
  std::size_t told = 0;
  for (const auto& one : seen.nodes) {
    for (const auto& event : one.events) {
      if (event.kind() != "link" && event.kind() != "reachability") continue;
      const auto begin_ms =
          what.time_ms() - static_cast<std::int64_t>(what.silence_ms()) - k_early_ms;
      const bool near =
          event.time_ms() >= begin_ms && event.time_ms() <= what.time_ms() + k_near_ms;
      if (!near || one.node == what.previous()) continue;
      if (event.text().find(what.previous()) == std::string::npos || ++told > 4) continue;
      into.push_back(
          {k_topic_election, weight::note,
           fmt::format("{} noted at {}: {}", one.node, clock_text(event.time_ms()), event.text())});
    }
  }
}

}  // namespace

void explain_election(const situation& seen, std::vector<finding>& into) {
  const auto all = elections_in(seen);
  if (all.empty()) {
    into.push_back({k_topic_election, weight::note,
                    "No node that answers remembers an election: they have all started after the "
                    "last one."});
    return;
  }
  const auto winner = winner_of(seen, all.front().what->term());
  const auto& last = told_best(all, winner);
  into.push_back(
      {k_topic_election, weight::note,
       fmt::format("The last election was for term {}, at {}: {}. {}.", last.what->term(),
                   time_and_age(last.what->time_ms(), seen.now_ms), cause_text(seen, last),
                   winner.empty() ? std::string("Nobody has won it yet") : winner + " won it")});
  if (!last.what->detail().empty() && last.what->cause() != "only-voter") {
    into.push_back({k_topic_election, weight::note,
                    fmt::format("{} says: {}", last.by->node, last.what->detail())});
  }
  for (const auto& one : all) {
    const bool stood = rank_of(one) >= k_rank_stood && one.by != last.by;
    if (one.what->term() != last.what->term() || !stood) continue;
    into.push_back({k_topic_election, weight::note,
                    one.by->node + " asked for votes in that term, too, and was not elected."});
  }
  explain_previous(seen, *last.what, into);
  add_evidence(seen, *last.what, into);
  // Each is told by several nodes, first by the one that says most: terms are counted. Those that
  // an operator or a start has asked for tell nothing about nodes and network.
  std::size_t terms = 0;
  std::uint64_t counted = 0;
  for (const auto& one : all) {
    if (one.what->term() == std::exchange(counted, one.what->term())) continue;
    const auto& cause = one.what->cause();
    const bool wanted = cause == "transfer" || cause == "only-voter" || cause == "start";
    if (!wanted && one.what->time_ms() > seen.now_ms - k_ten_minutes_ms) ++terms;
  }
  if (terms > k_many_elections) {
    into.push_back({k_topic_election, weight::bad,
                    fmt::format("{} terms have begun within ten minutes: nodes that are slow, or a "
                                "network that loses much; see events --kind election.",
                                terms)});
  }
}

}  // namespace cairn::console
