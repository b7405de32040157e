#pragma once
// What a RaftActor shares with the ports in front of it without a message: who leads.

#include "actors/raft/ready.hpp"

#include <mutex>
#include <string>
#include <utility>

namespace cairn::actors {

struct raft_facts {
  raft::leadership lead;
  std::string leader;  ///< node id; empty: unknown
};

/// Thread-safe.
class raft_view {
public:
  void set(raft_facts facts) {
    const std::lock_guard lock(mutex_);
    facts_ = std::move(facts);
  }
  [[nodiscard]] raft_facts get() const {
    const std::lock_guard lock(mutex_);
    return facts_;
  }

private:
  mutable std::mutex mutex_;
  raft_facts facts_;  // guarded by mutex_
};

}  // namespace cairn::actors
