// The RaftActor and other nodes: envelopes in and out, links, and what the core thinks of peers.

#include "actors/raft_actor.hpp"
#include "actors/recorder/describe.hpp"
#include "actors/wire/raft_codec.hpp"
#include "storage/base/log_line.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::actors {

caf::message_handler raft_state::peer_handlers() {
  return {
      [this](const peer_envelope& envelope) { receive(envelope); },
      [this](const link_changed& change) { link(change); },
  };
}

void raft_state::receive(const peer_envelope& envelope) {
  entered();
  if (!config_.cluster_id.empty() && envelope.cluster_id != config_.cluster_id) {
    return refuse(envelope, fmt::format("it is of cluster {}", envelope.cluster_id));
  }
  switch (envelope.kind) {
    case peer_kind::raft:
      return receive_raft(envelope);
    case peer_kind::append:
      return receive_appends(envelope);
    case peer_kind::append_outcomes:
      return receive_outcomes(envelope);
    default:
      return refuse(envelope, "it is of a kind that is not for a log");
  }
}

void raft_state::receive_raft(const peer_envelope& envelope) {
  auto batch = wire::decode_raft(envelope.head, envelope.body);
  if (!batch) return refuse(envelope, batch.error().detail);
  if (batch->to != config_.replica.core.self) return refuse(envelope, "it is for another number");
  if (!peers_.admit(envelope.sender, batch->from)) {
    return refuse(envelope, fmt::format("number {} is not its own", batch->from.value()));
  }
  chronicle_.heard(batch->from);
  for (raft::message& m : batch->messages) {
    tell_message("gets", m);
    time_acknowledged(m);
    replica_.receive(batch->from, std::move(m));
  }
}

void raft_state::receive_appends(const peer_envelope& envelope) {
  const auto from = peers_.number_of(envelope.sender);
  if (!from) return refuse(envelope, "the sender is not known here");
  auto appends = wire::decode_appends(envelope.head, envelope.body);
  if (!appends) return refuse(envelope, appends.error().detail);
  replica_.receive(*from, std::move(*appends));
}

void raft_state::receive_outcomes(const peer_envelope& envelope) {
  const auto from = peers_.number_of(envelope.sender);
  if (!from) return refuse(envelope, "the sender is not known here");
  const auto outcomes = wire::decode_outcomes(envelope.head, envelope.body);
  if (!outcomes) return refuse(envelope, outcomes.error().detail);
  replica_.receive(*from, *outcomes);
}

// Entries, heartbeats and commits are too many for anybody but who asks for all.
void raft_state::tell_message(std::string_view what, const raft::message& m) const {
  const bool usual = std::holds_alternative<raft::append_request>(m.body) ||
                     std::holds_alternative<raft::append_response>(m.body) ||
                     std::holds_alternative<raft::heartbeat_request>(m.body) ||
                     std::holds_alternative<raft::heartbeat_response>(m.body) ||
                     std::holds_alternative<raft::commit_notice>(m.body);
  const auto level = usual ? log_level::trace : log_level::debug;
  if (!log_enabled(log_component::raft, level)) return;
  const node_namer names = [this](raft::node_id node) { return peers_.name_of(node); };
  log_line(log_component::raft, level)
      .field("log", config_.log_name)
      .field("peer", names(m.from == config_.replica.core.self ? m.to : m.from))
      .say("{} {}", what, describe_message(m, names));
}

// Events are few and kept: one a power of two.
bool raft_state::worth_an_event(std::uint64_t count) {
  return (count & (count - 1)) == 0;
}

void raft_state::report_failed_load(const loaded& read) {
  log_warning(log_component::raft)
      .sparsely()
      .field("log", config_.log_name)
      .field("peer", peers_.name_of(read.peer))
      .field("code", to_string(read.code))
      .field("failed", ++failed_loads_)
      .say(
          "reading entries for a follower failed: {}. It is tried again; the follower falls behind "
          "meanwhile. If this goes on, check this node's disk (dmesg, smartctl) and let another "
          "one lead: 'cairn cluster transfer-leader'.",
          read.detail);
  if (!worth_an_event(failed_loads_)) return;
  chronicle_.fault(event_severity::warning,
                   "entries for a lagging peer could not be read: " + read.detail,
                   {{"times", fmt::format("{}", failed_loads_)}});
}

void raft_state::refuse(const peer_envelope& envelope, const std::string& why) {
  log_warning(log_component::raft)
      .sparsely()
      .field("log", config_.log_name)
      .field("peer", wire::clean_text(envelope.sender))
      .field("refused", ++refused_)
      .say(
          "what another node sent was refused: {}. It is left out; Raft sends again what matters. "
          "If this goes on, see that all nodes run the same version and belong to one cluster.",
          why);
}

void raft_state::take_notices(const std::vector<raft::notice>& notices) {
  for (const raft::notice& n : notices) {
    switch (n.kind) {
      case raft::notice_kind::message_refused:
        log_warning(log_component::raft)
            .sparsely()
            .field("log", config_.log_name)
            .field("term", lead_.term.value())
            .field("peer", peers_.name_of(n.node))
            .field("number", n.node.value())
            .field("refused", ++refused_)
            .say(
                "a Raft message was refused: {}. It is left out; Raft sends again what matters. If "
                "this goes on, see that all nodes run the same version.",
                n.detail);
        if (worth_an_event(refused_)) {
          chronicle_.fault(
              event_severity::warning,
              fmt::format("a message of {} was refused: {}", peers_.name_of(n.node), n.detail),
              {{"node", peers_.name_of(n.node)}, {"times", fmt::format("{}", refused_)}});
        }
        break;
      case raft::notice_kind::entries_lost:
        log_critical(log_component::raft)
            .field("log", config_.log_name)
            .field("term", lead_.term.value())
            .say(
                "{}: the disk has lost what was durable. This node neither votes nor acknowledges "
                "any more, so that no acknowledged record is lost. Remove it from the cluster, "
                "empty its data directory, and let it join anew.",
                n.detail);
        break;
      case raft::notice_kind::disk_stalled:
        if (!n.detail.empty()) break;  // it has failed: report_fence()
        journal_.note("the disk does not finish a write");
        chronicle_.fault(event_severity::error,
                         "a write to the disk does not end: this node does not lead meanwhile");
        log_error(log_component::raft)
            .sparsely()
            .field("log", config_.log_name)
            .field("term", lead_.term.value())
            .say(
                "a write to the disk takes so long that this node does not lead meanwhile: another "
                "one is elected, and this one follows once the write is done. Look for what else "
                "uses the disk, and at its health (dmesg, smartctl).");
        break;
      case raft::notice_kind::quorum_lost:
        journal_.note("no quorum answers");
        log_warning(log_component::raft)
            .sparsely()
            .field("log", config_.log_name)
            .field("term", lead_.term.value())
            .say(
                "no majority answers, so this node does not lead any more: it refuses appends "
                "until "
                "a leader is elected. See 'cairn cluster members' for who is missing.");
        break;
      case raft::notice_kind::removed_from_group:
        journal_.note("no member any more");
        break;
      case raft::notice_kind::transfer_done:
      case raft::notice_kind::transfer_aborted:
        break;  // whoever asked is told
    }
  }
}

// --- out -----------------------------------------------------------------------------------------

bool raft_state::send(raft::node_id to, wire::envelope_parts parts) {
  const std::string node = peers_.name_of(to);
  if (config_.hub == nullptr || node.empty()) {
    ++dropped_;
    return false;
  }
  const bool sent = config_.hub->send(node, parts.lane,
                                      {.cluster_id = config_.cluster_id,
                                       .sender = {},
                                       .log = config_.log_name,
                                       .kind = parts.kind,
                                       .head = std::move(parts.head),
                                       .body = std::move(parts.body)});
  if (!sent) ++dropped_;
  return sent;
}

// What goes to one node goes together, in the order in which the core gave it.
void raft_state::send_messages(std::vector<raft::message>& messages) {
  if (messages.empty()) return;
  for (const raft::message& m : messages)
    tell_message("sends", m);
  std::stable_sort(messages.begin(), messages.end(),
                   [](const auto& a, const auto& b) { return a.to < b.to; });
  for (auto first = messages.begin(); first != messages.end();) {
    const auto last =
        std::find_if(first, messages.end(), [&](const auto& m) { return m.to != first->to; });
    for (wire::envelope_parts& parts : wire::encode_raft({first, last})) {
      if (!send(first->to, std::move(parts))) break;
    }
    first = last;
  }
}

void raft_state::send_appends(const std::vector<outgoing_appends>& batches) {
  for (const outgoing_appends& batch : batches) {
    if (send(batch.to, wire::encode_appends(batch.appends))) continue;
    entered();
    replica_.appends_dropped(batch.to, batch.appends.batch);
  }
}

void raft_state::send_outcomes(const std::vector<outgoing_outcomes>& batches) {
  for (const outgoing_outcomes& batch : batches) {
    for (wire::envelope_parts& parts : wire::encode_outcomes(batch.outcomes))
      (void)send(batch.to, std::move(parts));  // lost: the sender's time runs out, or its link
  }
}

void raft_state::link(const link_changed& change) {
  entered();
  journal_.note(fmt::format("link to {} is {}", change.node, change.up ? "up" : "lost"));
  chronicle_.link(change.node, change.up, change.reason);
  if (const auto number = peers_.number_of(change.node)) {
    replica_.link_changed(*number, change.up);
  }
}

}  // namespace cairn::actors
