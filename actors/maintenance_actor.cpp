#include "actors/maintenance_actor.hpp"

#include <fmt/format.h>

namespace cairn::actors {

maintenance_state::maintenance_state(caf::event_based_actor* self, maintenance_actor_config config)
    : self_(self),
      config_(std::move(config)),
      journal_(*config_.env, "maintenance", "maintenance", config_.parent) {}

caf::behavior maintenance_state::make_behavior() {
  return {
      [this](const watch_log& watched) {
        const auto busy = journal_.enter();
        log_ = watched.log;
        self_->delayed_send(self_, config_.retention_interval, apply_retention{});
      },
      [this](run_chores) {
        const auto busy = journal_.enter();
        run();
      },
      [this](apply_retention) {
        const auto busy = journal_.enter();
        self_->send(log_, apply_retention{});
        self_->delayed_send(self_, config_.retention_interval, apply_retention{});
      },
      [this](describe) {
        const auto busy = journal_.enter();
        return journal_.report(self_->id(), self_->mailbox().size(),
                               fmt::format("{} chores done", chores_));
      },
  };
}

void maintenance_state::run() {
  std::uint64_t done = 0;
  // Bounded, so that `describe` and the end of the node get their turn between many chores.
  constexpr std::uint64_t k_chores_at_once = 16;
  while (done < k_chores_at_once && config_.work->run_one())
    ++done;
  chores_ += done;
  if (log_) self_->send(log_, chores_done{done});
}

}  // namespace cairn::actors
