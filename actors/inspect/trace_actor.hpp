#pragma once
// TraceActor: appends one record the way a gateway's port does, through the same queue and as an
// append like any other, and tells where its time went. The leader's RaftActor knows the points
// (entry_times.hpp); if that is another node, it is asked through the InspectActors.
//
// Nothing is measured for a trace that is not measured anyway.

#include "actors/actor_journal.hpp"
#include "actors/inspect/inspect_actor.hpp"
#include "actors/inspect/trace_steps.hpp"
#include "actors/log_gate.hpp"
#include "actors/messages.hpp"
#include "actors/raft_view.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <map>
#include <memory>
#include <string>

namespace cairn::actors {

struct trace_actor_config {
  storage::env* env = nullptr;  ///< outlives the actor
  std::uint64_t parent = 0;
  std::string node_id;
  std::string log = "default";
  caf::actor raft;
  std::shared_ptr<log_gate> gate;
  std::shared_ptr<raft_view> view;
};

/// Who gets the answer.
struct trace_asker {
  inspect_done_fn done;
};

class trace_state {
public:
  static constexpr const char* name = "cairn.trace";
  /// At a time; more are refused (overloaded).
  static constexpr std::size_t k_open_max = 16;

  trace_state(caf::event_based_actor* self, trace_actor_config config);
  caf::behavior make_behavior();

private:
  struct open_trace {
    inspect_done_fn done;
    v1::Trace trace;
    trace_ends ends;
    std::uint64_t give_up_ns = 0;
    std::uint64_t look_until_ns = 0;  // for what comes after the answer
    bool here = true;                 // this node took the append
  };

  void take(const trace_question& question);
  void append(std::uint64_t ticket);
  void appended(const append_outcomes& outcomes);
  void look(std::uint64_t ticket);
  void seen(std::uint64_t ticket, const entry_timeline& timeline);
  void ask_leader(std::uint64_t ticket);
  void finish(std::uint64_t ticket);
  void fail(std::uint64_t ticket, errc code, std::string detail);
  [[nodiscard]] std::string state_line() const;

  caf::event_based_actor* self_;
  trace_actor_config config_;
  actor_journal journal_;
  caf::actor inspect_;
  std::map<std::uint64_t, open_trace> open_;  // a ticket is the id of its append, too
  std::uint64_t last_ticket_ = 0;
  std::uint64_t traced_ = 0;
};

using trace_actor = caf::stateful_actor<trace_state>;

/// The InspectActor's hook.
[[nodiscard]] inspect_handler trace_hook(const caf::actor& tracer);

}  // namespace cairn::actors
