#pragma once
// NodeActor: the root. It knows every actor of the node and asks them to describe themselves; it
// ends the node when one dies that must not, or when a log is fenced.
//
// Whoever asks for all actors while they are being asked gets the same answers: however many look,
// each actor is asked once at a time.

#include "actors/actor_journal.hpp"
#include "actors/messages.hpp"
#include "actors/node_events.hpp"
#include "actors/type_ids.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/response_promise.hpp>
#include <caf/stateful_actor.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <vector>

namespace cairn::actors {

struct node_actor_config {
  storage::env* env = nullptr;  ///< outlives the actor
  std::string node_id;
  /// Called once, from a scheduler thread, when the node must end; must not block.
  std::function<void(const std::string& reason)> on_fatal;
  /// Actors that have not described themselves by then are listed without their state.
  std::chrono::milliseconds list_timeout{1'000};
  node_events_ptr events{};  ///< may be null
};

class node_state {
public:
  static constexpr const char* name = "cairn.node";

  node_state(caf::event_based_actor* self, node_actor_config config);
  caf::behavior make_behavior();

private:
  struct known_actor {
    caf::actor who;
    actor_started facts;
  };
  /// A list_actors that is being gathered, for one or several who asked meanwhile.
  struct pending_list {
    std::vector<caf::response_promise> promises;
    std::map<std::uint64_t, actor_report>
        reports;  // of all that were asked; filled in as they come
    std::size_t missing = 0;
    bool with_events = false;
  };

  caf::result<actor_list> list(const list_actors& request);
  void ask(std::uint64_t gathering_id, std::uint64_t actor_id, const known_actor& actor);
  void received(std::uint64_t gathering_id);
  void finish(std::uint64_t gathering_id);
  void started(const actor_started& facts);
  void down(const caf::down_msg& message);
  void fatal(const std::string& reason);
  [[nodiscard]] actor_report own_report();

  caf::event_based_actor* self_;
  node_actor_config config_;
  actor_journal journal_;
  std::map<std::uint64_t, known_actor> actors_;
  std::map<std::uint64_t, pending_list> gatherings_;
  std::uint64_t next_gathering_ = 1;
  std::uint64_t full_gathering_ = 0;  // of all actors, the one under way; there is one at a time
  bool ending_ = false;
};

using node_actor = caf::stateful_actor<node_state>;

}  // namespace cairn::actors
