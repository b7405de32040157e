#pragma once
// The clock of one suspect (Lifeguard IV-B): runs out the sooner the more members accuse it.

#include "actors/swim/formulas.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace cairn::swim {

class suspicion {
public:
  /// `members`: size of the group now; it is not looked at again.
  suspicion(const config& c, std::size_t members, std::string first_accuser, std::uint64_t now_ms)
      : range_(suspicion_bounds(c, members)),
        wanted_(confirmations_wanted(c, members)),
        started_ms_(now_ms),
        accusers_{std::move(first_accuser)} {}

  /// Another member accuses it, too. True if that was news and counts: then it is worth passing on.
  bool confirm(const std::string& accuser) {
    if (accusers_.size() > wanted_) return false;
    if (std::find(accusers_.begin(), accusers_.end(), accuser) != accusers_.end()) return false;
    accusers_.push_back(accuser);
    return true;
  }

  [[nodiscard]] std::uint64_t ends_ms() const {
    const auto confirmations = static_cast<std::uint32_t>(accusers_.size() - 1);
    return started_ms_ + suspicion_timeout_ms(range_, confirmations, wanted_);
  }

private:
  suspicion_range range_;
  std::uint32_t wanted_;
  std::uint64_t started_ms_;
  std::vector<std::string> accusers_;  // the first, and at most wanted_ more
};

}  // namespace cairn::swim
