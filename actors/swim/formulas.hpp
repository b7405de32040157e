#pragma once
// The arithmetic of SWIM and Lifeguard, apart, so that it can be tested apart.

#include "actors/swim/config.hpp"

#include <cstddef>
#include <cstdint>

namespace cairn::swim {

/// How often a claim is passed on in a group of `members` (SWIM 4.1: a multiple of log n reaches
/// everybody with high probability). At least lambda.
[[nodiscard]] std::uint32_t retransmit_limit(const config& c, std::size_t members);

/// How many further accusers count in a group of `members`: none where there cannot be that many.
[[nodiscard]] std::uint32_t confirmations_wanted(const config& c, std::size_t members);

struct suspicion_range {
  std::uint64_t min_ms = 0;
  std::uint64_t max_ms = 0;
};
/// Min and Max of Lifeguard IV-B for a group of `members`.
[[nodiscard]] suspicion_range suspicion_bounds(const config& c, std::size_t members);

/// How long a suspect has, with `confirmations` accusers besides the first of `wanted`:
///   max(Min, Max - (Max - Min) * log(C + 1) / log(K + 1))      (Lifeguard IV-B)
/// Min if none are wanted.
[[nodiscard]] std::uint64_t suspicion_timeout_ms(suspicion_range range, std::uint32_t confirmations,
                                                 std::uint32_t wanted);

/// How long until the next full sync: doubles each time that a group beyond 32 doubles, so that the
/// work for one member grows by what a list is longer, no more.
[[nodiscard]] std::uint64_t full_sync_interval_ms(const config& c, std::size_t members);

/// How well this member itself seems to work (Lifeguard IV-A, "local health multiplier").
class local_health {
public:
  explicit local_health(std::uint32_t score_max) : score_max_(score_max) {}

  /// Positive: worse. Stays within [0, score_max].
  void change(int by);
  [[nodiscard]] std::uint32_t score() const { return score_; }
  /// `ms` times (score + 1).
  [[nodiscard]] std::uint64_t scaled(std::uint32_t ms) const {
    return std::uint64_t{ms} * (score_ + 1);
  }

private:
  std::uint32_t score_max_;
  std::uint32_t score_ = 0;
};

}  // namespace cairn::swim
