#pragma once
// The one owner of a log on disk: term, writes, retention. No CAF in it; the LogActor is a thin
// adapter around it.

#include "actors/append_plan.hpp"
#include "actors/log_gate.hpp"
#include "actors/log_observer.hpp"
#include "storage/env.hpp"
#include "storage/hard_state.hpp"
#include "storage/log_reader.hpp"
#include "storage/segmented_log.hpp"

#include <memory>
#include <string>

namespace cairn::actors {

/// How long a log keeps what it has. 0: no bound.
struct retention_config {
  std::uint64_t segment_ms = 0;  ///< a segment takes writes at most this long
  std::uint64_t bytes = 0;       ///< the log's size, whole segments
  std::uint64_t ms = 0;          ///< age of the newest record of a segment
};

struct log_writer_config {
  std::string name = "default";
  std::string directory;
  std::string node_id;  ///< votes for itself on the first start
  storage::log_config log;
  retention_config retention;
};

/// Owner: one thread at a time, the log actor's once that runs.
class log_writer {
public:
  /// Opens or makes the log and its hard state (`<directory>/hard_state`); on the first start term
  /// 1 is written, durably, with a vote for this node. Errors as segmented_log::open and
  /// hard_state_file::open. `env`, `gate` and `observer` outlive the writer.
  [[nodiscard]] static result<std::unique_ptr<log_writer>> open(
      storage::env& env, log_writer_config config, std::shared_ptr<log_gate> gate,
      std::shared_ptr<log_observer> observer, storage::recovery_report& report);

  /// Where the next group will stand.
  [[nodiscard]] append_position next_position();

  /// Writes, syncs and publishes a planned group. On failure the plan's outcomes say so: disk_full
  /// and other refusals mean that nothing was stored and the log goes on; outcome_unknown that the
  /// log is fenced for ever. @pre `plan` was made for next_position().
  void commit(append_plan& plan);

  /// Rolls by age, trims by age and size. A trim that cannot be made durable fences the log.
  void apply_retention();

  /// Looks whether a full disk has room again; cheap.
  void check_disk_space();

  /// Syncs and closes. Fails with what storage says; io_error if fenced.
  [[nodiscard]] status close();

  /// What readers see.
  [[nodiscard]] log_range range() const;
  [[nodiscard]] term_id term() const { return hard_state_.current().term; }
  [[nodiscard]] bool fenced() const { return log_->fenced(); }
  [[nodiscard]] const std::string& fence_reason() const { return fence_reason_; }
  [[nodiscard]] const log_writer_config& config() const { return config_; }
  [[nodiscard]] storage::segmented_log& log() { return *log_; }
  [[nodiscard]] const storage::segmented_log& log() const { return *log_; }
  [[nodiscard]] storage::env& env() { return env_; }
  [[nodiscard]] log_gate& gate() { return *gate_; }
  [[nodiscard]] log_observer& observer() { return *observer_; }
  [[nodiscard]] const std::shared_ptr<log_gate>& shared_gate() const { return gate_; }

private:
  log_writer(storage::env& env, log_writer_config config, std::shared_ptr<log_gate> gate,
             std::shared_ptr<log_observer> observer, storage::hard_state_file hard_state,
             std::unique_ptr<storage::segmented_log> log);

  void fence(const char* attempted, const error& cause);
  void refuse(append_plan& plan, const error& cause);
  void trim(const char* attempted, const status& outcome);

  storage::env& env_;
  log_writer_config config_;
  std::shared_ptr<log_gate> gate_;
  std::shared_ptr<log_observer> observer_;
  storage::hard_state_file hard_state_;
  std::unique_ptr<storage::segmented_log> log_;
  std::shared_ptr<storage::log_reader> reader_;
  std::string fence_reason_;
};

}  // namespace cairn::actors
