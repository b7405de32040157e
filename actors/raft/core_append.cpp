// The follower's side of the log: paper 5.3.

#include "actors/raft/core.hpp"

#include <algorithm>

namespace cairn::raft {

// A message of the current term from its leader. @returns false if it cannot be: two leaders.
bool core::accept_leader(const message& m) {
  if (role_ == role::leader || (leader_ != k_nobody && leader_ != m.from)) {
    refuse(m, "a second leader in one term");
    return false;
  }
  if (role_ != role::follower) {
    become_follower(term_, m.from);
  } else {
    follow(m.from);
  }
  election_elapsed_ticks_ = 0;
  return true;
}

void core::handle(const message& m, append_request& body) {
  if (!accept_leader(m)) return;
  if (!body.entries.empty() && unpersisted_bytes_ > config_.unpersisted_bytes_max) return;
  const log_index verified(body.prev.index.value() + body.entries.size());
  // Before the start of the log everything is committed, hence equal to the leader's.
  if (body.prev.index >= log_.start().index && !log_.contains(body.prev)) {
    if (body.prev.index <= commit_) return refuse(m, "contradicts a committed entry");
    send(m.from, append_response{false, body.prev.index, log_.last_agreement(body.prev)});
    return;
  }
  if (!take_entries(m, body)) return;
  // Only what this message has verified: what follows in our log may conflict with the leader's.
  if (const log_index commit = std::min(body.commit, verified); commit > commit_) {
    set_commit(commit);
  }
  const log_index acknowledged = std::max(verified, commit_);
  send(m.from, append_response{true, acknowledged, {}}, persist_.covering(acknowledged));
}

// Adds what is new. A delayed request may end within our log: nothing is removed unless an entry
// conflicts. @returns false if the message contradicts a committed entry.
bool core::take_entries(const message& m, append_request& body) {
  for (entry& e : body.entries) {
    const std::optional<term_id> mine = log_.term_of(e.index);
    if (mine == e.term || e.index < log_.start().index) continue;
    if (e.index <= commit_) {
      refuse(m, "contradicts a committed entry");
      return false;
    }
    if (contradicts_offsets(e)) {
      refuse(m, "an entry's offset contradicts the log");
      return false;
    }
    if (mine) truncate_log(e.index, e.base_offset);
    if (e.kind == entry_kind::config) {
      auto config = decode_configuration(e.payload);
      CAIRN_CHECK(config.ok(), "malformed() let a bad configuration pass");
      configs_.append(e.index, std::move(*config));
    }
    append_to_log(std::move(e));
  }
  return true;
}

// The entries before `e` are the leader's too, so the leader's count of their records must be ours.
// For entries that are no longer in memory storage has the last word.
bool core::contradicts_offsets(const entry& e) const {
  const std::optional<record_offset> mine = log_.offset_after(prior(e.index));
  if (mine) return *mine != e.base_offset;
  return e.base_offset < log_.start_offset() || e.base_offset > log_.next_offset();
}

void core::handle(const message& m, const heartbeat_request& body) {
  if (!accept_leader(m) || !follow_commit(body.commit)) return;
  if (!body.quiesce) {
    send(m.from, heartbeat_response{body.round});
    return;
  }
  // Asleep only if all of it is here; otherwise the timer runs on, and its pre-vote wakes the
  // leader.
  if (log_.last() == body.last && commit_ == body.last.index) quiesced_ = true;
}

void core::handle(const message& m, const commit_notice& body) {
  if (accept_leader(m)) follow_commit(body.commit);
}

// `commit` is not beyond what we have acknowledged in this term. @returns false if the log is
// shorter: then it has lost what was durable, and counting this replica would lose what is
// committed.
bool core::follow_commit(log_index commit) {
  if (commit > log_.last_index()) {
    fence(notice_kind::entries_lost, "the log is shorter than what this replica has acknowledged");
    return false;
  }
  if (commit > commit_) set_commit(commit);
  return true;
}

}  // namespace cairn::raft
