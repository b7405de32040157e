#pragma once
// The live table: two looks at the nodes give rates.

#include "apps/console/asker.hpp"
#include "apps/console/screen.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cairn::console {

class top_view {
public:
  /// Asks every node. Fails when nobody answers.
  [[nodiscard]] status sample(asker& ask);
  /// As many rows as the screen has, if somebody looks at it.
  [[nodiscard]] std::string text(asker& ask, const screen& on) const;
  [[nodiscard]] boost::json::object json(asker& ask) const;

private:
  struct look {
    std::int64_t time_ms = 0;  ///< of the node
    v1::NodeFacts facts;
    v1::RaftState raft;
    std::map<std::uint64_t, v1::ActorState> actors;
  };
  struct node_row {
    std::string node;
    bool silent = false;
    std::optional<look> before;
    look now;
    [[nodiscard]] double seconds() const;
    [[nodiscard]] std::optional<double> records_per_s() const;
    [[nodiscard]] std::optional<double> cpu_percent() const;
  };
  struct actor_row {
    std::string node;
    const v1::ActorState* actor = nullptr;
    std::optional<double> messages_per_s;
    std::optional<double> busy_percent;
  };
  [[nodiscard]] std::vector<actor_row> busiest() const;

  std::vector<node_row> rows_;
};

}  // namespace cairn::console
