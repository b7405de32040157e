#pragma once
// The contract between the core and its driver: what goes in, and what comes out.
//
// The driving loop (the first day's reading):
//
//   core.step(input);                       // as many as there are
//   ready batch = core.take_ready();
//   send(batch.messages);                   // now: each says only what is durable already
//   publish(batch.visible);                 // let readers see up to here
//   answer(batch.proposals, batch.reads);
//   if (batch.persist) storage.write(*batch.persist);   // asynchronous; then, once synced:
//   ... core.step(persist_done{ticket});    // releases the messages that had to wait for it
//
// Messages that depend on a write stay inside the core until its persist_done, so a driver cannot
// send them too early, and replies of an outdated term are dropped there (docs/adr, "messages wait
// in the core").

#include "actors/raft/messages.hpp"
#include "storage/base/errc.hpp"

#include <optional>
#include <string_view>
#include <variant>
#include <vector>

namespace cairn::raft {

// ---------------------------------------------------------------------------------------- inputs

/// Time has passed. All timeouts of core_config are counted in these.
struct tick {};

/// Append `payload`. Answered exactly once in ready::proposals.
struct propose {
  proposal_id id;
  entry_kind kind = entry_kind::data;  ///< data or control
  std::uint8_t codec = 0;
  std::uint32_t record_count = 0;
  unix_ms timestamp_ms = 0;  ///< raised to that of the entry before, if lower
  shared_bytes payload;
};

/// Change the group. Answered once in ready::proposals: ok when the final configuration is
/// committed. New voters must be learners that have caught up.
struct change_membership {
  proposal_id id;
  std::vector<member_change> changes;
  shared_bytes context;  ///< replaces configuration::context
};

/// Hand the lead to `target`; the outcome is a notice.
struct transfer_leadership {
  node_id target;
};

/// Which index must be visible before a linearizable read? Answered exactly once in ready::reads.
struct read_index {
  read_id id;
};

/// The batch with this ticket is durable, all of it.
struct persist_done {
  persist_ticket ticket;
};

/// A write or sync has failed: nobody knows what is on disk. The core stops for good.
struct persist_failed {};

/// Answer to a load_request. Fewer entries than asked for are fine, none means a failed read.
struct entries_loaded {
  node_id peer;
  std::uint64_t request = 0;
  std::vector<entry> entries;
};

/// Answer to a snapshot_needed.
struct snapshot_available {
  node_id peer;
  std::uint64_t request = 0;
  snapshot content;
};

/// Storage has removed every entry up to and including `last_removed`.
/// @pre `last_removed` is visible.
struct log_trimmed {
  log_index last_removed;
  record_offset start_offset;  ///< of the first record behind it
};

/// What the failure detector thinks of a node. A hint: it decides only who may sleep.
struct peer_reachable {
  node_id node;
  bool reachable = true;
};

/// Somebody waits for this group: do not sleep.
struct wake {};

using input = std::variant<tick, message, propose, change_membership, transfer_leadership,
                           read_index, persist_done, persist_failed, entries_loaded,
                           snapshot_available, log_trimmed, peer_reachable, wake>;

// --------------------------------------------------------------------------------------- outputs

/// One write. In this order: `state`, `install`, `truncate_from`, `entries`; then one sync; then
/// persist_done. After a crash any prefix of these steps may be on disk, a part of `entries`
/// included. At most one batch is out at a time: what happens meanwhile becomes the next one.
struct persist_batch {
  persist_ticket ticket;
  std::optional<hard_state> state;  ///< must be on disk before any entry of this batch
  std::optional<snapshot> install;  ///< drop the whole log, start again after `install->last`
  std::optional<log_index> truncate_from;  ///< remove this entry and all behind it, first
  std::vector<entry> entries;              ///< contiguous, to be put at the end of the log
};

enum class proposal_outcome : std::uint8_t {
  ok,        ///< committed at `position`
  not_done,  ///< nothing was appended, for `reason`
  unknown,   ///< lost the lead (or the disk) with the entry in the log: may be committed or not
};

struct proposal_answer {
  proposal_id id;
  proposal_outcome outcome = proposal_outcome::unknown;
  log_position position;     ///< of the entry; unset with not_done
  errc reason = errc::none;  ///< not_done: unavailable, overloaded, too_large, invalid_argument
  std::string_view detail;   ///< not_done: why, for people; static text
};

struct read_answer {
  read_id id;
  bool ok = false;  ///< false: no leader, or the lead changed; try again
  log_index index;  ///< read when this is visible
};

/// Entries that the core no longer holds: read [first, last), at most `bytes_max` but at least one.
struct load_request {
  node_id peer;
  std::uint64_t request = 0;
  log_index first;
  log_index last;
  std::uint64_t bytes_max = 0;
};

/// `peer` needs entries that are gone from this log: make a snapshot that ends at `at_least` or
/// later, and not beyond what is visible.
struct snapshot_needed {
  node_id peer;
  std::uint64_t request = 0;
  log_index at_least;
};

enum class notice_kind : std::uint8_t {
  message_refused,     ///< `node` sent something impossible (`detail`): count, and cut it
  entries_lost,        ///< this replica lacks what it has acknowledged: it must not go on
  disk_stalled,        ///< the write in flight takes longer than disk_stall_ticks
  quorum_lost,         ///< stepped down: no quorum was heard for an election timeout
  removed_from_group,  ///< stepped down: the committed configuration is without this node
  transfer_done,       ///< `node` has taken over
  transfer_aborted,    ///< the lead stays (`detail`)
};

struct notice {
  notice_kind kind = notice_kind::message_refused;
  node_id node;
  std::string_view detail;  ///< static text
};

/// Why there is an election.
enum class election_cause : std::uint8_t {
  start,           ///< this node has heard of no leader since it started
  no_heartbeat,    ///< the leader was not heard of for an election timeout
  transfer,        ///< the leader handed the lead over
  lost_quorum,     ///< this node led, and no quorum answered it any more
  disk_stalled,    ///< this node led, and its disk did not finish a write
  higher_term,     ///< another node is in a later term
  leader_removed,  ///< the leader is no voter any more
  only_voter,      ///< there is nobody else to ask
};
/// Lower-case name with hyphens, such as "no-heartbeat".
[[nodiscard]] std::string_view to_string(election_cause cause);

enum class election_stage : std::uint8_t {
  vacant,  ///< this node's leader, or its term, is over
  stands,  ///< this node asks whether it would be elected: the pre-vote
  asks,    ///< this node asks for votes
  lost,    ///< this node asked in vain, or gave way to another one
};

/// What this node sees of an election. That it was won is told by `leadership`.
struct election_step {
  election_stage stage = election_stage::vacant;
  term_id term;  ///< that is to get a leader
  election_cause cause = election_cause::start;
  node_id previous;                ///< who led before; nobody: not known
  node_id candidate;               ///< who asks for votes; nobody: not known
  std::uint32_t silent_ticks = 0;  ///< for so long nothing had come from `previous`
};

/// Who leads, as far as this node knows.
struct leadership {
  role as = role::follower;
  term_id term;
  node_id leader;  ///< nobody: unknown
  bool operator==(const leadership&) const = default;
};

/// What is to be done, and may be done now. Taken once; nothing in it comes again.
struct ready {
  /// Write it; nothing else here waits for it.
  std::optional<persist_batch> persist;
  /// Send now, before or after anything else here.
  std::vector<message> messages;
  /// Entries up to here are committed and durable on this node: show them to readers. Needs no
  /// write. Never goes back in a process.
  std::optional<log_index> visible;
  /// Answer now. Each proposal has exactly one; ok means durable on a quorum, which need not
  /// include this node yet.
  std::vector<proposal_answer> proposals;
  /// Answer once `index` is visible.
  std::vector<read_answer> reads;
  /// Read from storage, off the critical path; then entries_loaded.
  std::vector<load_request> loads;
  /// Then snapshot_available.
  std::vector<snapshot_needed> snapshots;
  /// For logs, metrics and operators; entries_lost and message_refused ask for action.
  std::vector<notice> notices;
  /// Oldest first; before what `lead` says. For people.
  std::vector<election_step> elections;
  /// Set when it has changed.
  std::optional<leadership> lead;
};

}  // namespace cairn::raft
