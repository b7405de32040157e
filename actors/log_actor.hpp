#pragma once
// LogActor: the only writer of a log. apps/ spawns it detached, because it waits for the disk.
//
// It carries out what a RaftActor asks for (persist, reserve_room, load_entries) and answers before
// it does anything that nobody waits for. Reads for lagging peers go to a ReaderActor when what
// they want is published, so that they never keep a write waiting.
//
// Without a group it plans the appends itself, with group commit and no timer: the first append
// that arrives sends `flush_group` to the actor itself, behind everything that is in the mailbox by
// then. So whatever came while the last group was being synced is the next group: one write, one
// fdatasync, one answer per port.
//
// Supervises the SegmentActors: one per segment, made and ended as the log rolls and is trimmed,
// restarted when a read faults. A failed write or sync is not restarted: the log is fenced, and the
// NodeActor ends the node.

#include "actors/actor_journal.hpp"
#include "actors/append_plan.hpp"
#include "actors/log_store.hpp"
#include "actors/log_writer.hpp"
#include "actors/messages.hpp"
#include "actors/segment_directory.hpp"
#include "actors/type_ids.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <map>
#include <memory>
#include <vector>

namespace cairn::actors {

struct log_actor_config {
  std::uint64_t parent = 0;
  caf::actor node;                  ///< NodeActor
  caf::actor maintenance;           ///< MaintenanceActor
  std::vector<caf::actor> readers;  ///< ReaderActors, at least one
  std::shared_ptr<segment_directory> directory;
};

class log_state {
public:
  static constexpr const char* name = "cairn.log";

  /// For a RaftActor.
  log_state(caf::event_based_actor* self, std::unique_ptr<log_store> store,
            log_actor_config config);
  /// For a log without a group.
  log_state(caf::event_based_actor* self, std::unique_ptr<log_writer> writer,
            log_actor_config config);
  caf::behavior make_behavior();

private:
  struct child {
    caf::actor actor;
    bool sealed = false;
    std::uint64_t restarts = 0;
  };

  [[nodiscard]] caf::message_handler storage_handlers();
  [[nodiscard]] caf::message_handler append_handlers();

  // For the RaftActor.
  void write(const persist& request);
  void reserve(const reserve_room& request);
  caf::result<caf::message> load(load_entries& wanted);
  void apply_retention_now();
  /// What is due once the answer is on its way.
  void after_write();

  // Appends, without a group.
  void take(append_batch& batch);
  void commit_group();
  void answer(std::vector<append_batch>& batches, append_plan& plan);
  void wake_waiting();
  void await(const await_commit& request);
  log_closed close();
  void fence_if_needed();

  // Segments.
  /// Makes the children match the log's segments. True when a new segment has begun.
  bool refresh_segments();
  void start_segment(const storage::segment_summary& segment, std::uint64_t restarts);
  void stop_segment(record_offset base_offset);
  void segment_down(const caf::down_msg& down);

  void start_chores();
  [[nodiscard]] log_report report() const;
  [[nodiscard]] std::string state_line() const;

  caf::event_based_actor* self_;
  std::unique_ptr<log_store> store_;
  log_writer* writer_ = nullptr;  // store_, if there is no group
  log_actor_config config_;
  actor_journal journal_;
  caf::actor raft_;
  std::vector<append_batch> waiting_;
  bool flush_queued_ = false;
  bool chores_running_ = false;
  bool closed_ = false;
  bool fence_reported_ = false;
  std::vector<await_commit> awaiting_;  // at most one per port
  std::map<record_offset, child> segments_;
  std::uint64_t groups_ = 0;
  std::uint64_t appends_ = 0;
  std::uint64_t writes_ = 0;
  std::uint64_t loads_ = 0;
};

using log_actor = caf::stateful_actor<log_state>;

}  // namespace cairn::actors
