#pragma once
// Appends that a node passes on to the leader, and what became of them <-> peer envelopes
// (cairn.v1.ForwardedAppends and ForwardedOutcomes).
//
// A batch is named by the incarnation of the node that sent it (random per process, so that no
// outcome reaches a successor) and a number; an item by its position in the batch.

#include "actors/messages.hpp"
#include "actors/raft/types.hpp"
#include "actors/wire/envelope_parts.hpp"

#include <cstdint>
#include <vector>

namespace cairn::wire {

/// Longest time that a forwarded append may have left; encoders cut what is longer.
inline constexpr std::uint32_t k_remaining_ms_max = 3'600'000;

struct forwarded_append {
  shared_bytes payload;  ///< a serialized cairn.v1.RecordBatch: not looked into here
  std::uint32_t record_count = 0;
  bool conditional = false;        ///< append only if the next offset is `expected_offset`
  record_offset expected_offset;   ///< only when `conditional`
  std::uint32_t remaining_ms = 0;  ///< of its deadline, when it was sent
};

struct forwarded_appends {
  std::uint64_t incarnation = 0;
  std::uint64_t batch = 0;
  std::vector<forwarded_append> items;
};

/// What to keep below when filling a batch: more is taken (up to k_items_max items and
/// k_body_bytes_max), but delays what is behind it.
inline constexpr std::size_t k_forward_bytes_wanted = 4 * k_mib_bytes;

/// Kind append, lane bulk.
/// @pre within k_items_max and k_body_bytes_max; no item without records or payload.
[[nodiscard]] envelope_parts encode_appends(const forwarded_appends& appends);
/// Payloads keep nothing of `body` alive but themselves. That a payload is a batch of
/// `record_count` records is for the receiver to check, if it does not trust the sender's gateway.
/// invalid_argument: not a batch, over a limit, or a field out of range; the detail names it.
[[nodiscard]] result<forwarded_appends> decode_appends(const shared_bytes& head,
                                                       const shared_bytes& body);

struct forwarded_outcomes {
  std::uint64_t incarnation = 0;
  std::uint64_t batch = 0;
  /// append_outcome::id is the position of the item in its batch.
  actors::append_outcomes outcomes;
  raft::node_id leader;  ///< whom the sender takes for the leader; nobody: unknown
};

/// Kind append_outcomes, lane control; several if there are many. A detail is cut to
/// k_detail_bytes_max. @pre every id is below k_items_max.
[[nodiscard]] std::vector<envelope_parts> encode_outcomes(const forwarded_outcomes& outcomes);
/// A code that this version does not know becomes outcome_unknown. Whether `id` is in the batch is
/// for the receiver to check.
/// invalid_argument: no outcomes, over a limit, or a field out of range; the detail names it.
[[nodiscard]] result<forwarded_outcomes> decode_outcomes(const shared_bytes& head,
                                                         const shared_bytes& body);

}  // namespace cairn::wire
