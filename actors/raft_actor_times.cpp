// The RaftActor's clockwork: tells entry_times when what happened to an entry.

#include "actors/raft_actor.hpp"

#include <variant>

namespace cairn::actors {

caf::message_handler raft_state::times_handlers() {
  return {
      [this](const ask_timeline& question) {
        journal_.count();
        return timeline(question);
      },
  };
}

// Before anything of `out` is carried out.
void raft_state::time_taken(const replica_effects& out, std::uint64_t now_ns) {
  if (out.lead || out.members_changed) time_group();
  if (!out.proposed.empty()) {
    times_.proposed(out.proposed, now_ns);
    times_.count(append_stage::queue, out.queue);
  }
  if (!out.forward.empty()) times_.count(append_stage::forward, out.forward);
  if (out.persist) {
    const auto& entries = out.persist->entries;
    writing_first_ = entries.empty() ? log_index(1) : entries.front().index;
    writing_last_ = entries.empty() ? log_index(0) : entries.back().index;
  }
  if (times_.leads()) times_.committed(replica_.core().commit_index(), now_ns);
}

void raft_state::time_sent(const std::vector<raft::message>& messages) {
  if (!times_.leads() || messages.empty()) return;
  const std::uint64_t now_ns = config_.env->monotonic_ns();
  for (const raft::message& m : messages) {
    const auto* append = std::get_if<raft::append_request>(&m.body);
    if (append == nullptr || append->entries.empty()) continue;
    times_.sent(m.to, append->entries.front().index, append->entries.back().index, now_ns);
  }
}

void raft_state::time_written(const persisted& done) {
  if (done.code != errc::none) return;
  writing_segment_ = done.segment;
  if (times_.leads() && writing_first_ <= writing_last_) {
    times_.persisted(writing_first_, writing_last_, done.times);
  }
}

// The core has yet to judge the message, but what it says of an entry of this term is so.
void raft_state::time_acknowledged(const raft::message& m) {
  if (!times_.leads() || m.term != replica_.core().term()) return;
  const auto* answer = std::get_if<raft::append_response>(&m.body);
  if (answer != nullptr && answer->accepted) times_.acknowledged(m.from, answer->index, now_ns_);
}

// Once the clients' answers are on their way.
void raft_state::time_answered(const replica_effects& out) {
  if (!times_.leads() || (!out.publish && out.answered == log_index{})) return;
  const std::uint64_t now_ns = config_.env->monotonic_ns();
  if (out.publish) times_.published(out.publish_last, now_ns_);
  times_.answered(out.answered, now_ns);
}

void raft_state::time_group() {
  const raft::core& core = replica_.core();
  if (!replica_.leads()) return times_.follow();
  peers_.update(replica_.members());
  times_.lead(core.term(), config_.replica.core.self, replica_.members(),
              [this](raft::node_id node) { return peers_.name_of(node); });
}

entry_timeline raft_state::timeline(const ask_timeline& question) const {
  entry_timeline out;
  auto way = times_.way_of(question.index, question.term);
  if (!way) {
    out.code = errc::not_found;
    out.detail = "this node has not proposed that entry, or too long ago to know its way";
    return out;
  }
  for (const peer_way& peer : way->peers)
    out.peers.push_back(peers_.name_of(peer.node));
  out.way = *std::move(way);
  const auto& members = replica_.members();
  out.peers_wanted = static_cast<std::uint32_t>(out.way.peers.size());
  out.voters = static_cast<std::uint32_t>(members.voters.size());
  out.segment = writing_segment_;
  return out;
}

}  // namespace cairn::actors
