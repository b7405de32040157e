#pragma once
// A log without a group: one node decides alone what is in it. What replication does not need goes
// when the RaftActor plans the appends.

#include "actors/append_plan.hpp"
#include "actors/log_store.hpp"

namespace cairn::actors {

struct log_writer_config {
  std::string name = "default";
  std::string directory;
  std::string node_id;  ///< votes for itself on the first start
  storage::log_config log;
  retention_config retention;
};

/// Owner: as log_store.
class log_writer : public log_store {
public:
  /// As log_store::open, and publishes what is there. On the first start term 1 is written,
  /// durably, with a vote for this node.
  [[nodiscard]] static result<std::unique_ptr<log_writer>> open(
      storage::env& env, log_writer_config config, std::shared_ptr<log_gate> gate,
      std::shared_ptr<log_observer> observer, storage::recovery_report& report);

  /// Where the next group will stand.
  [[nodiscard]] append_position next_position();

  /// Writes, syncs and publishes a planned group. On failure the plan's outcomes say so: disk_full
  /// and other refusals mean that nothing was stored and the log goes on; outcome_unknown that the
  /// log is fenced for ever. @pre `plan` was made for next_position().
  void commit(append_plan& plan);

private:
  using log_store::log_store;
  void refuse(append_plan& plan, const error& cause);
};

}  // namespace cairn::actors
