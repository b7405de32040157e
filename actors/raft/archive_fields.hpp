#pragma once
// What the values of the core's contract consist of, for archives (archive.hpp).

#include "actors/raft/archive.hpp"
#include "actors/raft/config.hpp"
#include "actors/raft/ready.hpp"

namespace cairn::raft {

// --- types.hpp, configuration.hpp ---------------------------------------------------------------

template <class A, like<log_position> T>
void fields(A& a, T& x) {
  pass(a, x.index, x.term);
}

template <class A, like<hard_state> T>
void fields(A& a, T& x) {
  pass(a, x.term, x.vote);
}

template <class A, like<term_run> T>
void fields(A& a, T& x) {
  pass(a, x.first, x.term);
}

/// The payload of a config entry stays, because the core reads it; a fingerprint does without.
template <class A, like<entry> T>
void fields(A& a, T& x) {
  pass(a, x.index, x.term);
  pass_enum(a, x.kind, entry_kind::control);
  pass(a, x.record_count, x.base_offset);
  if constexpr (A::k_hashes) {
    a.elided(x.payload);
  } else {
    pass(a, x.codec, x.timestamp_ms);
    if (x.kind == entry_kind::config) {
      pass_bytes(a, x.payload);
    } else {
      a.elided(x.payload);
    }
  }
}

template <class A, like<configuration> T>
void fields(A& a, T& x) {
  pass(a, x.voters, x.outgoing, x.learners, x.learners_next);
  pass_bytes(a, x.context);
}

template <class A, like<config_history::item> T>
void fields(A& a, T& x) {
  pass(a, x.index, x.config);
}

template <class A, like<member_change> T>
void fields(A& a, T& x) {
  pass_enum(a, x.what, member_change::action::remove);
  pass(a, x.node);
}

template <class A, like<snapshot> T>
void fields(A& a, T& x) {
  pass(a, x.last, x.next_offset, x.config);
  a.elided(x.state);
  pass(a, x.last_timestamp_ms);
}

template <class A, like<leadership> T>
void fields(A& a, T& x) {
  pass_enum(a, x.as, role::leader);
  pass(a, x.term, x.leader);
}

// --- messages.hpp -------------------------------------------------------------------------------

template <class A, like<vote_request> T>
void fields(A& a, T& x) {
  pass(a, x.last, x.pre, x.transfer);
}
template <class A, like<vote_response> T>
void fields(A& a, T& x) {
  pass(a, x.granted, x.pre);
}
template <class A, like<append_request> T>
void fields(A& a, T& x) {
  pass(a, x.prev, x.entries, x.commit);
}
template <class A, like<append_response> T>
void fields(A& a, T& x) {
  pass(a, x.accepted, x.index, x.hint);
}
template <class A, like<heartbeat_request> T>
void fields(A& a, T& x) {
  pass(a, x.commit, x.round, x.quiesce, x.last);
}
template <class A, like<heartbeat_response> T>
void fields(A& a, T& x) {
  pass(a, x.round);
}
template <class A, like<commit_notice> T>
void fields(A& a, T& x) {
  pass(a, x.commit);
}
template <class A, like<snapshot_request> T>
void fields(A& a, T& x) {
  pass(a, x.content);
}
template <class A, like<read_index_request> T>
void fields(A& a, T& x) {
  pass(a, x.incarnation, x.id);
}
template <class A, like<read_index_response> T>
void fields(A& a, T& x) {
  pass(a, x.incarnation, x.id, x.ok, x.index);
}
template <class A, like<message> T>
void fields(A& a, T& x) {
  pass(a, x.from, x.to, x.term, x.body);
}

// --- ready.hpp, inputs --------------------------------------------------------------------------

template <class A, like<propose> T>
void fields(A& a, T& x) {
  pass(a, x.id);
  pass_enum(a, x.kind, entry_kind::control);
  pass(a, x.codec, x.record_count, x.timestamp_ms);
  a.elided(x.payload);
}
template <class A, like<change_membership> T>
void fields(A& a, T& x) {
  pass(a, x.id, x.changes);
  pass_bytes(a, x.context);
}
template <class A, like<transfer_leadership> T>
void fields(A& a, T& x) {
  pass(a, x.target);
}
template <class A, like<read_index> T>
void fields(A& a, T& x) {
  pass(a, x.id);
}
template <class A, like<persist_done> T>
void fields(A& a, T& x) {
  pass(a, x.ticket);
}
template <class A, like<entries_loaded> T>
void fields(A& a, T& x) {
  pass(a, x.peer, x.request, x.entries);
}
template <class A, like<snapshot_available> T>
void fields(A& a, T& x) {
  pass(a, x.peer, x.request, x.content);
}
template <class A, like<log_trimmed> T>
void fields(A& a, T& x) {
  pass(a, x.last_removed, x.start_offset);
}
template <class A, like<peer_reachable> T>
void fields(A& a, T& x) {
  pass(a, x.node, x.reachable);
}

// --- ready.hpp, outputs: only fingerprints are taken of them ------------------------------------

template <class A, like<persist_batch> T>
void fields(A& a, T& x) {
  pass(a, x.ticket, x.state, x.install, x.truncate_from, x.entries);
}
template <class A, like<proposal_answer> T>
void fields(A& a, T& x) {
  pass(a, x.id);
  pass_enum(a, x.outcome, proposal_outcome::unknown);
  pass(a, x.position);
  pass_enum(a, x.reason, errc::internal);
}
template <class A, like<read_answer> T>
void fields(A& a, T& x) {
  pass(a, x.id, x.ok, x.index);
}
template <class A, like<load_request> T>
void fields(A& a, T& x) {
  pass(a, x.peer, x.request, x.first, x.last, x.bytes_max);
}
template <class A, like<snapshot_needed> T>
void fields(A& a, T& x) {
  pass(a, x.peer, x.request, x.at_least);
}
template <class A, like<notice> T>
void fields(A& a, T& x) {
  pass_enum(a, x.kind, notice_kind::transfer_aborted);
  pass(a, x.node);
}
template <class A, like<election_step> T>
void fields(A& a, T& x) {
  pass_enum(a, x.stage, election_stage::lost);
  pass(a, x.term);
  pass_enum(a, x.cause, election_cause::only_voter);
  pass(a, x.previous, x.candidate, x.silent_ticks);
}
template <class A, like<ready> T>
void fields(A& a, T& x) {
  static_assert(A::k_hashes);
  pass(a, x.persist, x.messages, x.visible, x.proposals, x.reads, x.loads, x.snapshots, x.notices,
       x.elections, x.lead);
}

// --- config.hpp ---------------------------------------------------------------------------------

template <class A, like<core_config> T>
void fields(A& a, T& x) {
  pass(a, x.self, x.election_ticks, x.heartbeat_ticks, x.disk_stall_ticks, x.snapshot_retry_ticks,
       x.quiesce_after_ticks, x.entry_bytes_max, x.append_bytes_max, x.peer_window_bytes,
       x.uncommitted_bytes_max, x.unpersisted_bytes_max, x.window_bytes_max, x.pending_reads_max,
       x.promote_lag_entries_max);
}

}  // namespace cairn::raft
