// raft.
#include "apps/console/commands.hpp"
#include "apps/console/explain.hpp"
#include "apps/console/human.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <limits>

namespace cairn::console {

namespace {

using align = table::align;
constexpr auto k_never = std::numeric_limits<std::uint64_t>::max();

result<document> ask_raft(asker& ask, const arguments& given) {
  auto learned = ask.new_document("raft");
  v1::InspectRequest question;
  question.set_log(given.word(0));
  question.mutable_raft();
  auto replies = ask.ask_these(given.value("--node"), question);
  if (!replies) return replies.error();
  learned.replies = *std::move(replies);
  return learned;
}

tint tint_of_role(const std::string& role) {
  if (role == "leader") return tint::green;
  return role.ends_with("candidate") ? tint::yellow : tint::plain;
}

/// How long it has had its role.
std::string role_age_text(const v1::RaftState& raft, std::int64_t now_ms) {
  if (raft.since_ms() == 0) return "-";
  return duration_text(
      static_cast<std::uint64_t>(std::max<std::int64_t>(now_ms - raft.since_ms(), 0)));
}

/// The leader of the highest term: one that is cut off may still believe in an older one.
const reply* leader_of(const document& learned) {
  const reply* leader = nullptr;
  for (const auto& one : learned.replies) {
    if (one.failure || one.answer.raft().role() != "leader") continue;
    if (leader == nullptr || one.answer.raft().term() > leader->answer.raft().term()) leader = &one;
  }
  return leader;
}

std::string peers_text(const reply& leader, const screen& on) {
  const auto& raft = leader.answer.raft();
  if (raft.peers().empty()) return {};
  table list({{"PEER"},
              {"ROLE"},
              {"STATE"},
              {"MATCH", align::right},
              {"BEHIND", align::right},
              {"IN FLIGHT", align::right},
              {"LAST CONTACT", align::right},
              {"LINK"}});
  std::vector<const v1::RaftPeer*> peers;
  for (const auto& peer : raft.peers())
    peers.push_back(&peer);
  std::sort(peers.begin(), peers.end(),
            [](const auto* a, const auto* b) { return a->node() < b->node(); });
  for (const auto* one : peers) {
    const auto& peer = *one;
    const auto last = raft.last_index();
    const auto behind = last > peer.match_index() ? last - peer.match_index() : 0;
    const bool known = match_is_known(peer);
    const bool late =
        peer.last_contact_ms() == k_never ||
        (raft.election_timeout_ms() > 0 && peer.last_contact_ms() > raft.election_timeout_ms());
    list.add({peer.node(),
              peer.role(),
              peer.state().empty() ? "-" : peer.state(),
              known ? count_text(peer.match_index()) : std::string("?"),
              known ? count_text(behind) : std::string("?"),
              peer.in_flight_messages() == 0
                  ? std::string("-")
                  : fmt::format("{} in {}", bytes_text(peer.in_flight_bytes()),
                                peer.in_flight_messages()),
              {peer.last_contact_ms() == k_never
                   ? std::string("never")
                   : fmt::format("{} ago", duration_text(peer.last_contact_ms())),
               late ? tint::red : tint::plain},
              {peer.linked() ? "up" : "down", peer.linked() ? tint::plain : tint::red}});
  }
  return fmt::format("\n{}'s peers:\n", leader.node) + list.text(on);
}

std::string troubles_of(const reply& one, const screen& on) {
  const auto& raft = one.answer.raft();
  std::string text;
  const auto say = [&](std::string_view what, const std::string& why) {
    text +=
        on.paint(tint::yellow, fmt::format("{} {}: {}", one.node, what, printable(why, on.utf8))) +
        "\n";
  };
  if (raft.fenced()) say("is fenced", raft.fence_reason());
  if (raft.disk_full()) say("has a full disk", raft.disk_full_reason());
  if (!raft.refuses().empty()) say("refuses appends", raft.refuses());
  if (raft.joint()) text += fmt::format("{} is changing the members\n", one.node);
  return text;
}

// What would be corruption, were it of one moment.
std::string ahead_text(const document& learned, const screen& on) {
  const auto* leader = leader_of(learned);
  if (leader == nullptr) return {};
  for (const auto& one : learned.replies) {
    if (one.failure || one.answer.raft().commit_index() <= leader->answer.raft().commit_index()) {
      continue;
    }
    return on.paint(tint::dim,
                    wrapped("Each node answers for its own moment: one that answered after the "
                            "leader shows more.",
                            on.columns, 0)) +
           "\n";
  }
  return {};
}

std::string print_raft(const document& learned, const arguments& /*given*/, const screen& on) {
  table list({{"NODE"},
              {"ROLE"},
              {"FOR", align::right},
              {"TERM", align::right},
              {"VOTE"},
              {"LEADER"},
              {"COMMIT", align::right},
              {"APPLIED", align::right},
              {"LAST", align::right}});
  std::string troubles;
  for (const auto& one : learned.replies) {
    if (one.failure) {
      list.add({one.node, {"silent", tint::red}, "-", "-", "-", "-", "-", "-", "-"});
      continue;
    }
    const auto& raft = one.answer.raft();
    list.add({one.node,
              {raft.role(), tint_of_role(raft.role())},
              role_age_text(raft, learned.now_ms),
              std::to_string(raft.term()),
              raft.voted_for().empty() ? "-" : raft.voted_for(),
              raft.leader().empty() ? table::cell("none", tint::red) : table::cell(raft.leader()),
              count_text(raft.commit_index()),
              count_text(raft.applied_index()),
              count_text(raft.last_index())});
    troubles += troubles_of(one, on);
  }
  auto text = list.text(on);
  if (const auto* leader = leader_of(learned)) {
    text += peers_text(*leader, on);
    const auto& raft = leader->answer.raft();
    text += fmt::format(
        "\n{} leads since {}\n", leader->node,
        time_and_age(raft.leader_since_ms() == 0 ? raft.since_ms() : raft.leader_since_ms(),
                     learned.now_ms));
  } else {
    text += on.paint(tint::red, "no node that answers leads; explain says why") + "\n";
  }
  return text + ahead_text(learned, on) + troubles + silent_nodes_text(learned, on);
}

}  // namespace

void add_raft_commands(std::vector<command>& to) {
  to.push_back(
      {"raft",
       "who leads and since when; term, vote, commit of every node; the leader's peers",
       "FOR: how long a node has had its role. Numbers are those of log entries, which hold one "
       "batch of records each. COMMIT: on "
       "a majority. APPLIED: visible to readers. LAST: the newest, committed or not. Of the "
       "leader's peers: MATCH, up to where a peer has the leader's log; BEHIND, entries "
       "between that and the leader's last (?: not heard of since it leads); IN FLIGHT, bytes and "
       "messages sent and not "
       "acknowledged; STATE, probe (finding out where they agree), replicate, or snapshot.",
       {{"LOG", word_kind::log}},
       {{"--node", "NODE", word_kind::node, "as this node alone sees it"}},
       ask_raft,
       print_raft});
}

}  // namespace cairn::console
