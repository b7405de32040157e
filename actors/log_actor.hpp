#pragma once
// LogActor: the only writer of a log. apps/ spawns it detached, because it waits for the disk.
//
// It carries out what a RaftActor asks for (persist, reserve_room, load_entries) and answers before
// it does anything that nobody waits for. Reads for lagging peers go to a ReaderActor when what
// they want is published, so that they never keep a write waiting.
//
// Supervises the SegmentActors: one per segment, made and ended as the log rolls and is trimmed,
// restarted when a read faults. A failed write or sync is not restarted: the log is fenced, and the
// NodeActor ends the node.

#include "actors/actor_journal.hpp"
#include "actors/event_pace.hpp"
#include "actors/log_store.hpp"
#include "actors/messages.hpp"
#include "actors/node_events.hpp"
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
  node_events_ptr events{};  ///< may be null
};

class log_state {
public:
  static constexpr const char* name = "cairn.log";

  log_state(caf::event_based_actor* self, std::unique_ptr<log_store> store,
            log_actor_config config);
  caf::behavior make_behavior();

private:
  struct child {
    caf::actor actor;
    bool sealed = false;
    std::uint64_t restarts = 0;
  };

  // For the RaftActor.
  void write(const persist& request);
  void reserve(const reserve_room& request);
  void save(const save_sessions& request);
  caf::result<caf::message> load(load_entries& wanted);
  void apply_retention_now();
  /// What is due once the answer is on its way.
  void after_write();

  log_closed close();
  void fence_if_needed();

  // Segments.
  /// Makes the children match the log's segments. True when a new segment has begun.
  bool refresh_segments();
  void start_segment(const storage::segment_summary& segment, std::uint64_t restarts);
  void stop_segment(record_offset base_offset);
  void segment_down(const caf::down_msg& down);

  // log_actor_events.cpp
  void tell_rolled(const storage::segment_summary& begun);
  void tell_trimmed(const log_trimmed& trimmed);
  void tell_restart(record_offset base_offset, std::uint64_t restarts, const caf::error& why);

  void start_chores();
  [[nodiscard]] log_report report() const;
  [[nodiscard]] std::string state_line() const;

  caf::event_based_actor* self_;
  std::unique_ptr<log_store> store_;
  log_actor_config config_;
  actor_journal journal_;
  caf::actor raft_;
  bool chores_running_ = false;
  bool closed_ = false;
  bool fence_reported_ = false;
  std::map<record_offset, child> segments_;
  std::uint64_t writes_ = 0;
  std::uint64_t loads_ = 0;
  event_pace rolls_;
  event_pace trims_;
  bool opened_ = false;
};

using log_actor = caf::stateful_actor<log_state>;

}  // namespace cairn::actors
