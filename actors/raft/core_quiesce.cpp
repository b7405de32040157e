// Sleep: a group in which everybody has everything costs no messages and no timers. Whoever needs
// it awake wakes it: a proposal or read at the leader, a message of any other kind, or the driver,
// when the failure detector doubts the leader.

#include "actors/raft/core.hpp"
#include "actors/raft/quorum.hpp"

namespace cairn::raft {

void core::on(const peer_reachable& in) {
  if (fenced_) return;
  if (const auto found = peers_.find(in.node); found != peers_.end()) {
    if (found->second.reachable == in.reachable) return;
    found->second.reachable = in.reachable;
    wake_up();
  } else if (in.node == leader_ && !in.reachable) {
    wake_up();
  }
}

void core::on(const wake&) {
  if (!fenced_) wake_up();
}

void core::wake_up() {
  idle_ticks_ = 0;
  if (!quiesced_) return;
  quiesced_ = false;
  election_elapsed_ticks_ = 0;
  if (role_ != role::leader) return restart_election_timer();
  // Nobody was asked to answer while we slept.
  for (auto& [node, peer] : peers_)
    peer.active = true;
  heartbeat_elapsed_ticks_ = 0;
  broadcast_heartbeat();
}

void core::wake_for(const message& m) {
  if (!quiesced_) return;
  // Late messages of the time before falling asleep must not wake anybody.
  const auto* heartbeat = std::get_if<heartbeat_request>(&m.body);
  const auto* response = std::get_if<append_response>(&m.body);
  const bool late = std::holds_alternative<heartbeat_response>(m.body) ||
                    std::holds_alternative<commit_notice>(m.body) ||
                    (heartbeat != nullptr && heartbeat->quiesce) ||
                    (response != nullptr && response->accepted);
  const auto peer = peers_.find(m.from);
  const bool back = peer != peers_.end() && !peer->second.reachable;
  if (!late || back) wake_up();
}

bool core::may_sleep() const {
  if (config_.quiesce_after_ticks == 0 || idle_ticks_ < config_.quiesce_after_ticks) return false;
  const log_index last = log_.last_index();
  if (commit_ != last || visible_ != last || !proposals_.empty() || persist_.in_flight()) {
    return false;
  }
  if (members().joint() || membership_ || transferee_ != k_nobody) return false;
  if (!reads_.empty() || !barred_reads_.empty()) return false;
  // A node that is known to be down is waited for by its own return, not by heartbeats.
  for (const auto& [node, peer] : peers_) {
    if (peer.reachable && peer.match() != last) return false;
  }
  return is_quorum(members(), [this](node_id node) {
    return node == config_.self || peers_.at(node).reachable;
  });
}

void core::tick_quiesce() {
  if (may_sleep()) fall_asleep();
}

void core::fall_asleep() {
  quiesced_ = true;
  for (auto& [node, peer] : peers_) {
    if (!peer.reachable) continue;
    peer.sent_commit = commit_;
    send(node, heartbeat_request{commit_, round_, true, log_.last()});
  }
}

}  // namespace cairn::raft
