#pragma once
// The one owner of a replica's log on disk: hard state, entries, retention. It carries out what a
// raft::core asks of storage and decides nothing itself. No CAF and no thread in it; the LogActor
// is a thin adapter around it, and simulation drives the very same class.
//
// Nothing is ever tried twice: after a failed write or sync nobody knows what is on disk, so the
// store is fenced for good and the node has to end.

#include "actors/log_gate.hpp"
#include "actors/log_observer.hpp"
#include "actors/messages.hpp"
#include "actors/raft/core.hpp"
#include "actors/replica_sessions.hpp"
#include "storage/env.hpp"
#include "storage/hard_state.hpp"
#include "storage/log_reader.hpp"
#include "storage/segmented_log.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn::actors {

/// How long a log keeps what it has. 0: no bound.
struct retention_config {
  std::uint64_t segment_ms = 0;  ///< a segment takes writes at most this long
  std::uint64_t bytes = 0;       ///< the log's size, whole segments
  std::uint64_t ms = 0;          ///< age of the newest record of a segment
};

struct log_store_config {
  std::string name = "default";
  std::string directory;
  storage::log_config log;
  retention_config retention;
};

/// Owner: one thread at a time, the log actor's once that runs. Only what publisher() and reader()
/// return is used from others.
class log_store {
public:
  /// Opens or makes the log and its hard state (`<directory>/hard_state`) and publishes nothing of
  /// it. Errors as segmented_log::open and hard_state_file::open; corruption also when they cannot
  /// belong together. `env` outlives the store.
  [[nodiscard]] static result<std::unique_ptr<log_store>> open(
      storage::env& env, log_store_config config, std::shared_ptr<log_gate> gate,
      std::shared_ptr<log_observer> observer, storage::recovery_report& report);

  log_store(const log_store&) = delete;
  log_store& operator=(const log_store&) = delete;

  /// What a core starts with. Only before the first write(). corruption, io_error.
  [[nodiscard]] result<raft::boot_state> boot_state() const;
  /// What a replica knows of appends with an identity when it starts: from the file `sessions`, or
  /// from what came with the snapshot that the log begins behind, and from the entries after that,
  /// which are read. Only before the first write(). corruption: the file is damaged, and entries
  /// that could replace it are gone; or as load(). io_error.
  [[nodiscard]] result<session_boot> load_sessions();

  /// True if no configuration is known: a new log, or that of a node which ran alone before there
  /// were groups. Such a replica waits for a leader, or is told to bootstrap().
  [[nodiscard]] bool blank() const;
  /// Makes this log the first of a new group of `config`: puts a config entry at its end, at index
  /// 1 and in term 1 of an empty log, and behind everything that a node has written alone; durable
  /// on return. What is there then counts as committed as soon as `config` elects a leader.
  /// A crash on the way leaves the log blank, or bootstrapped. already_exists: it is not blank.
  /// invalid_argument: `config` is not valid, or has not exactly one voter. disk_full: not done.
  /// io_error: fenced.
  [[nodiscard]] status bootstrap(const raft::configuration& config);

  /// Carries out one batch, in the order that raft::persist_batch gives; all of it is durable on
  /// return. disk_full: try again with the same batch, what was done of it is not done twice.
  /// Anything else: fenced.
  [[nodiscard]] status write(const raft::persist_batch& batch);
  /// When the last write() that did its work began, had written, and had synced.
  [[nodiscard]] const write_times& last_write() const { return last_write_; }

  /// Finds room ahead, see segmented_log::reserve.
  [[nodiscard]] status reserve(std::uint64_t bytes);
  [[nodiscard]] std::uint64_t room_bytes() const { return log_->room_bytes(); }
  [[nodiscard]] std::uint64_t room_frames() const { return log_->room_frames(); }

  /// Replaces the file `sessions`; durable on return. disk_full: the old one stands. Anything else:
  /// fenced.
  [[nodiscard]] status save_sessions(const session_checkpoint& checkpoint);
  /// Whether retention has kept entries that only a newer checkpoint lets go, since the last call.
  [[nodiscard]] bool take_sessions_wanted();

  /// Entries [first, last), as many as fit `bytes_max` but at least one, durable or not.
  /// invalid_argument below the first one kept, corruption, io_error.
  [[nodiscard]] result<std::vector<raft::entry>> load(log_index first, log_index last,
                                                      std::uint64_t bytes_max) const;

  /// Shows readers what is committed. Thread-safe; may outlive the store.
  [[nodiscard]] storage::log_publisher publisher() const { return log_->publisher(); }
  [[nodiscard]] const std::shared_ptr<storage::log_reader>& reader() const { return reader_; }

  /// Rolls by age, trims by age and size what is published, but no stamped entry that the file
  /// `sessions` does not cover (see take_sessions_wanted); says where the log begins now if that
  /// has changed. A trim that cannot be made durable fences the store.
  std::optional<log_trimmed> apply_retention();

  /// Syncs and closes. Fails with what storage says; io_error if fenced.
  [[nodiscard]] status close();

  /// What readers see.
  [[nodiscard]] log_range range() const;
  [[nodiscard]] term_id term() const { return hard_state_.current().term; }
  [[nodiscard]] bool fenced() const { return log_->fenced() || !fence_reason_.empty(); }
  [[nodiscard]] const std::string& fence_reason() const { return fence_reason_; }
  [[nodiscard]] const log_store_config& config() const { return config_; }
  [[nodiscard]] const storage::segmented_log& log() const { return *log_; }
  [[nodiscard]] storage::env& env() { return env_; }
  [[nodiscard]] log_gate& gate() { return *gate_; }
  [[nodiscard]] log_observer& observer() { return *observer_; }
  [[nodiscard]] const std::shared_ptr<log_gate>& shared_gate() const { return gate_; }

private:
  log_store(storage::env& env, log_store_config config, std::shared_ptr<log_gate> gate,
            std::shared_ptr<log_observer> observer, storage::hard_state_file hard_state,
            std::unique_ptr<storage::segmented_log> log);

  status fence(const char* attempted, const error& cause);

  storage::env& env_;
  log_store_config config_;
  std::shared_ptr<log_gate> gate_;
  std::shared_ptr<log_observer> observer_;
  storage::hard_state_file hard_state_;
  std::unique_ptr<storage::segmented_log> log_;
  std::shared_ptr<storage::log_reader> reader_;
  std::string fence_reason_;

  /// How far the batch has got that met a full disk.
  enum class step : std::uint8_t { state, install, truncate, append, sync };

  [[nodiscard]] status carry_out(const raft::persist_batch& batch, commit_facts& facts);
  [[nodiscard]] status save_state(const raft::hard_state& state);
  [[nodiscard]] status append(const std::vector<raft::entry>& entries, commit_facts& facts);
  void trim(const char* attempted, const status& outcome);

  // log_store_sessions.cpp
  [[nodiscard]] std::string sessions_path() const;
  [[nodiscard]] result<session_table> stored_sessions(log_index& saved);
  /// Only entries before `first` may go before a checkpoint covers `last`.
  void note_unsaved(log_index first, log_index last);
  void hold_unsaved();

  std::optional<log_index> first_unsaved_;
  log_index last_unsaved_;
  raft::persist_ticket ticket_;
  step next_step_ = step::state;
  write_times last_write_;
};

/// Entries as a core wants them, for a load_request; the payloads share one buffer for each
/// segment. `published_only`: nothing above the published end, as any thread but the log's must
/// read. Errors as log_store::load.
[[nodiscard]] result<std::vector<raft::entry>> read_raft_entries(const storage::log_reader& reader,
                                                                 log_index first, log_index last,
                                                                 std::uint64_t bytes_max,
                                                                 bool published_only);

/// The vote in the hard state file: "#7" is the replica with number 7.
[[nodiscard]] std::string vote_text(raft::node_id vote);
/// Nothing if `text` is not such a vote: the node id of a node that ran alone.
[[nodiscard]] std::optional<raft::node_id> parse_vote(const std::string& text);

}  // namespace cairn::actors
