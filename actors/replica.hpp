#pragma once
// One replica of a log: a raft::core and everything around it that needs neither a thread nor CAF.
//
// The driving loop, the same for the RaftActor and for simulation:
//
//   replica.set_time(now);
//   replica.append(...); replica.receive(...); replica.persisted(...);   // as many as there are
//   replica_effects out = replica.take();
//   publish(out.publish);                   // first: answers must not be ahead of readers
//   carry out the rest, in any order
//
// Appends. On the leader they wait while a write of ours is under way, then all that waits becomes
// entries at once (append_plan): no timer. On a follower they travel to the leader in batches, and
// its outcomes come back the same way. Without a leader they are held for two of the longest
// election timeouts. Every append gets exactly one outcome:
//   none                    committed, and visible here if that does not take longer than 2 ticks;
//                           `replayed`: it was stored before, under the same identity
//   expected_offset_missed  by what is committed, and confirmed by a round of heartbeats
//   outcome_unknown         the lead, the link to the leader, the disk, or the time was lost after
//                           the append, or another one of its identity, had become an entry, or may
//                           have
//   key_reused, sequence_gap, producer_fenced, sequence_too_old
//                           by its identity (session_overlay.hpp); a gap is confirmed likewise
//   anything else           nothing was stored and nothing will be
//
// Appends with an identity (proto/append_stamp.hpp) are judged by the leader before anything else
// about them, once it knows what is committed. One whose twin is under way is put aside until that
// is decided.
//
// A leader proposes only what fits the room that storage has reserved (reserve, room_reserved), so
// a full disk refuses whole appends; and it hands the lead over, since another node may have room.
// The disk counts as full from the first append or write that it has no room for until room in
// stock, or more if more was refused, has been reserved; what squeezes in meanwhile changes
// nothing.

#include "actors/append_plan.hpp"
#include "actors/entry_times.hpp"
#include "actors/messages.hpp"
#include "actors/recorder/recorded_core.hpp"
#include "actors/replica_sessions.hpp"
#include "actors/wire/append_codec.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn::actors {

/// Names whoever asks on this node, such as a port. The driver's choice, never 0.
using client_token = std::uint64_t;

struct replica_time {
  std::uint64_t monotonic_ns = 0;  ///< env::monotonic_ns()
  unix_ms wall_ms = 0;             ///< env::now_ms()
};

/// Up to so many entries of so many bytes together (storage::frame_stride_bytes) can be written.
struct write_room {
  std::uint64_t bytes = 0;
  std::uint64_t frames = 0;
};

struct replica_config {
  raft::core_config core;
  std::uint64_t tick_ns = 50'000'000;
  /// Appends of other nodes that are not answered yet; beyond it they are refused as overloaded.
  std::uint64_t forwarded_bytes_max = 64 * k_mib_bytes;
  std::uint64_t forwarded_items_max = 64 * 1024;
  /// Room that a leader keeps reserved; filled up when a quarter is left.
  std::uint64_t room_wanted_bytes = 8 * k_mib_bytes;
  /// Linearizable reads that are not answered yet; likewise.
  std::size_t barriers_max = 32 * 1024;
  /// What storage knows of appends with an identity; the replica takes it. Null: nothing.
  std::shared_ptr<session_boot> sessions;
  /// A checkpoint of it is due when the last one leaves so much of the log uncovered; the second,
  /// when that has no stamps: then it only spares the next start the reading.
  std::uint64_t checkpoint_bytes = 64 * k_mib_bytes;
  std::uint64_t idle_checkpoint_bytes = 256 * k_mib_bytes;
  /// Writes down all that the core gets. Null: nobody does.
  std::shared_ptr<flight_recorder> recorder;
};

/// What became of appends of one client.
struct client_outcomes {
  client_token client = 0;
  append_outcomes outcomes;
};

/// Appends on their way to the leader.
struct outgoing_appends {
  raft::node_id to;
  wire::forwarded_appends appends;
};

/// Outcomes on their way back to the node that sent the appends.
struct outgoing_outcomes {
  raft::node_id to;
  wire::forwarded_outcomes outcomes;
};

/// A linearizable read may begin: everything below `end` was committed at a moment after it was
/// asked for, and is visible here.
struct barrier_answer {
  client_token client = 0;
  std::uint64_t id = 0;
  errc code = errc::none;  ///< none, unavailable, overloaded
  std::string detail;
  record_offset end;
};

/// What became of a change of membership or a transfer of the lead.
struct request_answer {
  std::uint64_t id = 0;
  errc code = errc::none;  ///< none, unavailable, invalid_argument, too_large, outcome_unknown
  std::string detail;
};

/// What is to be done. Taken once; nothing in it comes again.
struct replica_effects {
  std::optional<record_offset> publish;   ///< show readers the records below; do it first
  log_index publish_last;                 ///< with `publish`: the entry that ends there
  std::vector<raft::message> messages;    ///< may be lost
  std::vector<outgoing_appends> appends;  ///< tell appends_dropped() about what cannot be sent
  std::vector<outgoing_outcomes> remote_outcomes;      ///< after `messages`, which tell the commit
  std::shared_ptr<const raft::persist_batch> persist;  ///< then persisted()
  std::optional<std::uint64_t> reserve_bytes;          ///< then room_reserved()
  std::optional<session_checkpoint> checkpoint;        ///< after `persist`; then checkpointed()
  std::vector<raft::load_request> loads;               ///< then loaded()
  std::vector<client_outcomes> outcomes;               ///< one for each client
  std::vector<proposed_entry> proposed;                ///< entries that appends became
  time_tally queue;                                    ///< how long these had waited
  time_tally forward;                                  ///< appends answered by the leader
  log_index answered;  ///< entries up to here were answered, to whoever wanted to know; 0: none
  std::uint64_t proposed_appends = 0;  ///< that became entries
  std::uint64_t released_appends = 0;  ///< in `outcomes`
  std::uint64_t released_bytes = 0;    ///< payloads of these
  std::vector<client_token> advanced;  ///< of await(): `range.next` is beyond it
  std::vector<barrier_answer> barriers;
  std::vector<request_answer> requests;
  std::vector<raft::notice> notices;
  std::vector<raft::election_step> elections;  ///< oldest first; before what `lead` says
  std::optional<raft::leadership> lead;        ///< when it has changed
  bool members_changed = false;                ///< look at replica::members()
  std::optional<bool> disk_full;               ///< when it has changed, see no_room() for why
  log_range range;                             ///< as published now
};

/// Owner: one thread. Deterministic: equal inputs and random numbers give equal effects.
class replica {
public:
  /// `random` outlives the replica. A group whose only voter is this replica elects itself at once.
  replica(const replica_config& config, const raft::boot_state& boot, raft::random_source& random);

  /// Tells the time, which holds for the inputs that follow. Never goes back.
  void set_time(const replica_time& now) {
    now_ = now;
    if (config_.recorder) config_.recorder->set_time(now.monotonic_ns, now.wall_ms);
  }
  /// replica_config::tick_ns have passed.
  void tick();
  /// What is to be done now. Appends become entries here.
  [[nodiscard]] replica_effects take();

  // --- clients of this node ---------------------------------------------------------------------

  /// Each item is answered exactly once in replica_effects::outcomes. @pre ids are unique within
  /// the client; every item has records.
  void append(client_token client, std::vector<append_item> items);
  /// Asks for one `advanced` once the published end is beyond `beyond`, or an answer to an append
  /// shows that. One request a client is kept; a later one replaces it.
  void await(client_token client, record_offset beyond);
  /// Asks for one barrier_answer, at the latest at `deadline_ns` (monotonic).
  void barrier(client_token client, std::uint64_t id, std::uint64_t deadline_ns);
  /// The client has gone: nothing is answered to it any more. Its appends happen all the same.
  void forget(client_token client);

  // --- other nodes ------------------------------------------------------------------------------

  /// `from` is whom the link says it is.
  void receive(raft::node_id from, raft::message m);
  void receive(raft::node_id from, wire::forwarded_appends appends);
  void receive(raft::node_id from, const wire::forwarded_outcomes& outcomes);
  /// These appends, taken as effects, were not sent: they are tried again.
  void appends_dropped(raft::node_id to, std::uint64_t batch);
  /// The link to a node is up or down. Down: what was under way to it may or may not have arrived.
  void link_changed(raft::node_id node, bool up);
  /// What the failure detector thinks of a node.
  void peer_reachable(raft::node_id node, bool reachable);

  // --- storage ----------------------------------------------------------------------------------

  /// none: durable. disk_full: nothing of the batch was done; it is given out again later.
  /// Anything else: nobody knows what is on disk; the replica is fenced for good.
  void persisted(raft::persist_ticket ticket, errc code, const std::string& detail,
                 const write_room& room);
  void room_reserved(errc code, const std::string& detail, const write_room& room);
  void loaded(raft::node_id peer, std::uint64_t request, std::vector<raft::entry> entries);
  /// `start_timestamp_ms`: of the last one removed.
  void log_trimmed(log_index last_removed, record_offset start_offset, unix_ms start_timestamp_ms);
  /// Storage cannot remove old entries before there is a newer checkpoint.
  void want_checkpoint() { sessions_.want_checkpoint(); }
  /// none: durable. Anything else: the one before it stands.
  void checkpointed(errc code) { sessions_.checkpointed(code == errc::none); }

  // --- the group --------------------------------------------------------------------------------

  /// Each is answered exactly once in replica_effects::requests. A request is not k_own_request.
  void change_membership(std::uint64_t request, std::vector<raft::member_change> changes,
                         shared_bytes context);
  void transfer(std::uint64_t request, raft::node_id target);

  // --- the end ----------------------------------------------------------------------------------

  /// Later appends are refused, as unavailable for this reason; what waits is still carried out.
  void close(const std::string& reason);
  /// Nothing of a client is left unanswered.
  [[nodiscard]] bool drained() const;
  /// Answers all that is left: outcome_unknown where something may have been stored.
  void abandon(const std::string& reason);

  /// To be made durable when all else is done, so that the next start has nothing to read.
  [[nodiscard]] std::optional<session_checkpoint> last_checkpoint() const {
    return core_.fenced() ? std::nullopt : sessions_.last_checkpoint();
  }

  [[nodiscard]] const raft::core& core() const { return core_; }
  [[nodiscard]] const replica_sessions& sessions() const { return sessions_; }
  [[nodiscard]] const raft::configuration& members() const { return core_.members(); }
  [[nodiscard]] bool leads() const { return core_.as() == raft::role::leader; }
  /// What readers may see.
  [[nodiscard]] log_range range() const;
  [[nodiscard]] const std::string& fence_reason() const { return fence_reason_; }
  /// What storage said when it had no room last.
  [[nodiscard]] const std::string& no_room() const { return no_room_; }
  /// Whether the disk counts as full.
  [[nodiscard]] bool disk_full() const { return room_missed_bytes_ != 0; }
  /// Why an append would be refused now; empty: it would not.
  [[nodiscard]] std::string why_refused() const;
  /// The last entry that readers see.
  [[nodiscard]] log_index visible_index() const { return visible_; }
  /// Appends that wait to be proposed or sent, and those that are on their way.
  [[nodiscard]] std::size_t waiting_count() const { return waiting_.size() + aside_.size(); }
  [[nodiscard]] std::size_t open_count() const { return open_items_; }
  /// What makes outcomes of an earlier life of this node no outcomes of this one.
  [[nodiscard]] std::uint64_t incarnation() const { return incarnation_; }

private:
  /// A transfer that nobody has asked for.
  static constexpr std::uint64_t k_own_request = 0;

  /// Who asked: a client of this node, or another node on behalf of one of its own.
  struct origin {
    client_token client = 0;
    raft::node_id node;
    std::uint64_t incarnation = 0;
    std::uint64_t batch = 0;

    [[nodiscard]] bool remote() const { return node != raft::k_nobody; }
    auto operator<=>(const origin&) const = default;
  };
  struct waiting_item {
    origin from;
    append_item item;
    std::uint64_t held_until_ns = 0;  // without a leader
    bool twin_under_way = false;      // when it was last judged: it may be stored by now
  };
  /// An append that is an entry by now, or is judged.
  struct open_item {
    origin from;
    append_outcome outcome;
    std::uint64_t size_bytes = 0;
    std::uint64_t deadline_ns = 0;
  };
  struct open_frame {
    raft::proposal_id id;
    std::uint64_t size_bytes = 0;
    std::vector<open_item> items;
  };
  struct forward {
    raft::node_id to;
    std::vector<std::optional<waiting_item>> items;  // by position; empty: answered
    std::size_t left = 0;
    std::uint64_t sent_ns = 0;
    std::uint64_t give_up_ns = 0;
  };
  struct pending_barrier {
    client_token client = 0;
    std::uint64_t id = 0;
    std::uint64_t give_up_ns = 0;
  };
  /// Conditional and numbered appends that the log up to `judged_at` speaks against.
  struct pending_misses {
    log_index judged_at;
    term_id term;
    std::vector<open_item> items;
  };
  struct read_round {
    std::vector<pending_barrier> barriers;
    std::optional<pending_misses> misses;
  };
  struct answer_facts {
    std::uint32_t durable_on = 0;
    std::uint32_t replicas = 0;
  };
  /// Committed, but not visible here yet.
  struct held_answer {
    open_item item;
    answer_facts facts;
    std::uint64_t until_ns = 0;
  };

  // replica.cpp
  void elect_sole_voter();
  [[nodiscard]] bool take_ready();
  void take_lead(const raft::leadership& lead);
  void take_notices(const std::vector<raft::notice>& notices);
  void take_requests(const raft::proposal_answer& answer);
  void give_snapshots(const std::vector<raft::snapshot_needed>& wanted);
  void publish_visible();
  void retry_persist();
  void fence(const std::string& reason);
  [[nodiscard]] std::string why_not() const;
  [[nodiscard]] std::uint64_t hold_ns() const;

  // replica_appends.cpp
  void wait(waiting_item item);
  void propose_waiting();
  [[nodiscard]] std::vector<waiting_item> next_group();
  void ask_for_room();
  void disk_is_full(std::uint64_t refused_bytes);
  void room_is_found(std::uint64_t reserved_bytes);
  void hand_over();
  void propose(std::vector<waiting_item> group);
  [[nodiscard]] bool propose_frame(const storage::frame_input& frame);
  void count_proposed(proposed_entry& entry, const append_item& item);
  void take_proposals(const std::vector<raft::proposal_answer>& answers);
  void sweep_waiting();
  void sweep_open();
  void refuse_waiting(errc code, const std::string& detail);
  void add_misses(pending_misses misses);

  // replica_stamped.cpp
  [[nodiscard]] bool may_judge() const;
  [[nodiscard]] bool becomes_entry(waiting_item& item);
  void expect(const append_item& item);
  void put_aside(waiting_item item);
  void take_up_again();
  void sweep_aside();
  void settle_sessions();
  void replay(const waiting_item& item, const session_receipt& receipt);
  void refuse_numbered(const waiting_item& item, const session_judgement& judged);
  void ask_for_checkpoint();

  // replica_answers.cpp
  void answer(const open_item& item, const answer_facts& facts);
  void answer_when_visible(open_item item, const answer_facts& facts);
  void refuse(const waiting_item& item, errc code, std::string detail);
  void fail(open_item item, errc code, const std::string& detail);
  [[nodiscard]] static errc honest(const waiting_item& item, errc code);
  void release_held();
  void gather_outcomes();
  void wake_waiting();
  [[nodiscard]] answer_facts facts_at(log_index index) const;

  // replica_forward.cpp
  void forward_waiting();
  void send_forward(raft::node_id to, std::vector<waiting_item> items);
  void lose_forwards(raft::node_id to, const std::string& why);
  void sweep_forwards();

  // replica_reads.cpp
  void ask_reads();
  void take_reads(const std::vector<raft::read_answer>& answers);
  void settle_reads();
  void sweep_barriers();
  void end_all_barriers(const std::string& reason);
  void refuse_misses(pending_misses misses);
  void end_barrier(const pending_barrier& barrier, errc code, std::string detail);

  const replica_config config_;
  recorded_core core_;
  const std::uint64_t incarnation_;
  replica_time now_;
  replica_effects out_;

  // The core's visible index, and up to where readers know: an index whose offset is known.
  log_index core_visible_;
  log_index visible_;
  record_offset published_;
  unix_ms start_timestamp_ms_;     // of the entry at the log's start; 0: not known
  raft::log_position members_at_;  // of the configuration that was last told

  // Storage.
  std::shared_ptr<const raft::persist_batch> writing_;  // given out, not finished
  std::uint64_t retry_persist_ns_ = 0;                  // 0: it is being written
  write_room room_;
  std::uint64_t reserving_bytes_ = 0;    // 0: nothing is asked for
  bool reserving_for_appends_ = false;   // those that do not fit are refused if it fails
  std::uint64_t room_pause_ticks_ = 0;   // before more is reserved ahead of need
  std::string no_room_;                  // why there is no more, if so
  std::uint64_t room_missed_bytes_ = 0;  // the disk is full until so much is reserved; 0: it is not
  std::uint64_t next_hand_over_ns_ = 0;
  std::string fence_reason_;
  std::string close_reason_;

  // Appends.
  std::deque<waiting_item> waiting_;
  std::vector<waiting_item> aside_;  // judged, and to be judged again
  bool judge_again_ = false;         // something has changed for them
  term_id settled_term_;             // of the last entry that is visible
  std::vector<open_item> gaps_;      // of the group that is being made
  replica_sessions sessions_;
  std::deque<open_frame> open_;  // ascending in id
  std::uint64_t open_bytes_ = 0;
  std::size_t open_items_ = 0;
  std::uint64_t last_proposal_ = 0;
  std::deque<held_answer> held_;
  std::map<origin, append_outcomes> outcomes_;  // since the last take()
  std::uint64_t remote_items_ = 0;
  std::uint64_t remote_bytes_ = 0;

  // Forwarding.
  std::map<std::uint64_t, forward> forwards_;
  std::uint64_t last_batch_ = 0;
  bool forward_paused_ = false;  // until the next tick

  // Reads.
  std::vector<std::pair<client_token, record_offset>> awaiting_;
  std::vector<pending_barrier> waiting_barriers_;
  std::map<raft::read_id, read_round> rounds_;
  std::multimap<log_index, pending_barrier> confirmed_;
  std::optional<pending_misses> new_misses_;
  std::vector<pending_misses> confirmed_misses_;
  std::uint64_t last_read_ = 0;
  std::size_t barrier_count_ = 0;
  bool ask_again_ = false;

  // Requests.
  std::map<raft::proposal_id, std::uint64_t> changes_;
  std::optional<std::pair<std::uint64_t, raft::node_id>> transfer_;
};

}  // namespace cairn::actors
