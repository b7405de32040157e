// The leader's side of the log: paper 5.3 and 5.4.2; pipelining and writing to its own disk in
// parallel: dissertation 10.2.

#include "actors/raft/core.hpp"
#include "actors/raft/quorum.hpp"
#include "storage/base/planted_bug.hpp"

#include <algorithm>
#include <utility>

namespace cairn::raft {

void core::on(propose& in) {
  errc reason = errc::none;
  if (const std::string_view why = refusal(in, reason); !why.empty()) {
    out_.proposals.push_back({in.id, proposal_outcome::not_done, {}, reason, why});
    return;
  }
  wake_up();
  entry e;
  e.kind = in.kind;
  e.codec = in.codec;
  e.record_count = in.record_count;
  e.timestamp_ms = in.timestamp_ms;
  e.payload = std::move(in.payload);
  const std::uint64_t size_bytes = e.size_bytes();
  uncommitted_bytes_ += size_bytes;
  proposals_.push_back({in.id, append_as_leader(std::move(e)), size_bytes});
}

std::string_view core::refusal(const propose& in, errc& reason) const {
  reason = errc::unavailable;
  if (fenced_) return "this replica is fenced";
  if (role_ != role::leader) return "not the leader";
  if (transferee_ != k_nobody) return "the lead is being handed over";
  reason = errc::invalid_argument;
  if (in.kind != entry_kind::data && in.kind != entry_kind::control) {
    return "only data and control entries are proposed";
  }
  if (in.kind == entry_kind::control && in.record_count != 0) return "control entry with records";
  reason = errc::too_large;
  if (in.payload.size() > config_.entry_bytes_max) return "the entry is too large";
  reason = errc::overloaded;
  const std::uint64_t size_bytes = k_entry_overhead_bytes + in.payload.size();
  if (uncommitted_bytes_ > 0 && uncommitted_bytes_ + size_bytes > config_.uncommitted_bytes_max) {
    return "too much is not committed yet";
  }
  reason = errc::none;
  return {};
}

log_position core::append_as_leader(entry e) {
  e.index = log_.last_index().next();
  e.term = term_;
  e.base_offset = log_.next_offset();
  e.timestamp_ms = std::max(e.timestamp_ms, last_timestamp_ms_);
  const log_position position = e.position();
  idle_ticks_ = 0;
  append_to_log(std::move(e));
  if (planted(7)) advance_commit();
  return position;
}

log_position core::append_internal(entry_kind kind, shared_bytes payload) {
  entry e;
  e.kind = kind;
  e.payload = std::move(payload);
  return append_as_leader(std::move(e));
}

void core::tick_leader() {
  ++heartbeat_elapsed_ticks_;
  ++idle_ticks_;
  if (++election_elapsed_ticks_ >= config_.election_ticks) {
    election_elapsed_ticks_ = 0;
    // Dissertation 6.2: a leader that no majority hears must not hold up its clients.
    const bool heard = is_quorum(
        members(), [this](node_id node) { return node == config_.self || peers_.at(node).active; });
    if (!heard) return step_down(notice_kind::quorum_lost);
    for (auto& [node, peer] : peers_)
      peer.was_active = std::exchange(peer.active, false);
  }
  tick_transfer();
  tick_snapshots();
  if (heartbeat_elapsed_ticks_ < config_.heartbeat_ticks) return;
  heartbeat_elapsed_ticks_ = 0;
  tick_quiesce();
  if (!quiesced_) broadcast_heartbeat();
}

void core::broadcast_heartbeat() {
  ++round_;
  for (auto& [node, peer] : peers_) {
    peer.sent_commit = std::min(commit_, peer.match());
    send(node, heartbeat_request{peer.sent_commit, round_, false, {}});
  }
}

void core::replicate_to(node_id node, progress& peer) {
  while (peer.may_send(config_.peer_window_bytes) && peer.request == 0) {
    if (!send_entries(node, peer)) break;
  }
  tell_commit(node, peer);
}

// @returns true if something was sent and there may be more to send.
bool core::send_entries(node_id node, progress& peer) {
  const log_index next = peer.next();
  if (next > log_.last_index()) {
    if (peer.state() == send_state::probe) send_append(node, peer, {});
    return false;
  }
  if (next <= log_.start().index) {
    request_snapshot(node, peer);
    return false;
  }
  if (peer.asks_again()) {
    send_append(node, peer, {});
    return false;
  }
  if (next < log_.window_first()) {
    peer.request = ++last_request_;
    out_.loads.push_back({node, peer.request, next, log_.window_first(), config_.append_bytes_max});
    return false;
  }
  send_append(node, peer, log_.slice(next, config_.append_bytes_max));
  return true;
}

void core::send_append(node_id node, progress& peer, std::vector<entry> entries) {
  const log_index before = prior(peer.next());
  const std::optional<term_id> term = log_.term_of(before);
  CAIRN_CHECK(term.has_value(), "append to {} after unknown entry {}", node.value(),
              before.value());
  const log_index last(before.value() + entries.size());
  std::uint64_t size_bytes = 0;
  for (const entry& e : entries)
    size_bytes += e.size_bytes();
  peer.sent(last, size_bytes);
  peer.sent_commit = std::max(peer.sent_commit, std::min(commit_, last));
  send(node, append_request{{before, *term}, std::move(entries), commit_});
}

// Readers of a follower should not wait for the next append or heartbeat.
void core::tell_commit(node_id node, progress& peer) {
  const log_index commit = std::min(commit_, peer.match());
  if (commit <= peer.sent_commit) return;
  peer.sent_commit = commit;
  send(node, commit_notice{commit});
}

void core::on(entries_loaded& in) {
  const auto found = peers_.find(in.peer);
  if (fenced_ || role_ != role::leader || found == peers_.end()) return;
  progress& peer = found->second;
  if (peer.request != in.request || peer.state() == send_state::snapshot) return;
  peer.request = 0;
  // What cannot be read now is not asked for again at once, but when the peer is heard of next.
  if (in.entries.empty()) return peer.pause();
  // The log may have been trimmed, or the peer have got on, while storage was reading.
  if (in.entries.front().index != peer.next() || peer.next() <= log_.start().index ||
      !peer.may_send(config_.peer_window_bytes)) {
    return;
  }
  log_index expected = peer.next();
  record_offset offset = in.entries.front().base_offset;
  for (const entry& e : in.entries) {
    CAIRN_CHECK(e.index == expected && log_.term_of(e.index) == e.term,
                "storage gave entry ({}, {}) for index {}", e.index.value(), e.term.value(),
                expected.value());
    CAIRN_CHECK(e.base_offset == offset, "storage gave entry {} offset {} instead of {}",
                e.index.value(), e.base_offset.value(), offset.value());
    expected = expected.next();
    offset = e.next_offset();
  }
  send_append(in.peer, peer, std::move(in.entries));
}

void core::handle(const message& m, const append_response& body) {
  const auto found = peers_.find(m.from);
  if (role_ != role::leader || found == peers_.end()) return;
  progress& peer = found->second;
  peer.active = true;
  if (!body.accepted) {
    if (body.index.value() == 0) return;
    // Both sides skip whole terms: the follower did in its hint, we do here. A hint from before our
    // start stays as it is, and leads to a snapshot.
    const bool known = body.hint.index >= log_.start().index;
    peer.refused(body.index, known ? log_.last_agreement(body.hint).index : body.hint.index);
    return;
  }
  if (body.index > log_.last_index()) return refuse(m, "acknowledges what was never sent");
  if (!peer.acknowledged(body.index)) return;
  idle_ticks_ = 0;
  advance_commit();
  if (role_ == role::leader) continue_transfer(m.from);
}

void core::handle(const message& m, const heartbeat_response& body) {
  const auto found = peers_.find(m.from);
  if (role_ != role::leader || found == peers_.end()) return;
  if (body.round > round_) return refuse(m, "answers a heartbeat that was never sent");
  progress& peer = found->second;
  peer.active = true;
  peer.round = std::max(peer.round, body.round);
  peer.resume();
  // Nothing acknowledged since the last answer, though something is under way: ask where the logs
  // agree, in case all of it was lost.
  const bool stuck = peer.state() == send_state::replicate && peer.window_bytes() > 0 &&
                     peer.match() == peer.match_at_heartbeat;
  peer.match_at_heartbeat = peer.match();
  if (stuck && peer.next() > log_.start().index) {
    send_append(m.from, peer, {});
  } else if (stuck) {
    peer.enter_probe(peer.match().next());
  }
  settle_reads();
}

log_index core::match_of(node_id node) const {
  if (node != config_.self) return peers_.at(node).match();
  // Like every voter, we count for what is on our disk.
  return planted(7) ? log_.last_index() : persist_.durable();
}

bool core::committed_in_term() const {
  return log_.term_of(commit_) == term_;
}

void core::advance_commit() {
  const log_index agreed(
      quorum_value(members(), [this](node_id node) { return match_of(node).value(); }));
  if (agreed <= commit_) return;
  // Paper 5.4.2: entries of earlier terms are committed only together with one of ours.
  if (!planted(1) && log_.term_of(agreed) != term_) return;
  const bool barred = !committed_in_term();
  set_commit(agreed);
  settle_proposals();
  if (barred && committed_in_term()) start_barred_reads();
  continue_membership_change();
}

void core::set_commit(log_index index) {
  CAIRN_CHECK(index > commit_ && index <= log_.last_index(), "commit {} after {} in a log to {}",
              index.value(), commit_.value(), log_.last_index().value());
  commit_ = index;
}

void core::settle_proposals() {
  while (!proposals_.empty() && proposals_.front().position.index <= commit_) {
    const pending_proposal& first = proposals_.front();
    CAIRN_CHECK(log_.contains(first.position), "proposal {} is not where it was put",
                first.id.value());
    out_.proposals.push_back({first.id, proposal_outcome::ok, first.position, errc::none, {}});
    uncommitted_bytes_ -= first.size_bytes;
    proposals_.pop_front();
  }
}

void core::step_down(notice_kind why) {
  note(why, config_.self, "");
  const election_cause cause = why == notice_kind::quorum_lost    ? election_cause::lost_quorum
                               : why == notice_kind::disk_stalled ? election_cause::disk_stalled
                                                                  : election_cause::leader_removed;
  become_follower(term_, k_nobody, cause, k_nobody);
}

// Answers everything that only a leader could have brought to an end.
void core::leave_office() {
  for (const pending_proposal& p : proposals_) {
    out_.proposals.push_back({p.id, proposal_outcome::unknown, p.position, errc::none, {}});
  }
  proposals_.clear();
  uncommitted_bytes_ = 0;
  if (membership_) {
    out_.proposals.push_back({membership_->id, proposal_outcome::unknown, {}, errc::none, {}});
    membership_.reset();
  }
  fail_reads();
  awaited_transferee_ = std::exchange(transferee_, k_nobody);
  peers_.clear();
  round_due_ = false;
  leader_ = k_nobody;
}

}  // namespace cairn::raft
