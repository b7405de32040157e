#pragma once
// What the InspectActor takes and gives within its node. Protobuf, because the same questions and
// answers travel between nodes (proto/cairn/v1/inspect.proto); shared, because messages are copied.

#include "storage/base/bytes.hpp"

#include <caf/actor.hpp>
#include <cstdint>
#include <memory>

namespace cairn::v1 {
class InspectAnswer;
class InspectRequest;
}  // namespace cairn::v1

namespace cairn::actors {

/// A request with the response inspect_reply, within the question's deadline_ms. `id` and
/// `forwarded` of the question do not matter.
struct inspect_question {
  std::shared_ptr<const v1::InspectRequest> what;  ///< never null
};

struct inspect_reply {
  std::shared_ptr<const v1::InspectAnswer> what;  ///< never null; a code says why not
  shared_bytes body{};                            ///< of a recorder's dump
};

// An InspectActor's to itself.

/// Somebody else has found an answer to an open question.
struct inspect_done {
  std::uint64_t ticket = 0;
  inspect_reply reply;
};
/// There are new events.
struct inspect_wake {};
/// The first of the open questions runs out of time.
struct inspect_alarm {
  std::uint64_t generation = 0;
};

// A TraceActor's.

struct trace_asker;
/// Of the InspectActor's hook: answer this. Never leaves the process.
struct trace_question {
  std::shared_ptr<const v1::InspectRequest> what;
  std::shared_ptr<const trace_asker> asker;
};
/// Other nodes are asked through this InspectActor.
struct trace_through {
  caf::actor inspect;
};
/// Its own alarm: look again.
struct trace_alarm {
  std::uint64_t ticket = 0;
};

}  // namespace cairn::actors
