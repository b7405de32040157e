// Who is behind and why; who takes no appends and why; what else is wrong.
#include "apps/console/explain.hpp"
#include "apps/console/human.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <limits>

namespace cairn::console {

namespace {

constexpr auto k_never = std::numeric_limits<std::uint64_t>::max();
/// Under load the leader is always some entries ahead: they are on their way.
constexpr std::uint64_t k_near_entries = 512;
constexpr std::int64_t k_ten_minutes_ms = 600'000;
constexpr std::size_t k_troubles_told = 6;

/// What it lacks, as bytes of the leader's log; empty when the two cannot be compared.
std::string left_text(const node_view& leader, const node_view* follower) {
  if (follower == nullptr || follower->silent || !follower->log || !leader.log) return {};
  if (follower->log->lowest_offset() != leader.log->lowest_offset()) return {};
  if (leader.log->size_bytes() <= follower->log->size_bytes()) return {};
  return fmt::format(", {} left",
                     bytes_text(leader.log->size_bytes() - follower->log->size_bytes()));
}

std::string contact_text(const v1::RaftPeer& peer) {
  return peer.last_contact_ms() == k_never ? "never since it leads"
                                           : duration_text(peer.last_contact_ms()) + " ago";
}

std::uint64_t behind_of(const node_view& leader, const v1::RaftPeer& peer) {
  const auto last = leader.raft.last_index();
  return last > peer.match_index() ? last - peer.match_index() : 0;
}

/// Nothing: it is where it should be.
std::string why_behind(const situation& seen, const node_view& leader, const v1::RaftPeer& peer) {
  const auto* view = node_in(seen, peer.node());
  const auto behind = behind_of(leader, peer);
  const auto lacks =
      !match_is_known(peer) ? fmt::format("has not told {} yet what it holds", leader.node)
      : behind == 0
          ? std::string("lacks nothing yet")
          : fmt::format("is {} {} behind", count_text(behind), behind == 1 ? "entry" : "entries");
  const auto who = peer.node();
  const bool here = view != nullptr && !view->silent;
  if (here && !view->no_raft && view->raft.fenced()) {
    return fmt::format("{} {}: it is fenced ({}). Restart it once the cause is mended.", who, lacks,
                       view->raft.fence_reason());
  }
  if (here && !view->no_raft && view->raft.disk_full()) {
    return fmt::format("{} {}: its disk is full ({}). Make room; it goes on by itself.", who, lacks,
                       view->raft.disk_full_reason());
  }
  const bool late = peer.last_contact_ms() == k_never ||
                    peer.last_contact_ms() > leader.raft.election_timeout_ms();
  // One that SWIM has given up may have been in contact a moment ago, or the time is not known.
  const auto* member = member_in(seen, who);
  const bool given_up = member != nullptr && member->state() == "failed";
  if (!here && (late || given_up || !peer.linked())) {
    return fmt::format(
        "{} {} and {}out of reach: {}; last contact {}. It catches up by itself once "
        "it is back.",
        who, lacks, match_is_known(peer) ? "" : "is ", absence_text(seen, who), contact_text(peer));
  }
  if (late) {
    return fmt::format(
        "{} {}: it runs, but {} has heard nothing from it since {}{}. Look at the "
        "network between the two.",
        who, lacks, leader.node, contact_text(peer), peer.linked() ? "" : " and has no link to it");
  }
  if (peer.state() == "snapshot") {
    return fmt::format(
        "{} {}: {} sends it a snapshot, because what it lacks is no longer in the "
        "log.",
        who, lacks, leader.node);
  }
  if (peer.state() == "probe" && (behind > 0 || !match_is_known(peer))) {
    return fmt::format("{} {}: {} is finding out up to where their logs agree.", who, lacks,
                       leader.node);
  }
  if (behind > k_near_entries) {
    return fmt::format("{} {} and is catching up: {} in flight{}.", who, lacks,
                       bytes_text(peer.in_flight_bytes()), left_text(leader, view));
  }
  return {};
}

void add_writes(std::vector<finding>& into, weight how, std::string text) {
  into.push_back({k_topic_writes, how, std::move(text)});
}

bool queue_is_full(const v1::RaftState& raft) {
  return raft.queued_bytes_max() > 0 && raft.queued_bytes() >= raft.queued_bytes_max() / 10 * 9;
}

/// Why this node refuses appends. Nothing: it does not.
std::string why_refused(const node_view& one) {
  const auto& raft = one.raft;
  const auto& facts = one.facts;
  if (facts.cluster_id().empty()) {
    return fmt::format("it is no member of a cluster yet{}{}", facts.unready().empty() ? "" : ": ",
                       facts.unready().empty() ? std::string() : facts.unready(0));
  }
  if (one.no_raft) return "it takes no part in the log: " + one.no_raft->detail;
  if (raft.fenced()) {
    return fmt::format("it is fenced: {}. Restart it once the cause is mended",
                       raft.fence_reason());
  }
  if (raft.disk_full()) {
    return fmt::format("its disk is full: {}. Make room; it goes on by itself",
                       raft.disk_full_reason());
  }
  if (queue_is_full(raft)) {
    return fmt::format(
        "its queue is full, {} of {} wait to be written: clients are told to come "
        "again later",
        bytes_text(raft.queued_bytes()), bytes_text(raft.queued_bytes_max()));
  }
  if (!raft.refuses().empty()) return raft.refuses();
  if (!facts.unready().empty()) return facts.unready(0);
  return {};
}

}  // namespace

void explain_replicas(const situation& seen, std::vector<finding>& into) {
  const auto* leader = leader_in(seen);
  if (leader == nullptr) {
    std::string text = "Only a leader knows who is behind. By their own account they hold:";
    for (const auto& one : seen.nodes) {
      if (one.silent || one.no_raft) continue;
      text += fmt::format(" {} entries up to {} (committed {}),", one.node,
                          count_text(one.raft.last_index()), count_text(one.raft.commit_index()));
    }
    if (text.ends_with(":")) text = "Only a leader knows who is behind, and no node says anything.";
    if (text.ends_with(",")) text.back() = '.';
    into.push_back({k_topic_replicas, weight::note, std::move(text)});
    return;
  }
  std::vector<std::string> fine;
  std::uint64_t furthest = 0;
  for (const auto& peer : leader->raft.peers()) {
    auto why = why_behind(seen, *leader, peer);
    if (why.empty()) {
      fine.push_back(peer.node());
      furthest = std::max(furthest, behind_of(*leader, peer));
    } else {
      into.push_back({k_topic_replicas, weight::bad, std::move(why)});
    }
    if (peer.role() == "learner") {
      into.push_back({k_topic_replicas, weight::note,
                      fmt::format("{} is a learner: it has no vote until it has caught up, then it "
                                  "becomes a voter by itself.",
                                  peer.node())});
    }
  }
  if (leader->raft.peers().empty()) {
    into.push_back({k_topic_replicas, weight::note,
                    fmt::format("{} is alone: there is no other copy.", leader->node)});
  } else if (!fine.empty()) {
    std::sort(fine.begin(), fine.end());
    into.push_back(
        {k_topic_replicas, weight::good,
         fmt::format("{} {} up with {} ({}).", names_text(fine),
                     fine.size() == 1 ? "keeps" : "keep", leader->node,
                     furthest == 0 ? std::string("nothing is missing")
                                   : fmt::format("at most {} {} on the way", count_text(furthest),
                                                 furthest == 1 ? "entry" : "entries"))});
  }
}

void explain_writes(const situation& seen, std::vector<finding>& into) {
  const auto* leader = leader_in(seen);
  std::vector<std::string> taking;
  std::size_t refusing = 0;
  for (const auto& one : seen.nodes) {
    if (one.silent) continue;
    const auto why = why_refused(one);
    if (why.empty()) {
      taking.push_back(one.node);
      continue;
    }
    ++refusing;
    add_writes(into, weight::bad, fmt::format("{} refuses appends: {}.", one.node, why));
  }
  if (leader == nullptr) {
    add_writes(into, weight::bad,
               "No leader answers: appends wait for one, and are refused when none comes in time.");
    return;
  }
  if (!taking.empty()) {
    auto passing = taking;
    std::erase(passing, leader->node);
    add_writes(
        into, refusing == 0 ? weight::good : weight::note,
        fmt::format("{} {} appends{}.", names_text(taking), taking.size() == 1 ? "takes" : "take",
                    passing.empty()
                        ? std::string()
                        : fmt::format(" ({} {} them on to {})", names_text(passing),
                                      passing.size() == 1 ? "passes" : "pass", leader->node)));
  }
  const auto& raft = leader->raft;
  if (raft.waiting_appends() > 0 && raft.queued_bytes() > 0) {
    add_writes(into, weight::note,
               fmt::format("{} wait in the leader's queue ({} of {}).",
                           count_of(raft.waiting_appends(), "append"),
                           bytes_text(raft.queued_bytes()), bytes_text(raft.queued_bytes_max())));
  }
}

void explain_nodes(const situation& seen, std::vector<finding>& into) {
  for (const auto& one : seen.nodes) {
    if (one.silent) {
      into.push_back(
          {k_topic_nodes, weight::bad,
           fmt::format("{} does not answer: {}.", one.node, absence_text(seen, one.node))});
      continue;
    }
    for (const auto& why : one.facts.unready()) {
      into.push_back(
          {k_topic_nodes, weight::bad, fmt::format("{} is not ready: {}.", one.node, why)});
    }
    const auto free_bytes = one.facts.disk_free_bytes();
    if (one.facts.disk_bytes() > 0 && free_bytes < one.facts.disk_bytes() / 20) {
      into.push_back(
          {k_topic_nodes, weight::note,
           fmt::format("{} has only {} of its disk left.", one.node, bytes_text(free_bytes))});
    }
  }
  std::vector<std::pair<std::string, const v1::Event*>> troubles;
  for (const auto& one : seen.nodes) {
    for (const auto& event : one.events) {
      const bool recent = event.time_ms() > seen.now_ms - k_ten_minutes_ms;
      const bool trouble = event.kind() == "fault" || event.kind() == "disk" ||
                           event.kind() == "backpressure" || event.severity() == "error";
      if (recent && trouble) troubles.emplace_back(one.node, &event);
    }
  }
  const auto skipped = troubles.size() > k_troubles_told ? troubles.size() - k_troubles_told : 0;
  for (std::size_t i = skipped; i < troubles.size(); ++i) {
    const auto& [node, event] = troubles[i];
    into.push_back(
        {k_topic_nodes, weight::note,
         fmt::format("{}, {}: {}", node, age_text(event->time_ms(), seen.now_ms), event->text())});
  }
}

}  // namespace cairn::console
