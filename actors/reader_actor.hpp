#pragma once
// ReaderActor: reads that may wait for the disk. apps/ spawns a few of them detached; a scheduler
// thread must not run one.

#include "actors/actor_journal.hpp"
#include "actors/log_gate.hpp"
#include "actors/log_observer.hpp"
#include "actors/messages.hpp"
#include "actors/type_ids.hpp"
#include "storage/log_reader.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <memory>

namespace cairn::actors {

struct reader_actor_config {
  storage::env* env = nullptr;  ///< outlives the actor
  std::string name;
  std::uint64_t parent = 0;
  std::shared_ptr<log_gate> gate;
  std::shared_ptr<log_observer> observer;
  std::shared_ptr<const storage::log_reader> reader;
};

class reader_state {
public:
  static constexpr const char* name = "cairn.reader";

  reader_state(caf::event_based_actor* self, reader_actor_config config);
  caf::behavior make_behavior();

private:
  read_outcome read(const cold_read& work);
  loaded load(const load_entries& work);

  caf::event_based_actor* self_;
  reader_actor_config config_;
  actor_journal journal_;
  std::uint64_t read_bytes_ = 0;
  std::uint64_t faults_ = 0;
};

using reader_actor = caf::stateful_actor<reader_state>;

/// The answer to a load_entries.
[[nodiscard]] loaded load_answer(const raft::load_request& request,
                                 result<std::vector<raft::entry>> entries);

/// Reads as `request` asks, waiting for the disk if `cached_only` is false. Also what a port does
/// first, with `cached_only`: then would_block is an answer. Any thread.
[[nodiscard]] read_outcome read_log(const storage::log_reader& reader, const segment_read& request,
                                    bool cached_only);

}  // namespace cairn::actors
