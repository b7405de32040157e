#pragma once
// What the world knows and no core does: every disk, every entry ever made, what is committed. The
// promises of Raft (paper, figure 3) are checked against it.

#include "actors/raft/core.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace cairn::testing {

/// The durable content of one machine.
struct raft_image {
  raft::hard_state state;
  raft::log_position start;
  record_offset start_offset;
  raft::configuration start_config;
  std::vector<raft::entry> entries;  ///< from start.index + 1 on

  [[nodiscard]] log_index last() const { return start.index.plus(entries.size()); }
  [[nodiscard]] std::optional<term_id> term_of(log_index index) const;
  [[nodiscard]] const raft::entry& at(log_index index) const;
  /// Of the first record behind `index`.
  [[nodiscard]] record_offset offset_after(log_index index) const;
  [[nodiscard]] raft::boot_state boot() const;

  /// Carries out the first `step_count` steps of a batch: state, install, truncation, then entry by
  /// entry.
  void apply(const raft::persist_batch& batch, std::size_t step_count);
  void trim(log_index last_removed, const raft::configuration& config);
};

[[nodiscard]] std::size_t steps_of(const raft::persist_batch& batch);

/// The number that a client put into an entry; 0 for entries without.
[[nodiscard]] std::uint64_t value_of(const raft::entry& e);
[[nodiscard]] shared_bytes payload_of(std::uint64_t value);

class raft_truth {
public:
  /// Each returns the broken promise, or an empty text.
  [[nodiscard]] std::string saw_write(raft::node_id node, const raft_image& before,
                                      const raft::persist_batch& batch);
  [[nodiscard]] std::string saw_leader(const raft::core& core);
  /// `core` says that entries up to its commit index are committed; `disks` are those of all.
  [[nodiscard]] std::string saw_commit(const raft::core& core, log_index from,
                                       const std::map<raft::node_id, const raft_image*>& disks);
  [[nodiscard]] std::string saw_ok(std::uint64_t value, raft::log_position position);
  void saw_not_done(std::uint64_t value) { not_done_.insert(value); }
  /// At the end: nothing that was reported as not done is there, nothing is there twice.
  [[nodiscard]] std::string check_history() const;

  [[nodiscard]] log_index committed() const { return log_index(committed_.size()); }
  [[nodiscard]] std::uint64_t ok_count() const { return ok_count_; }

private:
  struct made {
    std::uint64_t value;
    term_id term_before;
    record_offset base_offset;
    bool operator==(const made&) const = default;
  };
  struct agreed {
    term_id term;
    std::uint64_t value;
  };

  std::map<std::pair<log_index, term_id>, made> made_;
  std::map<term_id, raft::node_id> leaders_;
  std::map<std::pair<raft::node_id, term_id>, raft::node_id> votes_;
  std::vector<agreed> committed_;      // of index i + 1
  std::vector<term_id> committed_in_;  // the term in which a leader knew it first
  std::set<std::uint64_t> not_done_;
  std::uint64_t ok_count_ = 0;
};

}  // namespace cairn::testing
