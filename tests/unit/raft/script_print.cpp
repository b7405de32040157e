#include "tests/unit/raft/script_print.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace cairn::testing {
namespace {

using namespace raft;

constexpr std::array<std::string_view, 4> k_roles = {"follower", "pre-candidate", "candidate",
                                                     "leader"};
constexpr std::array<std::string_view, 3> k_send_states = {"probe", "replicate", "snapshot"};
constexpr std::array<std::string_view, 3> k_outcomes = {"ok", "not done", "unknown"};
constexpr std::array<std::string_view, 7> k_notices = {
    "message-refused",    "entries-lost",  "disk-stalled",    "quorum-lost",
    "removed-from-group", "transfer-done", "transfer-aborted"};
constexpr std::array<std::string_view, 4> k_stages = {"vacant", "stands", "asks", "lost"};
// Longer payloads are shown by their size.
constexpr std::size_t k_shown_bytes_max = 24;

template <std::size_t N, class Enum>
std::string_view name_in(const std::array<std::string_view, N>& names, Enum value) {
  return names.at(static_cast<std::size_t>(value));
}

std::string show(node_id node) {
  return node == k_nobody ? "nobody" : fmt::format("{}", node.value());
}

std::string show(const node_set& nodes) {
  std::string text;
  for (const node_id node : nodes)
    text += fmt::format("{}{}", text.empty() ? "" : ",", node.value());
  return text;
}

std::string print_bytes(const shared_bytes& bytes) {
  if (bytes.size() > k_shown_bytes_max) return fmt::format("{} bytes", bytes.size());
  return fmt::format("\"{}\"", bytes.text());
}

std::string print_payload(const entry& e) {
  switch (e.kind) {
    case entry_kind::no_op:
      return "no-op";
    case entry_kind::config: {
      const auto config = decode_configuration(e.payload);
      return config ? fmt::format("config({})", print(*config)) : "config(undecodable)";
    }
    case entry_kind::control:
      return fmt::format("control({})", print_bytes(e.payload));
    case entry_kind::data:
      return print_bytes(e.payload);
  }
  return "?";
}

std::string show(const std::vector<entry>& entries) {
  std::string text;
  for (const entry& e : entries)
    text += fmt::format("{}{}", text.empty() ? "" : ", ", print(e));
  return fmt::format("[{}]", text);
}

std::string show(const snapshot& content) {
  return fmt::format("last {} offset {} config({}) state {}", print(content.last),
                     content.next_offset.value(), print(content.config),
                     print_bytes(content.state));
}

struct body_text {
  std::string operator()(const vote_request& b) const {
    return fmt::format("{}{}last {}", b.pre ? "pre " : "", b.transfer ? "transfer " : "",
                       print(b.last));
  }
  std::string operator()(const vote_response& b) const {
    return fmt::format("{}{}", b.pre ? "pre " : "", b.granted ? "granted" : "denied");
  }
  std::string operator()(const append_request& b) const {
    return fmt::format("prev {} commit {} {}", print(b.prev), b.commit.value(), show(b.entries));
  }
  std::string operator()(const append_response& b) const {
    if (b.accepted) return fmt::format("accepted {}", b.index.value());
    return fmt::format("refused {} hint {}", b.index.value(), print(b.hint));
  }
  std::string operator()(const heartbeat_request& b) const {
    const std::string sleep = b.quiesce ? fmt::format(" quiesce {}", print(b.last)) : "";
    return fmt::format("commit {} round {}{}", b.commit.value(), b.round, sleep);
  }
  std::string operator()(const heartbeat_response& b) const {
    return fmt::format("round {}", b.round);
  }
  std::string operator()(const commit_notice& b) const {
    return fmt::format("commit {}", b.commit.value());
  }
  std::string operator()(const snapshot_request& b) const { return show(b.content); }
  std::string operator()(const timeout_now_request&) const { return {}; }
  std::string operator()(const read_index_request& b) const {
    return fmt::format("read {} of {}", b.id.value(), b.incarnation);
  }
  std::string operator()(const read_index_response& b) const {
    const std::string outcome = b.ok ? fmt::format("ok at {}", b.index.value()) : "failed";
    return fmt::format("read {} of {} {}", b.id.value(), b.incarnation, outcome);
  }
};

std::string show(const persist_batch& batch) {
  std::string text = fmt::format("write #{}:", batch.ticket.value());
  if (batch.state) {
    text += fmt::format(" term {} vote {};", batch.state->term.value(), show(batch.state->vote));
  }
  if (batch.install) text += fmt::format(" install {};", show(*batch.install));
  if (batch.truncate_from) text += fmt::format(" remove from {};", batch.truncate_from->value());
  if (!batch.entries.empty()) text += fmt::format(" append {};", show(batch.entries));
  text.pop_back();
  return text;
}

std::string show(const proposal_answer& a) {
  std::string text = fmt::format("proposal {} {}", a.id.value(), name_in(k_outcomes, a.outcome));
  if (a.position != log_position()) text += fmt::format(" at {}", print(a.position));
  if (a.outcome != proposal_outcome::not_done) return text;
  return text + fmt::format(", {}: {}", to_string(a.reason), a.detail);
}

std::string show(const read_answer& a) {
  if (!a.ok) return fmt::format("read {} failed", a.id.value());
  return fmt::format("read {} ok at {}", a.id.value(), a.index.value());
}

std::string show(const notice& n) {
  std::string text = fmt::format("notice {} {}", name_in(k_notices, n.kind), show(n.node));
  return n.detail.empty() ? text : fmt::format("{}: {}", text, n.detail);
}

std::string show(const election_step& e) {
  std::string text = fmt::format("election t{} {}: {}", e.term.value(), name_in(k_stages, e.stage),
                                 to_string(e.cause));
  if (e.previous != k_nobody) text += fmt::format(", {} led before", show(e.previous));
  if (e.silent_ticks != 0) text += fmt::format(", silent for {}", e.silent_ticks);
  if (e.candidate != k_nobody) text += fmt::format(", {} asks", show(e.candidate));
  return text;
}

}  // namespace

std::string print(log_position position) {
  return fmt::format("{}/{}", position.index.value(), position.term.value());
}

std::string print(const entry& e) {
  std::string text = fmt::format("{} {}", print(e.position()), print_payload(e));
  // A data entry of one record is the rule.
  if (e.kind == entry_kind::data && e.record_count != 1) {
    text += fmt::format(" records {}", e.record_count);
  }
  if (e.codec != 0) text += fmt::format(" codec {}", e.codec);
  if (e.timestamp_ms != 0) text += fmt::format(" time {}", e.timestamp_ms);
  return text + fmt::format(" @{}", e.base_offset.value());
}

std::string print(const configuration& config) {
  std::string text = fmt::format("voters {}", show(config.voters));
  if (config.joint()) text += fmt::format(" outgoing {}", show(config.outgoing));
  if (!config.learners.empty()) text += fmt::format(" learners {}", show(config.learners));
  if (!config.learners_next.empty()) {
    text += fmt::format(" learners-next {}", show(config.learners_next));
  }
  return text;
}

std::string print(const message& m) {
  std::string text = fmt::format("{}->{} t{} {} {}", m.from.value(), m.to.value(), m.term.value(),
                                 name_of(m.body), std::visit(body_text{}, m.body));
  if (text.back() == ' ') text.pop_back();
  return text;
}

std::string print(const ready& r) {
  std::string text;
  const auto line = [&text](const std::string& what) { text += what + "\n"; };
  for (const election_step& e : r.elections)
    line(show(e));
  if (r.lead) {
    line(fmt::format("{}, term {}, leader {}", name_in(k_roles, r.lead->as), r.lead->term.value(),
                     show(r.lead->leader)));
  }
  for (const notice& n : r.notices)
    line(show(n));
  if (r.persist) line(show(*r.persist));
  for (const message& m : r.messages)
    line("send " + print(m));
  for (const load_request& l : r.loads) {
    line(fmt::format("load #{} for {}: {} to {}, {} bytes at most", l.request, l.peer.value(),
                     l.first.value(), prior(l.last).value(), l.bytes_max));
  }
  for (const snapshot_needed& s : r.snapshots) {
    line(fmt::format("snapshot #{} for {}: at {} or later", s.request, s.peer.value(),
                     s.at_least.value()));
  }
  if (r.visible) line(fmt::format("visible {}", r.visible->value()));
  for (const proposal_answer& a : r.proposals)
    line(show(a));
  for (const read_answer& a : r.reads)
    line(show(a));
  return text;
}

std::string print(const core_status& s) {
  std::string text = fmt::format(
      "{} {}, term {}, vote {}, leader {}, start {}, last {}, commit {}, visible {}, durable {}, "
      "{}{}{}\n",
      s.self.value(), name_in(k_roles, s.as), s.term.value(), show(s.vote), show(s.leader),
      print(s.start), print(s.last), s.commit.value(), s.visible.value(), s.durable.value(),
      print(s.config), s.quiesced ? ", asleep" : "", s.fenced ? ", fenced" : "");
  for (const auto& [node, peer] : s.peers) {
    text += fmt::format("  peer {}: {}, match {}, next {}, {} bytes under way{}\n", node.value(),
                        name_in(k_send_states, peer.state), peer.match.value(), peer.next.value(),
                        peer.window_bytes, peer.active ? "" : ", silent");
  }
  return text;
}

}  // namespace cairn::testing
