#pragma once
// What no node can know: every entry ever made, every vote, every leader, what is committed. The
// promises of Raft (paper, figure 3) are judged by it and by the durable images of the disks.
//
// Every saw_ function returns the promise that is broken, or an empty text.

#include "actors/messages.hpp"
#include "actors/raft/core.hpp"
#include "apps/sim/durable_log.hpp"

#include <map>
#include <string>
#include <vector>

namespace cairn::sim {

class truth {
public:
  /// A node's disk has these entries from `from` on. Log matching: who has an entry (index, term)
  /// has the same one, after the same one (paper 5.3; by induction over all entries written).
  [[nodiscard]] std::string saw_entries(raft::node_id node, const durable_log& disk,
                                        log_index from);
  /// A node's disk has this term and vote. One vote in a term, also over restarts.
  [[nodiscard]] std::string saw_state(raft::node_id node, const raft::hard_state& state);
  /// A node leads. Election safety; leader completeness: it has what was committed in earlier terms
  /// (paper 5.2, 5.4).
  [[nodiscard]] std::string saw_leader(const raft::core& core);
  /// A node has committed (from, core.commit_index()]. State machine safety (paper 5.4), and
  /// committed means durable on a quorum, of the configuration in force now or, as both can have
  /// changed at once, of the one `before`. `disks` by node.
  [[nodiscard]] std::string saw_commit(const raft::core& core, log_index from,
                                       const raft::configuration& before,
                                       const std::map<raft::node_id, const durable_log*>& disks);
  /// A client was told that its append succeeded.
  [[nodiscard]] std::string saw_ok(const actors::append_outcome& outcome) const;

  [[nodiscard]] log_index committed() const { return log_index(committed_.size()); }
  [[nodiscard]] record_offset end() const {
    return committed_.empty() ? record_offset(0) : committed_.back().next_offset();
  }
  [[nodiscard]] std::uint64_t leader_count() const { return leaders_.size(); }

private:
  struct made {
    entry_facts entry;
    term_id term_before;
  };

  std::map<std::pair<log_index, term_id>, made> made_;
  std::map<term_id, raft::node_id> leaders_;
  std::map<std::pair<raft::node_id, term_id>, raft::node_id> votes_;
  std::map<raft::node_id, term_id> terms_;
  std::vector<entry_facts> committed_;  // of index i + 1
  std::vector<term_id> committed_in_;   // the term in which a leader knew it first
};

}  // namespace cairn::sim
