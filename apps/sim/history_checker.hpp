#pragma once
// Judges a history: is there an order of all calls that one log, used by one client at a time,
// could have shown? In general that is a search over all orders. For a log the offsets give the
// order of the appends, and what remains are bounds on the moment at which each record came to be:
//
//   lo[i]  latest time at which record i was certainly not there yet
//   hi[i]  earliest time at which it certainly was
//
//   append of record i          lo[i] = its begin, hi[i] = its end if it was acknowledged
//   read that saw length L      hi[L-1] = its end at the latest
//   exact length e at a read    lo[e] = its begin at the earliest
//   records of one append       all get the highest lo and the lowest hi
//
// The history is linearizable exactly if, for every i, the highest lo of [0, i] is below the lowest
// hi of [i, end). Two open intervals meet exactly if each begins before the other ends, and reads
// of one length do not constrain each other, so nothing is lost by looking at bounds alone. A read
// that is not linearizable shows a state of the past: it gives a hi and no lo.

#include "apps/sim/history.hpp"

#include <optional>
#include <string>

namespace cairn::sim {

/// The first broken promise.
struct violation {
  /// agreement, duplicate, origin, density, batch, read past end, final read, hole, order
  /// inversion, stale read, non-monotonic reads, read from the future.
  std::string rule;
  std::string detail;  ///< a sentence with offsets, values and times
};

/// Nothing when every promise is kept. O(n log n) in all records sent and seen.
[[nodiscard]] std::optional<violation> find_violation(const history& h);

}  // namespace cairn::sim
