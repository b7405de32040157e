// Followers that lack entries which no longer exist: paper section 7. A snapshot here is small:
// where the log starts, and the state that its earlier entries amounted to.

#include "actors/raft/core.hpp"

#include <algorithm>
#include <utility>

namespace cairn::raft {

void core::request_snapshot(node_id node, progress& peer) {
  peer.enter_snapshot(++last_request_, log_.start().index);
  out_.snapshots.push_back({node, peer.request, log_.start().index});
}

void core::on(snapshot_available& in) {
  const auto found = peers_.find(in.peer);
  if (fenced_ || role_ != role::leader || found == peers_.end()) return;
  progress& peer = found->second;
  if (peer.request != in.request || peer.state() != send_state::snapshot || peer.snapshot_sent) {
    return;
  }
  // The log was trimmed further while the snapshot was made.
  if (in.content.last.index < log_.start().index) return request_snapshot(in.peer, peer);
  CAIRN_CHECK(in.content.last.index <= visible_ && log_.contains(in.content.last),
              "snapshot at ({}, {}), wanted {} to {}", in.content.last.index.value(),
              in.content.last.term.value(), peer.snapshot_index().value(), visible_.value());
  peer.snapshot_sent = true;
  send(in.peer, snapshot_request{std::move(in.content)});
}

// A snapshot, or its answer, may get lost like anything else.
void core::tick_snapshots() {
  for (auto& [node, peer] : peers_) {
    if (peer.state() != send_state::snapshot) continue;
    if (++peer.snapshot_ticks >= config_.snapshot_retry_ticks) request_snapshot(node, peer);
  }
}

void core::handle(const message& m, snapshot_request& body) {
  if (!accept_leader(m)) return;
  snapshot& content = body.content;
  const log_index last = content.last.index;
  if (last > commit_ && log_.contains(content.last)) {
    // We have the entry after all, hence everything before it: what follows it stays.
    set_commit(last);
  } else if (last > commit_ && content.next_offset < log_.start_offset()) {
    return refuse(m, "a snapshot's offset contradicts the log");
  } else if (last > commit_) {
    // Nothing of the old log survives, in particular no conflicting entry at `last`.
    log_.reset(content.last, content.next_offset);
    configs_ = config_history({last, content.config});
    unpersisted_bytes_ = 0;
    commit_ = last;
    last_timestamp_ms_ = std::max(last_timestamp_ms_, content.last_timestamp_ms);
    persist_.replaced(std::move(content));
  }
  const log_index acknowledged = std::max(last, commit_);
  send(m.from, append_response{true, acknowledged, {}}, persist_.covering(acknowledged));
}

}  // namespace cairn::raft
