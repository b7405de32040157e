#pragma once
// SegmentActor: one per segment of a log. Event-based and idle unless somebody reads its segment
// from the disk, so that ten thousand of them cost memory only. It bounds the reads that wait for
// its segment, passes them to a ReaderActor, and fails when the disk gives back something wrong:
// the LogActor then starts a new one, and the count of restarts shows it.

#include "actors/actor_journal.hpp"
#include "actors/log_gate.hpp"
#include "actors/messages.hpp"
#include "actors/type_ids.hpp"
#include "storage/log_reader.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <memory>
#include <vector>

namespace cairn::actors {

struct segment_actor_config {
  storage::env* env = nullptr;  ///< outlives the actor
  std::string log;
  std::uint64_t parent = 0;
  std::uint64_t restarts = 0;
  std::shared_ptr<log_gate> gate;
  std::shared_ptr<const storage::log_reader> reader;  ///< for the end of an active segment
  std::vector<caf::actor> readers;                    ///< ReaderActors, at least one
  segment_report segment;
};

class segment_state {
public:
  static constexpr const char* name = "cairn.segment";

  segment_state(caf::event_based_actor* self, segment_actor_config config);
  caf::behavior make_behavior();

private:
  caf::result<caf::message> read(segment_read& request);
  void finish(const cold_read_done& done);
  [[nodiscard]] std::string state_line() const;

  caf::event_based_actor* self_;
  segment_actor_config config_;
  actor_journal journal_;
  std::uint64_t in_flight_ = 0;
  std::uint64_t reads_ = 0;
  std::uint64_t read_bytes_ = 0;
};

using segment_actor = caf::stateful_actor<segment_state>;

}  // namespace cairn::actors
