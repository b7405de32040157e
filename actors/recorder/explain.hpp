#pragma once
// Why a core did what it did in one step: derived from its state before, the input, and its state
// after, by the rules of the core's own sources. A sentence for each thing that changed.

#include "actors/recorder/describe.hpp"
#include "actors/recorder/replay.hpp"

namespace cairn::actors {

enum class change_topic : std::uint8_t {
  election,  ///< roles, terms, votes, leaders, the lead handed over, the end
  log,       ///< entries, commits, configurations
  peers,     ///< how a leader sends to them; sleep
};

struct explained_change {
  change_topic topic = change_topic::election;
  std::string text;
};

/// Empty: nothing changed that anybody would ask about.
[[nodiscard]] std::vector<explained_change> explain(const replay_step& step,
                                                    const raft::core_config& config,
                                                    const node_namer& name);

}  // namespace cairn::actors
