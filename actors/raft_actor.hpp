#pragma once
// RaftActor: one replica of a log among the others. A thin adapter around actors/replica: it
// decodes, hands in, and carries out what comes back. apps/ gives it a thread of its own; it never
// waits, the LogActor does the writing.
//
// Whatever arrives queues one `flush_group` to the actor itself, behind all that is in the mailbox
// by then: so what came during a write is one group, and one batch of effects answers many
// messages. Ticks have priority, so that a burst of work does not look like a silent leader.

#include "actors/actor_journal.hpp"
#include "actors/entry_times.hpp"
#include "actors/log_gate.hpp"
#include "actors/log_observer.hpp"
#include "actors/messages.hpp"
#include "actors/peer_hub.hpp"
#include "actors/raft_chronicle.hpp"
#include "actors/raft_peers.hpp"
#include "actors/raft_view.hpp"
#include "actors/replica.hpp"
#include "actors/type_ids.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_response_promise.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace cairn::actors {

struct raft_actor_config {
  storage::env* env = nullptr;  ///< outlives the actor
  peer_hub* hub = nullptr;      ///< likewise; null: there are no other nodes
  std::uint64_t parent = 0;
  caf::actor node;  ///< NodeActor
  caf::actor log;   ///< LogActor; this actor ends when that does
  std::string log_name = "default";
  std::string cluster_id;  ///< envelopes of another cluster are dropped
  replica_config replica;
  raft::boot_state boot;
  std::shared_ptr<raft::random_source> random;
  std::shared_ptr<log_gate> gate;
  std::shared_ptr<log_observer> observer;
  std::shared_ptr<raft_view> view;
  std::string node_id;     ///< this node's
  node_events_ptr events;  ///< may be null
  /// Shows readers everything up to an entry and says which offset is behind it: storage's
  /// log_publisher.
  std::function<result<record_offset>(log_index last)> publish;
  /// How long close_log waits for appends that are under way.
  std::chrono::milliseconds drain{2'000};
};

class raft_state {
public:
  static constexpr const char* name = "cairn.raft";

  raft_state(caf::event_based_actor* self, raft_actor_config config);
  caf::behavior make_behavior();

private:
  // raft_actor.cpp
  [[nodiscard]] caf::message_handler client_handlers();
  [[nodiscard]] caf::message_handler storage_handlers();
  [[nodiscard]] caf::message_handler group_handlers();
  void entered();
  void tick();
  void schedule_tick();
  void flush();
  void carry_out(replica_effects& out);
  void save(const session_checkpoint& checkpoint);
  bool publish(const replica_effects& out);
  void answer_clients(replica_effects& out);
  void answer_requests(const replica_effects& out);
  void take_changes(const replica_effects& out);
  void count_sessions();
  void report_fence();
  [[nodiscard]] client_token token_of(const caf::actor& port);
  void down(const caf::down_msg& message);
  caf::result<log_closed> close();
  void finish_close();
  caf::result<raft_request_done> change(const change_members& wanted);
  caf::result<raft_request_done> transfer(const transfer_lead& wanted);
  [[nodiscard]] raft_changed changed() const;

  // raft_actor_report.cpp
  [[nodiscard]] raft_report report() const;
  [[nodiscard]] std::string why_refused() const;
  [[nodiscard]] std::string lead_line() const;
  [[nodiscard]] std::string state_line() const;

  // raft_actor_times.cpp
  [[nodiscard]] caf::message_handler times_handlers();
  void time_taken(const replica_effects& out, std::uint64_t now_ns);
  void time_sent(const std::vector<raft::message>& messages);
  void time_written(const persisted& done);
  void time_acknowledged(const raft::message& m);
  void time_answered(const replica_effects& out);
  void time_group();
  [[nodiscard]] entry_timeline timeline(const ask_timeline& question) const;

  // raft_actor_peers.cpp
  [[nodiscard]] caf::message_handler peer_handlers();
  void receive(const peer_envelope& envelope);
  void receive_raft(const peer_envelope& envelope);
  void receive_appends(const peer_envelope& envelope);
  void receive_outcomes(const peer_envelope& envelope);
  void refuse(const peer_envelope& envelope, const std::string& why);
  void tell_message(std::string_view what, const raft::message& m) const;
  void report_failed_load(const loaded& read);
  [[nodiscard]] static bool worth_an_event(std::uint64_t count);
  void log_lead() const;
  void send_messages(std::vector<raft::message>& messages);
  void send_appends(const std::vector<outgoing_appends>& batches);
  void send_outcomes(const std::vector<outgoing_outcomes>& batches);
  bool send(raft::node_id to, wire::envelope_parts parts);
  void link(const link_changed& change);
  void take_notices(const std::vector<raft::notice>& notices);

  caf::event_based_actor* self_;
  raft_actor_config config_;
  actor_journal journal_;
  replica replica_;
  raft_peers peers_;
  raft_chronicle chronicle_;
  entry_times times_;
  log_index writing_first_;  // of the write under way; first > last: none, or without entries
  log_index writing_last_;
  record_offset writing_segment_;  // of the last write
  std::uint64_t now_ns_ = 0;       // as the replica was told last
  bool flush_queued_ = false;
  bool fence_reported_ = false;
  caf::actor_clock::time_point next_tick_;

  std::map<client_token, caf::actor_addr> ports_;
  std::uint64_t last_request_ = 0;
  std::map<std::uint64_t, caf::typed_response_promise<barrier_passed>> barriers_;
  std::map<std::uint64_t, caf::typed_response_promise<raft_request_done>> requests_;
  std::vector<caf::actor> watchers_;
  std::shared_ptr<const raft::configuration> members_;
  raft::leadership lead_;

  bool closing_ = false;
  bool log_closing_ = false;
  std::uint64_t close_by_ns_ = 0;
  std::vector<caf::typed_response_promise<log_closed>> closers_;
  std::optional<log_closed> closed_;  // how closing went

  std::uint64_t groups_ = 0;
  std::uint64_t refused_ = 0;  // envelopes and messages
  std::uint64_t dropped_ = 0;  // envelopes that no link took
  std::uint64_t failed_loads_ = 0;
};

using raft_actor = caf::stateful_actor<raft_state>;

}  // namespace cairn::actors
