#pragma once
// Membership messages <-> peer envelopes (cairn.v1.SwimMessage).

#include "actors/swim/messages.hpp"
#include "actors/wire/envelope_parts.hpp"

namespace cairn::wire {

/// Claims of one message. A sync of a group too large for it tells of a part only.
inline constexpr std::size_t k_claims_max = 4096;

/// Kind swim, lane control. Claims beyond k_claims_max or the size of a head are left out, as if
/// they had got lost.
/// @pre swim::malformed() has nothing against it.
[[nodiscard]] envelope_parts encode_swim(const swim::message& m);

/// A kind of message from the future becomes a gossip with its claims; a claim with a state from
/// the future is left out. Names must be printable ASCII; in other texts what is not is replaced.
/// What comes out has passed swim::malformed().
/// invalid_argument: no SwimMessage, over a limit, or a field out of range; the detail names it.
[[nodiscard]] result<swim::message> decode_swim(const shared_bytes& head, const shared_bytes& body);

}  // namespace cairn::wire
