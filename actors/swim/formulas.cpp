#include "actors/swim/formulas.hpp"

#include <algorithm>
#include <cmath>

namespace cairn::swim {

std::uint32_t retransmit_limit(const config& c, std::size_t members) {
  const auto log = std::ceil(std::log10(static_cast<double>(members) + 1));
  return c.retransmit_lambda * std::max(1U, static_cast<std::uint32_t>(log));
}

std::uint32_t confirmations_wanted(const config& c, std::size_t members) {
  // The suspect does not accuse itself, and the first accuser is no confirmation.
  return members < std::size_t{c.suspicion_confirmations} + 2 ? 0 : c.suspicion_confirmations;
}

suspicion_range suspicion_bounds(const config& c, std::size_t members) {
  const auto log = std::max(1.0, std::log10(std::max(1.0, static_cast<double>(members))));
  const auto min = c.suspicion_alpha * log * c.probe_interval_ms;
  return {static_cast<std::uint64_t>(min), static_cast<std::uint64_t>(min * c.suspicion_beta)};
}

std::uint64_t suspicion_timeout_ms(suspicion_range range, std::uint32_t confirmations,
                                   std::uint32_t wanted) {
  if (wanted == 0) return range.min_ms;
  const auto part = std::log(confirmations + 1.0) / std::log(wanted + 1.0);
  const auto span = static_cast<double>(range.max_ms - range.min_ms);
  const auto timeout = static_cast<double>(range.max_ms) - span * part;
  return std::max(range.min_ms, static_cast<std::uint64_t>(std::max(0.0, timeout)));
}

std::uint64_t full_sync_interval_ms(const config& c, std::size_t members) {
  constexpr std::size_t k_small_group = 32;
  std::uint64_t interval = c.sync_interval_ms;
  for (std::size_t n = k_small_group; n < members; n *= 2)
    interval *= 2;
  return interval;
}

void local_health::change(int by) {
  const auto next = static_cast<int>(score_) + by;
  score_ = static_cast<std::uint32_t>(std::clamp(next, 0, static_cast<int>(score_max_)));
}

}  // namespace cairn::swim
