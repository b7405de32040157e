#pragma once
// Lines that repeat: the first few at once, then a count every ten seconds.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace cairn {

/// Not thread-safe; has no clock. A place is whatever the caller tells apart by a number. Memory:
/// at most k_places_max places, each with what `Kept` is; all beyond share one.
template <class Kept>
class repeat_limiter {
public:
  static constexpr std::int64_t k_interval_ms = 10'000;
  static constexpr std::uint64_t k_at_once = 5;
  static constexpr std::size_t k_places_max = 256;

  /// `at_once` lines of a place pass in each interval.
  explicit repeat_limiter(std::uint64_t at_once = k_at_once) : at_once_(at_once) {}

  struct verdict {
    bool pass = false;
    std::uint64_t held_before = 0;  ///< of an interval that is over; with `pass` only
  };
  struct held {
    Kept last_passed;
    std::uint64_t count = 0;
  };

  /// Judges one line of `place`.
  [[nodiscard]] verdict ask(std::uint64_t place, std::int64_t now_ms) {
    auto& at = entry_of(place, now_ms);
    verdict out;
    if (now_ms - at.begun_ms >= k_interval_ms) {
      out.held_before = std::exchange(at.held, 0);
      at.begun_ms = now_ms;
      at.passed = 0;
    }
    out.pass = at.passed < at_once_;
    if (out.pass) {
      ++at.passed;
    } else {
      ++at.held;
    }
    return out;
  }

  /// Keeps what due() gives back for `place`.
  void passed(std::uint64_t place, Kept what) {
    const auto known = places_.find(place);
    (known == places_.end() ? rest_ : known->second).last_passed = std::move(what);
  }

  /// Places of which lines were held back in an interval that is over. Their intervals begin anew.
  [[nodiscard]] std::vector<held> due(std::int64_t now_ms) {
    std::vector<held> out;
    const auto look = [&](entry& at) {
      if (at.held == 0 || now_ms - at.begun_ms < k_interval_ms) return;
      out.push_back({at.last_passed, std::exchange(at.held, 0)});
      at.begun_ms = now_ms;
      at.passed = 0;
    };
    for (auto& [place, at] : places_)
      look(at);
    look(rest_);
    return out;
  }

  [[nodiscard]] std::size_t places() const { return places_.size(); }

private:
  struct entry {
    std::int64_t begun_ms = 0;
    std::uint64_t passed = 0;
    std::uint64_t held = 0;
    Kept last_passed{};
  };

  entry& entry_of(std::uint64_t place, std::int64_t now_ms) {
    const auto known = places_.find(place);
    if (known != places_.end()) return known->second;
    if (places_.size() >= k_places_max) {
      std::erase_if(places_, [now_ms](const auto& item) {
        return item.second.held == 0 && now_ms - item.second.begun_ms >= k_interval_ms;
      });
    }
    if (places_.size() >= k_places_max) return rest_;
    auto& fresh = places_[place];
    fresh.begun_ms = now_ms;
    return fresh;
  }

  std::uint64_t at_once_;
  std::map<std::uint64_t, entry> places_;
  entry rest_;
};

}  // namespace cairn
