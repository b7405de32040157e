#pragma once
// Raft messages <-> peer envelopes (cairn.v1.RaftBatch).
//
// Messages may be lost, doubled and reordered between replicas, so what is sent together need not
// arrive together: an encoder is free to spread messages over envelopes and lanes.

#include "actors/raft/messages.hpp"
#include "actors/wire/envelope_parts.hpp"

#include <span>
#include <vector>

namespace cairn::wire {

/// Appends and snapshots: bulk. All else, among it heartbeats, acknowledgements, votes: control. An
/// append without entries asks whether those before it came in, so it must not overtake them: a
/// slow link would look like a lossy one, and get everything twice.
[[nodiscard]] peer_lane lane_of(const raft::message& m);

/// Everything that goes to one node now, in as few envelopes as limits and lanes allow; control
/// first. Payloads are copied once, or not at all if there is one.
/// @pre all have the same `from` and `to`, and raft::malformed() has nothing against them.
[[nodiscard]] std::vector<envelope_parts> encode_raft(std::span<const raft::message> messages);

struct raft_batch {
  raft::node_id from;
  raft::node_id to;
  std::vector<raft::message> messages;  ///< all of them between these two
  std::uint32_t unknown = 0;            ///< passed over: kinds that this version does not know
};

/// The reverse. Payloads keep nothing of `body` alive but themselves. Each message has passed
/// raft::malformed(); nothing is checked yet about who sent it: `from` must be the number of the
/// envelope's sender, and `to` our own.
/// invalid_argument: no RaftBatch, over a limit, or a field out of range; the detail names it.
[[nodiscard]] result<raft_batch> decode_raft(const shared_bytes& head, const shared_bytes& body);

}  // namespace cairn::wire
