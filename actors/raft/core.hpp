#pragma once
// The Raft core: a state machine without clock, thread, file, socket or random device. ready.hpp
// has the contract and the driving loop; docs/protocol/raft.md what it does beyond the paper.
//
// One file per kind of message: core_election (votes), core_append (follower's side of the log),
// core_replication (leader's side), core_snapshot, core_read, core_membership, core_quiesce.
// core_image makes bytes of a core and a core of bytes.

#include "actors/raft/archive.hpp"
#include "actors/raft/config.hpp"
#include "actors/raft/configuration.hpp"
#include "actors/raft/log_view.hpp"
#include "actors/raft/persist_queue.hpp"
#include "actors/raft/progress.hpp"
#include "actors/raft/random.hpp"
#include "actors/raft/ready.hpp"
#include "actors/raft/status.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string_view>

namespace cairn::raft {

/// What storage holds when the core starts. A new group is bootstrapped by writing one config entry
/// at index 1, term 1, and a hard state of term 1, into each of its first members; a joiner starts
/// with nothing.
struct boot_state {
  hard_state state;
  log_position start;              ///< the entry before the first one kept
  record_offset start_offset;      ///< of the first record behind `start`
  unix_ms start_timestamp_ms = 0;  ///< of the entry at `start`; 0: not known
  configuration start_config;      ///< in force there; empty if nothing is known
  std::vector<term_run> terms;     ///< of the entries kept
  log_index last;
  record_offset next_offset;                  ///< of the first record behind `last`
  std::vector<config_history::item> configs;  ///< the config entries kept, ascending
  unix_ms last_timestamp_ms = 0;              ///< of `last`, also when that is `start`
  log_index committed;             ///< known to be, and durable; not before `start` if set
  record_offset committed_offset;  ///< of the first record behind `committed`, if that is set
};

/// Owner: one thread. Nothing here fails: bad input from outside is refused with a notice or an
/// answer, and a broken invariant or a driver that breaks the contract ends the process.
class core {
public:
  /// `random` must outlive the core. Reads a number from it (the incarnation). Starts as a
  /// follower. What the only voter of a group has durably is committed, so such a node serves reads
  /// at once, also when its disk has no room for a leader's first entry.
  core(const core_config& config, const boot_state& boot, random_source& random);
  core(const core&) = delete;
  core& operator=(const core&) = delete;

  /// Takes one input. Effects wait for take_ready().
  void step(input in);

  /// What is to be done now. Proposals and reads that came in since the last call leave in common
  /// messages: step all that is there before taking.
  [[nodiscard]] ready take_ready();

  [[nodiscard]] role as() const { return role_; }
  [[nodiscard]] term_id term() const { return term_; }
  [[nodiscard]] node_id leader() const { return leader_; }
  [[nodiscard]] log_index commit_index() const { return commit_; }
  [[nodiscard]] const log_view& log() const { return log_; }
  /// The last entry that has been given out to be written.
  [[nodiscard]] log_index handed_index() const { return persist_.handed(); }
  [[nodiscard]] const configuration& members() const { return configs_.latest().config; }
  [[nodiscard]] const config_history& configs() const { return configs_; }
  /// How many voters are known to have the log up to `index` durably; 0 unless this node leads.
  [[nodiscard]] std::uint32_t voters_with(log_index index) const;
  [[nodiscard]] bool quiesced() const { return quiesced_; }
  [[nodiscard]] bool fenced() const { return fenced_; }
  /// A copy of what tests and people want to see.
  [[nodiscard]] core_status status() const;

  /// Writes all of the state, except what entries in memory say to clients (log_view::save). A core
  /// that load() makes of it answers any further inputs as this one does, up to payloads, codecs
  /// and timestamps of those entries. @pre nothing waits for take_ready().
  void save(image_writer& to) const;
  /// The core of which save() wrote the state, with the same settings; draws no random number.
  /// Null: these bytes are not the state of any core (`from` has failed or says how far it got).
  [[nodiscard]] static std::unique_ptr<core> load(const core_config& config, image_reader& from,
                                                  random_source& random);
  /// Equal for equal states. In constant time but for the peers: it does not look at every entry.
  [[nodiscard]] std::uint32_t fingerprint() const;

private:
  struct waiting_message {
    persist_ticket ticket;
    message what;

    template <class Archive, class Self>
    static void fields(Archive& archive, Self& x) {
      pass(archive, x.ticket, x.what);
    }
  };
  struct pending_proposal {
    proposal_id id;
    log_position position;
    std::uint64_t size_bytes;

    template <class Archive, class Self>
    static void fields(Archive& archive, Self& x) {
      pass(archive, x.id, x.position, x.size_bytes);
    }
  };
  struct pending_read {
    node_id reader;  // self, or the follower that asked
    std::uint64_t incarnation;
    read_id id;
    log_index index;
    std::uint64_t round;

    template <class Archive, class Self>
    static void fields(Archive& archive, Self& x) {
      pass(archive, x.reader, x.incarnation, x.id, x.index, x.round);
    }
  };
  struct membership_proposal {
    proposal_id id;
    log_index index;  // of the entry whose commit ends the change, or its joint phase

    template <class Archive, class Self>
    static void fields(Archive& archive, Self& x) {
      pass(archive, x.id, x.index);
    }
  };

  // core_image.cpp
  core(const core_config& config, std::uint64_t incarnation, log_view log, random_source& random);
  /// All but settings, the incarnation, the log and what waits for take_ready(). Whoever adds a
  /// member adds it here, and to fingerprint() if it changes often.
  template <class Archive, class Self>
  static void state_fields(Archive& archive, Self& x);

  // core.cpp
  void on(const tick&);
  void on(message& m);
  void on(const persist_done& in);
  void on(const persist_failed&);
  void on(const log_trimmed& in);
  bool settle_term(const message& m);
  void dispatch(message& m);
  void send(node_id to, message_body body, persist_ticket after = {});
  void send_as(term_id term, node_id to, message_body body, persist_ticket after);
  void release_messages();
  void become_follower(term_id term, node_id leader);
  void become_follower(term_id term, node_id leader, election_cause why, node_id candidate);
  void follow(node_id leader);
  void fence(notice_kind why, std::string_view detail);
  void note(notice_kind kind, node_id node, std::string_view detail);
  void refuse(const message& m, std::string_view why);
  void restart_election_timer();
  void tick_disk();
  [[nodiscard]] bool disk_stalled() const;
  void append_to_log(entry e);
  void truncate_log(log_index first_removed, record_offset next_offset);
  void save_state();

  // core_election.cpp
  void tick_follower();
  [[nodiscard]] bool only_voter() const;
  [[nodiscard]] election_cause cause_of(const message& m) const;
  void vacate(election_cause why);
  void tell_election(election_stage stage, term_id term, node_id candidate);
  void campaign(bool pre, bool transfer);
  void start_election(bool transfer);
  void request_votes(bool pre, bool transfer);
  void record_vote(node_id voter, bool granted);
  void become_leader();
  [[nodiscard]] bool in_lease() const;
  void handle(const message& m, const vote_request& body);
  void handle(const message& m, const vote_response& body);

  // core_append.cpp
  void handle(const message& m, append_request& body);
  void handle(const message& m, const heartbeat_request& body);
  void handle(const message& m, const commit_notice& body);
  bool accept_leader(const message& m);
  bool take_entries(const message& m, append_request& body);
  [[nodiscard]] bool contradicts_offsets(const entry& e) const;
  bool follow_commit(log_index commit);

  // core_replication.cpp
  void on(propose& in);
  void on(entries_loaded& in);
  void tick_leader();
  [[nodiscard]] std::string_view refusal(const propose& in, errc& reason) const;
  log_position append_as_leader(entry e);
  log_position append_internal(entry_kind kind, shared_bytes payload);
  void handle(const message& m, const append_response& body);
  void handle(const message& m, const heartbeat_response& body);
  void replicate_to(node_id node, progress& peer);
  bool send_entries(node_id node, progress& peer);
  void send_append(node_id node, progress& peer, std::vector<entry> entries);
  void tell_commit(node_id node, progress& peer);
  void broadcast_heartbeat();
  void advance_commit();
  void set_commit(log_index index);
  void settle_proposals();
  void step_down(notice_kind why);
  void leave_office();
  [[nodiscard]] log_index match_of(node_id node) const;
  [[nodiscard]] bool committed_in_term() const;

  // core_snapshot.cpp
  void on(snapshot_available& in);
  void tick_snapshots();
  void request_snapshot(node_id node, progress& peer);
  void handle(const message& m, snapshot_request& body);

  // core_read.cpp
  void on(const read_index& in);
  void tick_reads();
  void add_read(node_id reader, std::uint64_t incarnation, read_id id);
  void start_barred_reads();
  void begin_round();
  void settle_reads();
  void answer(const pending_read& read, bool ok);
  void fail_reads();
  void fail_forwarded_reads();
  void handle(const message& m, const read_index_request& body);
  void handle(const message& m, const read_index_response& body);

  // core_membership.cpp
  void on(change_membership& in);
  void on(const transfer_leadership& in);
  [[nodiscard]] std::string_view refusal(const change_membership& in) const;
  void append_configuration(const configuration& next);
  void config_changed();
  void continue_membership_change();
  void tick_transfer();
  void continue_transfer(node_id acknowledged_by);
  void abort_transfer(std::string_view why);
  void handle(const message& m, const timeout_now_request& body);

  // core_quiesce.cpp
  void on(const peer_reachable& in);
  void on(const wake&);
  void tick_quiesce();
  void fall_asleep();
  void wake_up();
  void wake_for(const message& m);
  [[nodiscard]] bool may_sleep() const;

  const core_config config_;
  random_source& random_;
  const std::uint64_t incarnation_;

  // Invariants: start <= commit_ <= last; visible_ <= commit_; persist_.durable() <= last. Durable
  // may lag committed, on the leader too (followers formed the quorum).
  log_view log_;
  persist_queue persist_;
  config_history configs_;
  term_id term_;
  node_id vote_;
  log_index commit_;
  log_index visible_;
  unix_ms last_timestamp_ms_ = 0;
  std::uint64_t unpersisted_bytes_ = 0;

  role role_ = role::follower;
  node_id leader_;
  leadership told_;
  bool fenced_ = false;
  bool quiesced_ = false;
  std::uint32_t election_elapsed_ticks_ = 0;
  std::uint32_t election_timeout_ticks_ = 0;
  std::uint32_t stall_ticks_ = 0;

  // Why there is no leader, or was none last; for people.
  election_cause vacancy_ = election_cause::start;
  node_id previous_;
  std::uint32_t silent_ticks_ = 0;

  // Candidates.
  std::map<node_id, bool> votes_;
  persist_ticket own_vote_ticket_;  // of the write that makes our own vote count; 0: none due

  // Leaders.
  std::map<node_id, progress> peers_;  // without ourselves
  std::uint32_t heartbeat_elapsed_ticks_ = 0;
  std::uint32_t idle_ticks_ = 0;
  std::uint64_t last_request_ = 0;  // numbers loads and snapshots; unique in this process
  std::deque<pending_proposal> proposals_;
  std::uint64_t uncommitted_bytes_ = 0;
  std::optional<membership_proposal> membership_;
  node_id transferee_;          // while we lead
  node_id awaited_transferee_;  // after we stepped down for it, until a leader is known
  std::uint32_t transfer_ticks_ = 0;

  // Reads. Both queues together are bounded by pending_reads_max, as is forwarded_reads_.
  std::uint64_t round_ = 0;
  bool round_due_ = false;
  std::deque<pending_read> reads_;                    // ascending in round
  std::deque<pending_read> barred_reads_;             // until the term's first commit
  std::map<read_id, std::uint32_t> forwarded_reads_;  // with their age in ticks

  std::deque<waiting_message> waiting_;  // ascending in ticket
  ready out_;
};

}  // namespace cairn::raft
