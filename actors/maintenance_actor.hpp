#pragma once
// MaintenanceActor: runs the chores that storage has set aside (filling space with zeros, sealing
// old segments), and reminds the LogActor of retention now and then. apps/ spawns it detached.

#include "actors/actor_journal.hpp"
#include "actors/messages.hpp"
#include "actors/type_ids.hpp"
#include "storage/background_work.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <chrono>
#include <memory>

namespace cairn::actors {

struct maintenance_actor_config {
  storage::env* env = nullptr;  ///< outlives the actor
  std::uint64_t parent = 0;
  std::shared_ptr<storage::background_work> work;
  std::chrono::milliseconds retention_interval{30'000};
};

class maintenance_state {
public:
  static constexpr const char* name = "cairn.maintenance";

  maintenance_state(caf::event_based_actor* self, maintenance_actor_config config);
  caf::behavior make_behavior();

private:
  void run();

  caf::event_based_actor* self_;
  maintenance_actor_config config_;
  actor_journal journal_;
  caf::actor log_;
  std::uint64_t chores_ = 0;
};

using maintenance_actor = caf::stateful_actor<maintenance_state>;

}  // namespace cairn::actors
