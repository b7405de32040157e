#pragma once
// Lets an event of a kind through now and then, so that a log that rolls a hundred times a second
// does not fill the node's ring with it.

#include <cstdint>
#include <optional>
#include <utility>

namespace cairn::actors {

/// Owner: one actor.
class event_pace {
public:
  static constexpr std::uint64_t k_gap_ns = 1'000'000'000;

  /// Nothing: keep this one back, the last one is less than k_gap_ns ago. Otherwise tell it, and
  /// that so many were kept back before it.
  [[nodiscard]] std::optional<std::uint64_t> admit(std::uint64_t now_ns) {
    if (told_ && now_ns - last_ns_ < k_gap_ns) {
      ++kept_back_;
      return std::nullopt;
    }
    told_ = true;
    last_ns_ = now_ns;
    return std::exchange(kept_back_, 0);
  }

private:
  bool told_ = false;
  std::uint64_t last_ns_ = 0;
  std::uint64_t kept_back_ = 0;
};

}  // namespace cairn::actors
