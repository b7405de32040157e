#include "actors/raft/quorum.hpp"

#include <algorithm>

namespace cairn::raft {

std::uint64_t majority_value(std::span<std::uint64_t> values) {
  CAIRN_CHECK(!values.empty(), "majority of nobody");
  // In descending order, the value at place majority - 1 is reached by a majority.
  const auto place = static_cast<std::ptrdiff_t>(majority_of(values.size()) - 1);
  const auto nth = values.begin() + place;
  std::nth_element(values.begin(), nth, values.end(), std::greater<>{});
  return *nth;
}

vote_result ballot(std::size_t voter_count, std::size_t yes_count, std::size_t no_count) {
  CAIRN_CHECK(yes_count + no_count <= voter_count, "{} + {} votes of {} voters", yes_count,
              no_count, voter_count);
  if (yes_count >= majority_of(voter_count)) return vote_result::won;
  const std::size_t open_count = voter_count - yes_count - no_count;
  return yes_count + open_count >= majority_of(voter_count) ? vote_result::pending
                                                            : vote_result::lost;
}

}  // namespace cairn::raft
