#pragma once
// What a RaftActor shares with the ports in front of it without a message: who leads, and, a few
// times a second, how the group stands.

#include "actors/messages.hpp"
#include "actors/raft/ready.hpp"

#include <map>
#include <memory>
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

  /// As of the last tick; null before the first.
  void set_report(std::shared_ptr<const raft_report> report) {
    const std::lock_guard lock(mutex_);
    for (const election_report& election : report->elections) {
      if (election.term <= counted_) continue;
      counted_ = election.term;
      ++elections_[election.cause];
    }
    report_ = std::move(report);
  }
  [[nodiscard]] std::shared_ptr<const raft_report> report() const {
    const std::lock_guard lock(mutex_);
    return report_;
  }

  /// Elections since the start, each term once, by why this node thinks that there was one.
  [[nodiscard]] std::map<raft::election_cause, std::uint64_t> elections() const {
    const std::lock_guard lock(mutex_);
    return elections_;
  }

private:
  mutable std::mutex mutex_;
  raft_facts facts_;                           // guarded by mutex_
  std::shared_ptr<const raft_report> report_;  // guarded by mutex_
  term_id counted_;                            // guarded by mutex_; of the newest election so far
  std::map<raft::election_cause, std::uint64_t> elections_;  // guarded by mutex_
};

}  // namespace cairn::actors
