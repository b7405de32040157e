#include "apps/console/explain.hpp"

#include "apps/console/human.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

namespace cairn::console {

namespace {

void add(std::vector<finding>& into, weight how, std::string text) {
  into.push_back({k_topic_leader, how, std::move(text)});
}

/// Node ids of the log's voters, as the node says that knows the newest term.
std::set<std::string> voters_in(const situation& seen) {
  const node_view* best = nullptr;
  for (const auto& one : seen.nodes) {
    if (one.silent || one.no_raft) continue;
    if (best == nullptr || one.raft.term() > best->raft.term()) best = &one;
  }
  std::set<std::string> voters;
  if (best == nullptr) return voters;
  if (best->raft.voter()) voters.insert(best->node);
  for (const auto& peer : best->raft.peers()) {
    if (peer.role() == "voter") voters.insert(peer.node());
  }
  return voters;
}

void explain_that_one_leads(const situation& seen, const node_view& leader,
                            std::vector<finding>& into) {
  const auto& raft = leader.raft;
  const auto since = raft.since_ms() == 0 ? raft.leader_since_ms() : raft.since_ms();
  std::size_t voters = raft.voter() ? 1 : 0;
  std::size_t in_contact = voters;
  for (const auto& peer : raft.peers()) {
    if (peer.role() != "voter") continue;
    ++voters;
    // The core takes everybody for active when a term begins.
    if (peer.active() && peer.last_contact_ms() <= raft.election_timeout_ms()) ++in_contact;
  }
  const bool enough = in_contact > voters / 2;
  add(into, enough ? weight::good : weight::bad,
      fmt::format("{} leads {} in term {} since {}, in contact with {} of {} voters (itself "
                  "counted).",
                  leader.node, seen.log, raft.term(), time_and_age(since, seen.now_ms), in_contact,
                  voters));
  if (!enough) {
    add(into, weight::bad,
        fmt::format("That is no majority: {} cannot commit anything, and gives its lead up after "
                    "{} like that.",
                    leader.node, duration_text(raft.election_timeout_ms())));
  }
  for (const auto& other : seen.nodes) {
    if (other.silent || other.no_raft || &other == &leader) continue;
    if (other.raft.role() == "leader") {
      add(into, weight::note,
          fmt::format("{} still believes that it leads, in term {}: it is cut off from the others, "
                      "can commit nothing, and follows once it hears of term {}.",
                      other.node, other.raft.term(), raft.term()));
    } else if (other.raft.leader() != leader.node) {
      add(into, weight::note,
          fmt::format("{} does not know that yet: it is a {} in term {} and knows {}.", other.node,
                      other.raft.role(), other.raft.term(),
                      other.raft.leader().empty() ? "no leader" : other.raft.leader()));
    }
  }
}

/// Others follow somebody who does not answer the console. False: nobody says so.
bool explain_a_silent_leader(const situation& seen, std::vector<finding>& into) {
  std::map<std::string, std::vector<std::string>> followers;
  for (const auto& one : seen.nodes) {
    if (!one.silent && !one.no_raft && !one.raft.leader().empty()) {
      followers[one.raft.leader()].push_back(one.node);
    }
  }
  for (const auto& [leader, who] : followers) {
    const auto* view = node_in(seen, leader);
    if (view != nullptr && !view->silent) continue;
    const auto& raft = node_in(seen, who.front())->raft;
    const bool fresh = raft.last_contact_ms() <= raft.election_timeout_ms();
    add(into, weight::note,
        fmt::format("{} {} {} in term {}, which does not answer the console ({}); {} heard from it "
                    "{} ago.{}",
                    names_text(who), who.size() == 1 ? "follows" : "follow", leader, raft.term(),
                    absence_text(seen, leader), who.front(), duration_text(raft.last_contact_ms()),
                    fresh ? "" : " An election is about to come."));
    return true;
  }
  return false;
}

/// The voters answer and do not elect: what of it can be seen.
void explain_why_none_is_elected(const situation& seen, const std::set<std::string>& voters,
                                 std::vector<finding>& into) {
  const std::size_t before = into.size();
  for (const auto& one : seen.nodes) {
    if (one.silent || one.no_raft || !voters.contains(one.node)) continue;
    const auto& raft = one.raft;
    if (raft.fenced()) {
      add(into, weight::bad,
          fmt::format("{} is fenced and takes no part: {}.", one.node, raft.fence_reason()));
    }
    if (raft.disk_full()) {
      add(into, weight::bad,
          fmt::format("{} cannot vote, since it cannot write its vote down: {}.", one.node,
                      raft.disk_full_reason()));
    }
    if (raft.role().ends_with("candidate")) {
      add(into, weight::note,
          fmt::format("{} stands for election in term {} since {}.", one.node, raft.term(),
                      time_and_age(raft.since_ms(), seen.now_ms)));
    }
    for (const auto& peer : raft.peers()) {
      const auto* other = node_in(seen, peer.node());
      const bool once = one.node < peer.node();
      if (!peer.linked() && once && other != nullptr && !other->silent) {
        add(into, weight::bad,
            fmt::format("{} and {} both run, but have no link to each other: look at the network "
                        "between them.",
                        one.node, peer.node()));
      }
    }
  }
  if (into.size() == before) {
    add(into, weight::note,
        "Enough voters answer: one of them will stand within its election timeout. Ask again.");
  }
}

void explain_that_nobody_leads(const situation& seen, std::vector<finding>& into) {
  const auto voters = voters_in(seen);
  if (voters.empty()) {
    add(into, weight::bad,
        fmt::format("No node that answers takes part in {} yet: nothing has been set up, or they "
                    "have not joined a cluster.",
                    seen.log));
    return;
  }
  std::vector<std::string> here;
  std::vector<std::string> away;
  for (const auto& one : voters) {
    const auto* view = node_in(seen, one);
    const bool there = view != nullptr && !view->silent && !view->no_raft;
    (there ? here : away).push_back(one);
  }
  const std::size_t majority = voters.size() / 2 + 1;
  if (here.size() >= majority) {
    add(into, weight::bad,
        fmt::format("{} has no leader, although {} of its {} voters answer ({}).", seen.log,
                    here.size(), voters.size(), names_text(here)));
    explain_why_none_is_elected(seen, voters, into);
    return;
  }
  add(into, weight::bad,
      fmt::format("{} has no leader: an election needs {} of its {} voters, and {}.", seen.log,
                  majority, voters.size(),
                  here.empty() ? std::string("none of them answers")
                               : fmt::format("only {} {}", names_text(here),
                                             here.size() == 1 ? "answers" : "answer")));
  for (const auto& one : away) {
    add(into, weight::bad, fmt::format("{} is missing: {}.", one, absence_text(seen, one)));
  }
  const auto needed = majority - here.size();
  add(into, weight::note,
      fmt::format("Start {} of {}: a leader is elected by itself. Until then reads of what is "
                  "committed go on, appends are refused.",
                  needed == 1 ? "one" : std::to_string(needed), names_text(away)));
}

}  // namespace

std::vector<finding> explain(const situation& seen) {
  std::vector<finding> into;
  explain_leader(seen, into);
  explain_election(seen, into);
  explain_replicas(seen, into);
  explain_writes(seen, into);
  explain_nodes(seen, into);
  return into;
}

const node_view* leader_in(const situation& seen) {
  const node_view* leader = nullptr;
  for (const auto& one : seen.nodes) {
    if (one.silent || one.no_raft || one.raft.role() != "leader") continue;
    if (leader == nullptr || one.raft.term() > leader->raft.term()) leader = &one;
  }
  // Somebody who has heard of a newer term knows better than one who is cut off.
  for (const auto& one : seen.nodes) {
    if (leader == nullptr || one.silent || one.no_raft) continue;
    if (one.raft.term() > leader->raft.term() && !one.raft.leader().empty()) leader = nullptr;
  }
  return leader;
}

const node_view* node_in(const situation& seen, std::string_view node) {
  for (const auto& one : seen.nodes) {
    if (one.node == node) return &one;
  }
  return nullptr;
}

const v1::MemberState* member_in(const situation& seen, std::string_view node) {
  for (const auto& one : seen.members.members()) {
    if (one.id() == node) return &one;
  }
  return nullptr;
}

std::string names_text(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " and " : ", ";
    text += names[i];
  }
  return text;
}

std::string absence_text(const situation& seen, std::string_view node) {
  const auto* member = member_in(seen, node);
  if (member != nullptr &&
      (member->state() == "failed" || member->state() == "suspect" || member->state() == "left")) {
    const bool failed = member->state() == "failed";
    std::string text = failed                      ? "it stopped answering and was given up"
                       : member->state() == "left" ? "it has left"
                                                   : "it is suspected";
    if (!member->by().empty()) text += fmt::format(" by {}", member->by());
    if (member->since_ms() > 0) {
      text += fmt::format(" at {}", time_and_age(member->since_ms(), seen.now_ms));
    }
    return text;
  }
  const auto* view = node_in(seen, node);
  if (view == nullptr) return "nobody knows it";
  return view->silent ? "it does not answer: " + view->silent->detail : "it answers";
}

void explain_leader(const situation& seen, std::vector<finding>& into) {
  if (const auto* leader = leader_in(seen)) {
    explain_that_one_leads(seen, *leader, into);
    return;
  }
  if (!explain_a_silent_leader(seen, into)) explain_that_nobody_leads(seen, into);
}

}  // namespace cairn::console
