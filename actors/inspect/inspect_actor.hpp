#pragma once
// InspectActor: answers what operators ask of a node (docs/protocol/inspect.md). Questions come
// from consoles and other members over the peer link, and from the gateway's ports; answers are the
// same for all of them. A question that names another member is passed on to it, once.
//
// It runs on a scheduler thread and never waits: what it does not know itself it asks of the actor
// that does, and the question stays open until an answer comes or its deadline has passed. Nothing
// on the way of an append knows of it.
//
// Bounded: k_open_max questions are open at a time, and k_waiting_max that wait for an event; more
// are refused (overloaded).

#include "actors/actor_journal.hpp"
#include "actors/cluster/cluster_view.hpp"
#include "actors/inspect/inspect_type_ids.hpp"
#include "actors/log_gate.hpp"
#include "actors/membership/membership_view.hpp"
#include "actors/messages.hpp"
#include "actors/node_events.hpp"
#include "actors/peer_hub.hpp"
#include "actors/segment_directory.hpp"
#include "proto/cairn/v1/inspect.pb.h"
#include "storage/base/result.hpp"

#include <atomic>
#include <caf/event_based_actor.hpp>
#include <caf/response_promise.hpp>
#include <caf/stateful_actor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace cairn::actors {

/// Gives an answer (its `id` and `node` are filled in later) and, for a recorder's dump, its bytes.
/// Thread-safe; at most one call counts, and one that comes after the deadline is for nobody.
using inspect_done_fn = std::function<void(v1::InspectAnswer answer, shared_bytes body)>;

/// Somebody who answers a kind of question. Called on the InspectActor's thread, so it must not
/// block: it answers at once, or passes the question on and answers later from any thread.
using inspect_handler = std::function<void(const v1::InspectRequest&, inspect_done_fn)>;

/// What only the process knows. Those that are empty answer unsupported.
struct inspect_hooks {
  /// Fills in what the InspectActor does not know itself (node, cluster_id, now_ms, links).
  std::function<void(v1::NodeFacts&)> node_facts;
  inspect_handler metrics;
  inspect_handler trace;
  inspect_handler log_level;
  inspect_handler recorder;
};

struct inspect_actor_config {
  storage::env* env = nullptr;  ///< outlives the actor
  peer_hub* hub = nullptr;      ///< likewise; null: there are no other nodes
  std::uint64_t parent = 0;
  std::string node_id;
  std::string cluster_id;  ///< empty: not a member of any yet
  caf::actor node;         ///< NodeActor; null: nobody knows the actors
  caf::actor raft;         ///< RaftActor of the one log; null: not a member yet
  std::string log = "default";
  node_events_ptr events;                 ///< may be null
  std::shared_ptr<cluster_view> cluster;  ///< may be null, as the next three
  std::shared_ptr<membership_view> membership;
  std::shared_ptr<log_gate> gate;
  std::shared_ptr<segment_directory> segments;
  v1::MemberState self;     ///< what this node says about itself
  v1::LogState log_limits;  ///< the log's settings; the rest of it is filled in
  inspect_hooks hooks;
  /// Why this node is no member yet, a sentence; asked when `raft` is null.
  std::function<std::string()> not_member;
};

class inspect_state {
public:
  static constexpr const char* name = "cairn.inspect";
  static constexpr std::size_t k_open_max = 256;
  static constexpr std::size_t k_waiting_max = 128;
  static constexpr std::size_t k_links_max = 256;

  inspect_state(caf::event_based_actor* self, inspect_actor_config config);
  ~inspect_state();
  inspect_state(const inspect_state&) = delete;
  inspect_state& operator=(const inspect_state&) = delete;
  caf::behavior make_behavior();

private:
  /// Who gets the answer: a port of this node (`promise`), or a node or console (`node`).
  struct asker {
    caf::response_promise promise;
    std::string node;
    std::uint64_t id = 0;  ///< of the question, as it came
  };
  struct open_question {
    asker from;
    v1::InspectRequest what;
    std::uint64_t give_up_ns = 0;
    std::string passed_to;              ///< not empty: to this node
    const char* waits_for = "nothing";  ///< names who has not answered
    bool waits_for_events = false;
  };
  struct link_state {
    bool up = false;
    std::string address;
    unix_ms since_ms = 0;
  };
  using answer = v1::InspectAnswer;

  // Questions and answers of other nodes.
  void receive(const peer_envelope& envelope);
  void receive_answer(const peer_envelope& envelope);
  void refuse(const peer_envelope& envelope, const std::string& why);
  void link_told(const link_changed& change);

  // A question's way.
  void take(v1::InspectRequest question, asker from);
  void answer_here(std::uint64_t ticket);
  void pass_on(std::uint64_t ticket);
  void finish(std::uint64_t ticket, answer what, shared_bytes body = {});
  void fail(std::uint64_t ticket, errc code, std::string detail);
  void deliver(const asker& to, answer what, shared_bytes body);
  void send_answer(const asker& to, const answer& what, shared_bytes body);
  void alarm(std::uint64_t generation);
  void arm(std::uint64_t at_ns);

  // Kinds of questions.
  void node_facts(std::uint64_t ticket);
  void actors(std::uint64_t ticket, const v1::AskActors& ask);
  void members(std::uint64_t ticket);
  void raft(std::uint64_t ticket);
  void log_state(std::uint64_t ticket);
  void events(std::uint64_t ticket, open_question& question);
  void wake_events();
  void hook(std::uint64_t ticket, const inspect_handler& handler, const char* what);
  /// True, and it is refused, unless this node is a member and the question's log is there.
  bool needs_log(std::uint64_t ticket);
  template <class Report, class Ask, class Then>
  void ask_actor(std::uint64_t ticket, const caf::actor& whom, const char* kind, Ask what,
                 Then then);

  [[nodiscard]] std::shared_ptr<const cluster_report> cluster() const;
  [[nodiscard]] std::string not_member() const;
  [[nodiscard]] std::string members_line() const;
  [[nodiscard]] std::uint64_t now_ns() const { return config_.env->monotonic_ns(); }
  [[nodiscard]] std::string state_line() const;

  caf::event_based_actor* self_;
  inspect_actor_config config_;
  actor_journal journal_;
  std::map<std::string, link_state> links_;
  std::map<std::uint64_t, open_question> open_;
  std::uint64_t last_ticket_ = 0;
  std::size_t waiting_ = 0;  // of open_: for events
  std::uint64_t listener_ = 0;
  std::shared_ptr<std::atomic<bool>> wake_wanted_ = std::make_shared<std::atomic<bool>>(false);
  std::uint64_t alarm_generation_ = 0;
  std::uint64_t alarm_ns_ = 0;  // when the alarm that is set goes off; 0: none
  std::uint64_t answered_ = 0;
  std::uint64_t passed_on_ = 0;
  std::uint64_t refused_ = 0;     // envelopes that no honest node sends
  std::uint64_t overloaded_ = 0;  // questions
  std::uint64_t late_ = 0;        // answers that nobody waited for any more
};

using inspect_actor = caf::stateful_actor<inspect_state>;

}  // namespace cairn::actors
