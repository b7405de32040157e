#pragma once
// Everything that actors say to each other: plain structs of values, ids and immutable shared
// bytes. type_ids.hpp declares them to CAF, inspect.hpp makes them printable and serializable.
//
// Handles are dynamically typed (caf::actor), because a gateway port is an actor_companion and has
// no behaviour that a typed handle could check. Who takes what:
//
//   writer (RaftActor)          append_batch, await_commit, ask_log -> log_report,
//                               close_log -> log_closed
//   port (apps/actor_port)      append_outcomes, log_advanced, wait_alarm
//   LogActor                    persist -> persisted, reserve_room -> room_reserved,
//                               save_sessions -> sessions_saved,
//                               load_entries -> loaded, attach_raft, ask_log, close_log,
//                               apply_retention
//   RaftActor                   log_trimmed, sessions_wanted, and the answers above; read_barrier
//   ->
//                               barrier_passed, peer_envelope, link_changed, watch_raft,
//                               change_members -> raft_request_done,
//                               transfer_lead -> raft_request_done, ask_raft -> raft_report,
//                               ask_timeline -> entry_timeline
//   ClusterActor                raft_changed, link_changed, ask_cluster -> cluster_report,
//                               change_cluster -> cluster_change_done
//   SegmentActor                segment_read -> read_outcome, cold_read_done, segment_sealed
//   ReaderActor                 cold_read -> read_outcome, load_entries -> loaded
//   MaintenanceActor            watch_log, run_chores
//   NodeActor                   actor_started, actor_stopped, list_actors -> actor_list, log_fenced
//   InspectActor                inspect_question -> inspect_reply (inspect/inspect_messages.hpp),
//                               peer_envelope, link_changed
//   all of them                 describe -> actor_report
//
// An arrow is a CAF request with a response: if the receiver dies, the asker gets an error. Appends
// are plain messages, because one answer covers many; a port monitors the writer instead.

#include "actors/entry_times.hpp"
#include "actors/raft/progress.hpp"
#include "actors/raft/ready.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/errc.hpp"
#include "storage/base/ids.hpp"

#include <caf/actor.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace cairn::actors {

/// Names a request within its port. Never reused.
using request_id = std::uint64_t;

/// The committed range of a log, [lowest, next).
struct log_range {
  record_offset lowest;
  record_offset next;
};

// --- appends -------------------------------------------------------------------------------------

/// One append: a serialized cairn.v1.RecordBatch that is stored whole or not at all.
struct append_item {
  request_id id = 0;
  shared_bytes payload;
  std::uint32_t record_count = 0;
  bool conditional = false;       ///< append only if the next offset is `expected_offset`
  record_offset expected_offset;  ///< only when `conditional`
  std::uint64_t deadline_ns = 0;  ///< env::monotonic_ns(); not begun by then: refused
  std::uint64_t received_ns = 0;  ///< env::monotonic_ns() when it came in; 0: not known
};

/// The appends that a port gathered since its last flush. Answered with append_outcomes, each item
/// exactly once, not necessarily all in one message.
struct append_batch {
  caf::actor port;
  std::vector<append_item> items;
};

/// What became of one append. `code` none: durable on a quorum, the other fields say where.
/// outcome_unknown: nobody knows. Anything else: nothing was stored.
struct append_outcome {
  request_id id = 0;
  errc code = errc::none;
  std::string detail;
  record_offset offset;
  std::uint32_t count = 0;
  unix_ms timestamp_ms = 0;
  term_id term;
  log_index index;
  /// It was stored before, under the same identity, and the fields say where; append_outcomes says
  /// how many replicas have it now.
  bool replayed = false;
  std::uint64_t expected_seq = 0;  ///< with sequence_gap, sequence_too_old: what would be taken
};

struct append_outcomes {
  std::vector<append_outcome> items;
  std::uint32_t durable_on = 0;
  std::uint32_t replicas = 0;
  log_range range;  ///< committed when this was sent; covers the items that succeeded
};

// --- reads ---------------------------------------------------------------------------------------

/// Asks for one log_advanced as soon as the committed end is beyond `beyond`. One request a port is
/// kept; a later one replaces it.
struct await_commit {
  caf::actor port;
  record_offset beyond;
};

struct log_advanced {
  log_range range;
};

/// Before a linearizable read: what is the end of the log? Answered with barrier_passed.
struct read_barrier {
  std::uint64_t deadline_ns = 0;  ///< env::monotonic_ns(); later it is not waited for a leader
};
struct barrier_passed {
  errc code = errc::none;  ///< none, unavailable, overloaded
  std::string detail;
  record_offset end;  ///< committed at a moment after the question, and visible here
};

/// A port's own alarm: the first of its waiting reads runs out of time.
struct wait_alarm {
  std::uint64_t generation = 0;
};

/// A read that the page cache could not answer.
struct segment_read {
  bool by_time = false;  ///< start at the first record not older than `time_ms`, else at `from`
  unix_ms time_ms = 0;
  record_offset from;
  std::uint64_t bytes_max = 0;
  std::uint64_t records_max = 0;
};

/// A segment_read on its way to a thread that may wait for the disk.
struct cold_read {
  segment_read request;
  caf::actor segment;
};

/// Tells the segment how its cold read went. The port gets the read_outcome itself.
struct cold_read_done {
  errc code = errc::none;
  std::string detail;
  std::uint64_t size_bytes = 0;
};

struct read_frame {
  record_offset base_offset;
  std::uint32_t record_count = 0;
  unix_ms timestamp_ms = 0;
  term_id term;
  log_index index;
  shared_bytes payload;
};

/// Answer to a segment_read.
struct read_outcome {
  errc code = errc::none;
  std::string detail;
  record_offset start;
  std::vector<read_frame> frames;
  log_range range;
};

// --- between a RaftActor and its LogActor --------------------------------------------------------
// Each of these is answered exactly once, to whoever sent it: a plain message for a plain message,
// a response for a request. They never leave the process.

/// Carry out one write: everything in `batch`, in the order that raft::persist_batch gives, then
/// one sync. One at a time.
struct persist {
  std::shared_ptr<const raft::persist_batch> batch;
};

/// What became of a persist. `code` none: all of it is durable. disk_full: nothing of it was done;
/// ask again later with the same batch. Anything else: the log is fenced for ever and the node
/// ends.
struct persisted {
  raft::persist_ticket ticket;
  errc code = errc::none;
  std::string detail;
  std::uint64_t room_bytes = 0;   ///< as in room_reserved
  std::uint64_t room_frames = 0;  ///< likewise
  write_times times{};            ///< with none
  record_offset segment{};        ///< base offset of the segment that takes writes now
};

/// Find room for entries of `bytes` together, counted as storage::frame_stride_bytes(payload).
struct reserve_room {
  std::uint64_t bytes = 0;
};

/// `code` none: there is room for what was asked. disk_full: there is not. Either way up to
/// `room_frames` entries of `room_bytes` together will not meet a full disk, until others have used
/// the room; configurations excepted, and what is written together with one.
struct room_reserved {
  errc code = errc::none;
  std::string detail;
  std::uint64_t room_bytes = 0;
  std::uint64_t room_frames = 0;
};

/// Read entries for a lagging peer. Reads below the published end run on a ReaderActor.
struct load_entries {
  raft::load_request request;
};

/// Fewer entries than asked for are fine; none means that the read failed, `code` says why.
struct loaded {
  raft::node_id peer;
  std::uint64_t request = 0;
  std::vector<raft::entry> entries;
  errc code = errc::none;
  std::string detail;
};

/// To the LogActor: tell this RaftActor what retention removes.
struct attach_raft {
  caf::actor raft;
};

/// Make this durable: `sessions` of the log's directory. Answered with sessions_saved.
struct save_sessions {
  log_index index;  ///< everything up to here is in it
  shared_bytes state;
};
/// none, or disk_full: the one before it stands. Anything else: the log is fenced.
struct sessions_saved {
  errc code = errc::none;
};
/// To the RaftActor: retention waits for newer sessions.
struct sessions_wanted {};

/// Retention has removed every entry up to and including `start`; all of them were published.
struct log_trimmed {
  raft::log_position start;
  record_offset start_offset;      ///< of the first record behind `start`
  record_offset lowest;            ///< what readers may still ask for; not below start_offset
  unix_ms start_timestamp_ms = 0;  ///< of the entry at `start`; 0: not known
};

// --- segments, maintenance, retention ------------------------------------------------------------

/// The segment takes no more writes.
struct segment_sealed {
  record_offset next_offset;
  std::uint64_t size_bytes = 0;
};

/// To the MaintenanceActor: this is the log to look after.
struct watch_log {
  caf::actor log;
};

/// There are chores in storage's background_work.
struct run_chores {};
struct chores_done {
  std::uint64_t count = 0;
};

/// Roll by age, trim by age and size, look at the disk.
struct apply_retention {};

/// Carry out what waits. The RaftActor sends it to itself behind all that is in its mailbox.
struct flush_group {};

/// A RaftActor's own clock.
struct raft_tick {};

/// Close the log: what waits is written first, later appends are refused. Answered with log_closed
/// as a response message.
struct close_log {};
struct log_closed {
  errc code = errc::none;
  std::string detail;
};

// --- between a RaftActor and the ClusterActor
// -----------------------------------------------------

/// Tell `who` how the group stands, now and after each change: raft_changed.
struct watch_raft {
  caf::actor who;
};

/// Sent as soon as the core says so: a configuration is in force from the moment it is appended.
struct raft_changed {
  raft::leadership lead;
  std::shared_ptr<const raft::configuration> members;  ///< in force; never null
};

/// Change the group, see raft::change_membership. Answered once the change is committed, or with
/// unavailable (not the leader, a change is under way, a learner lags), invalid_argument,
/// too_large: nothing was done; outcome_unknown: the lead was lost meanwhile.
struct change_members {
  std::vector<raft::member_change> changes;
  shared_bytes context;
};

/// Hand the lead to `target`. Answered once it leads, or with unavailable, invalid_argument.
struct transfer_lead {
  raft::node_id target;
};

struct raft_request_done {
  errc code = errc::none;
  std::string detail;
};

/// Not known, or never.
inline constexpr std::uint64_t k_unknown = ~std::uint64_t{0};

/// What a leader knows of a peer.
struct raft_peer_report {
  raft::node_id node;
  log_index match;
  record_offset match_offset;  ///< everything below is on the peer's disk
  bool replicating = false;    ///< entries flow: the logs are known to agree up to `match`
  bool active = false;         ///< heard of since the last quorum check
  raft::send_state state = raft::send_state::probe;
  log_index next;  ///< is sent next
  std::uint64_t in_flight_bytes = 0;
  std::uint64_t in_flight_messages = 0;
};

/// Another member, as any member knows it.
struct raft_member_report {
  raft::node_id node;
  std::string name;  ///< node id; empty: not known
  std::string role;  ///< voter, learner, outgoing (leaves with the change under way)
  bool linked = false;
  std::uint64_t last_contact_ms = k_unknown;  ///< ago: anything of this log's group
};

/// Why there was an election, as this node saw it.
struct election_report {
  term_id term;
  unix_ms time_ms = 0;
  raft::election_cause cause = raft::election_cause::start;
  std::string leader;                    ///< who won, a node id; empty: nobody yet
  std::string previous;                  ///< who led before; empty: not known
  std::string candidate;                 ///< who asked for votes, as far as this node knows
  std::uint64_t silence_ms = k_unknown;  ///< nothing had come from `previous` for so long
  std::uint64_t attempts = 0;            ///< of this node
  std::string detail;                    ///< one sentence
};

struct ask_raft {};
struct raft_report {
  raft::node_id self;
  raft::leadership lead;
  log_index commit;
  log_index last;
  log_index durable;          ///< on this node's disk up to here
  record_offset next_offset;  ///< of the whole log, committed or not
  std::shared_ptr<const raft::configuration> members;
  log_index members_index;
  std::vector<raft_peer_report> peers;  ///< of a leader, without itself
  bool quiesced = false;
  bool fenced = false;

  // For people.
  std::string node;             ///< this one; empty: its number has no name yet
  std::string leader;           ///< node id; empty: nobody is known
  std::string voted_for;        ///< likewise
  unix_ms since_ms = 0;         ///< in this role
  unix_ms leader_since_ms = 0;  ///< `leader` has led since then, as far as this node knows
  log_index first{};            ///< of the entries kept
  log_index applied{};          ///< readers see what is before and in it
  record_offset applied_offset{};
  std::vector<raft_member_report> others{};   ///< all members but this node, ascending
  std::uint64_t last_contact_ms = k_unknown;  ///< with the leader, ago; a follower's
  std::uint64_t election_timeout_ms = 0;      ///< as set; a wait is up to twice that
  std::uint64_t heartbeat_ms = 0;
  std::string fence_reason{};
  std::string disk_full_reason{};  ///< empty: it is not
  std::string refuses{};           ///< why an append would be refused now; empty: it would not
  std::uint64_t waiting_appends = 0;
  std::uint64_t open_appends = 0;
  std::uint64_t queued_bytes = 0;
  std::uint64_t queued_bytes_max = 0;
  std::vector<election_report> elections{};  ///< the last few, newest last
};

// --- the cluster ---------------------------------------------------------------------------------

/// A change of members or of the lead, as clients ask for it.
struct change_cluster {
  enum class action : std::uint8_t { add_member, remove_member, move_leader };
  action what = action::add_member;
  std::string node;
  std::string peer;  ///< add_member: where it waits
  std::string log;   ///< move_leader
  std::uint32_t timeout_ms = 10'000;
};
struct cluster_change_done {
  errc code = errc::none;
  std::string detail{};
  bool changed = true;
  std::string leader{};  ///< node id; empty: unknown
  term_id term;
};

/// A member as this node knows it.
struct cluster_member_report {
  std::uint64_t number = 0;
  std::string node;
  std::string peer;
  std::string http;
  std::string grpc;
  std::string zone;
  std::string role;    ///< voter, learner
  bool linked = true;  ///< there is a link to it, or it is this node
};

/// To the ClusterActor: clients reach this node here. It announces itself once it knows that.
struct serves_clients {
  std::string http;
};

/// A ClusterActor's and a JoinActor's own alarm.
struct cluster_tick {};

struct ask_cluster {};
struct cluster_report {
  std::string cluster_id;  ///< empty: not a member yet
  std::string node;
  std::uint64_t number = 0;
  std::string leader;  ///< node id; empty: unknown
  term_id term;
  std::vector<cluster_member_report> members;
};

// --- what people see -----------------------------------------------------------------------------

struct describe {};

struct actor_report {
  std::uint64_t id = 0;
  std::string kind;
  std::string name;
  std::uint64_t parent = 0;  ///< 0: none
  std::string state;         ///< one line
  std::uint64_t mailbox = 0;
  std::uint64_t processed = 0;
  std::uint64_t restarts = 0;
  std::uint64_t busy_ns = 0;        ///< spent in handlers; see actor_journal.hpp
  std::vector<std::string> events;  ///< newest last
};

struct actor_started {
  caf::actor who;
  std::string kind;
  std::string name;
  std::uint64_t parent = 0;
};
struct actor_stopped {
  std::uint64_t id = 0;
};

/// All actors without events when `actor` is 0, else that one.
struct list_actors {
  std::uint64_t actor = 0;
};
struct actor_list {
  errc code = errc::none;
  std::string detail;
  std::vector<actor_report> actors;
};

/// A NodeActor's own alarm: answer a list_actors with what has come.
struct list_alarm {
  std::uint64_t list = 0;
};

struct ask_log {};
struct segment_report {
  record_offset base_offset;
  record_offset next_offset;
  std::uint64_t size_bytes = 0;
  bool sealed = false;
};
struct log_report {
  log_range range;
  std::uint64_t size_bytes = 0;
  term_id term;
  std::vector<segment_report> segments;
};

/// The log takes no more writes because the disk's state is unknown; the node must end.
struct log_fenced {
  std::string reason;
};

}  // namespace cairn::actors
