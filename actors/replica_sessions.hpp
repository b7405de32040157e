#pragma once
// What a replica knows of appends that have an identity: the table of what is committed, the
// overlay of what is in the log beyond that, and when the table has to be written down. Pure; a
// part of replica, which tells it everything that it gives to storage.

#include "actors/raft/ready.hpp"
#include "actors/session_overlay.hpp"
#include "storage/base/units.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace cairn::actors {

/// What storage found at the start.
struct session_boot {
  session_table table;
  session_overlay pending;          ///< of every entry that the table has not applied
  log_index saved;                  ///< applied() of what is in the file; 0: no file
  std::uint64_t unsaved_bytes = 0;  ///< of the entries behind that
};

/// Whether an entry has stamps, by its first byte; and what they say, see stamps_of().
[[nodiscard]] bool has_stamps(const raft::entry& e);
[[nodiscard]] std::vector<stamped_append> stamps_in(const raft::entry& e);

/// The table as it was once everything up to `index` had been applied: to be made durable.
struct session_checkpoint {
  log_index index;
  shared_bytes state;
};

struct session_counts {
  std::uint64_t keys = 0;
  std::uint64_t producers = 0;
  std::uint64_t under_way = 0;  ///< entries of the overlay
  std::uint64_t replays = 0;    ///< appends that were answered with their first receipt
  std::uint64_t checkpoints = 0;
};

/// Owner: one thread.
class replica_sessions {
public:
  /// `last` is the end of the log, `log_time_ms` the timestamp there.
  replica_sessions(session_boot boot, log_index last, unix_ms log_time_ms);

  // --- what happens to the log ------------------------------------------------------------------

  /// Storage has been told to do this. @pre an install's state is acceptable().
  void given_out(const raft::persist_batch& batch);
  /// Everything up to `visible` is committed, and durable here: those entries were given out, and
  /// nothing that is given out later replaces them. @returns whether a judgement may change.
  bool settle(log_index visible);
  /// This node leads from now on.
  void elected();

  // --- judgement --------------------------------------------------------------------------------

  /// The overlay has every entry up to here.
  [[nodiscard]] log_index end() const { return end_; }
  [[nodiscard]] session_judgement judge(const proto::append_stamp& stamp) const;
  /// An append of this stamp will become an entry with those that were expected before it.
  void expect(const proto::append_stamp& stamp);
  /// What was expected will come back with what is given out next, or has not come to be.
  void end_expectations();
  void count_replay() { ++counts_.replays; }

  // --- keeping it -------------------------------------------------------------------------------

  /// False: no state of ours, or damaged. Empty is that of a log without sessions.
  [[nodiscard]] static bool acceptable(const shared_bytes& state);
  [[nodiscard]] shared_bytes state() const { return table_.serialize(); }

  /// Storage wants to remove entries that no checkpoint covers.
  void want_checkpoint() { wanted_ = true; }
  /// What is to be written now, if anything; then checkpointed().
  /// `due_bytes` and `idle_bytes`: replica_config::checkpoint_bytes and idle_checkpoint_bytes.
  [[nodiscard]] std::optional<session_checkpoint> take_checkpoint(std::uint64_t due_bytes,
                                                                  std::uint64_t idle_bytes);
  void checkpointed(bool done);
  void tick();
  /// The last words of a replica that ends well. Nothing: the last checkpoint says it all.
  [[nodiscard]] std::optional<session_checkpoint> last_checkpoint() const;

  [[nodiscard]] const session_table& table() const { return table_; }
  [[nodiscard]] const session_overlay& pending() const { return pending_; }
  [[nodiscard]] session_counts counts() const;

private:
  void install(const raft::snapshot& content);
  void append(const raft::entry& e);

  session_table table_;
  session_overlay pending_;
  log_index end_;
  unix_ms log_time_ms_ = 0;
  log_index expected_;  // of the last append expected; end_ or lower: none is

  log_index saved_;
  std::uint64_t unsaved_bytes_ = 0;
  bool stamps_unsaved_ = false;
  bool wanted_ = false;
  struct saving {
    log_index index;
    std::uint64_t unsaved_bytes = 0;
    bool stamps_unsaved = false;
  };
  std::optional<saving> saving_;
  std::uint32_t pause_ticks_ = 0;  // after one that failed
  session_counts counts_;
};

}  // namespace cairn::actors
