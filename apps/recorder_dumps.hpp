#pragma once
// Dumps of the flight recorder that a node writes by itself, into its data directory:
// DIR/recorder-<UTC>.dump. docs/recorder.md.

#include "actors/inspect/inspect_actor.hpp"
#include "actors/node_events.hpp"
#include "actors/recorder/flight_recorder.hpp"
#include "storage/base/result.hpp"
#include "storage/env.hpp"

#include <memory>
#include <string>

namespace cairn::apps {

/// So many files stay; the oldest go.
inline constexpr std::size_t k_recorder_dumps_kept = 4;

/// Writes what `recorder` holds into `directory` and removes what is too much there. @returns the
/// file's name. Plain system calls, no lock, nothing of ours but the recorder: a thread that is
/// about to end the process may call it. io_error, disk_full.
[[nodiscard]] result<std::string> write_recorder_dump(const std::string& directory,
                                                      const actors::flight_recorder& recorder,
                                                      const std::string& reason);

/// The same after a failure that ends the node, and says in its log where. Gives up after a second:
/// the disk may be what hangs. Does nothing without a recorder.
void report_recorder_dump(const std::string& directory,
                          std::shared_ptr<const actors::flight_recorder> recorder,
                          const std::string& reason);

/// What an InspectActor does when it is asked for the recording. Null: nothing is recorded
/// (unsupported). Each time an event says so; `events` may be null. `env` outlives it.
[[nodiscard]] actors::inspect_handler recorder_hook(
    std::shared_ptr<const actors::flight_recorder> recorder, storage::env& env,
    actors::node_events_ptr events);

/// As long as one lives, a failed check (CAIRN_CHECK), in whatever thread, writes a dump before it
/// ends the process, and says on stderr where. One at a time in a process.
class dump_on_failed_check {
public:
  dump_on_failed_check(std::string directory,
                       std::shared_ptr<const actors::flight_recorder> recorder);
  ~dump_on_failed_check();
  dump_on_failed_check(const dump_on_failed_check&) = delete;
  dump_on_failed_check& operator=(const dump_on_failed_check&) = delete;

private:
  const std::string directory_;
  const std::shared_ptr<const actors::flight_recorder> recorder_;

  static void hook(std::string_view message);
};

}  // namespace cairn::apps
