#pragma once
// Virtual time: one queue of what is to happen, in order of (time, order). Whatever is due at the
// same moment happens in an order drawn from the seed.

#include "tests/support/sim_random.hpp"

#include <cstdint>
#include <functional>
#include <queue>
#include <tuple>
#include <vector>

namespace cairn::sim {

inline constexpr std::uint64_t k_ns_per_ms = 1'000'000;
inline constexpr std::uint64_t k_ns_per_s = 1'000'000'000;

class scheduler {
public:
  using action = std::function<void()>;

  explicit scheduler(std::uint64_t seed) : random_(seed) {}

  [[nodiscard]] std::uint64_t now_ns() const { return now_ns_; }
  [[nodiscard]] std::uint64_t event_count() const { return event_count_; }

  void after(std::uint64_t delay_ns, action what) {
    std::uint64_t slot = slots_.size();
    if (free_.empty()) {
      slots_.push_back(std::move(what));
    } else {
      slot = free_.back();
      free_.pop_back();
      slots_[slot] = std::move(what);
    }
    queue_.push({now_ns_ + delay_ns, random_.next() >> 32U, ++last_number_, slot});
  }

  /// Runs what comes next. False: nothing before `end_ns`, where the clock then stands.
  bool run_one(std::uint64_t end_ns) {
    if (queue_.empty() || queue_.top().time_ns >= end_ns) {
      now_ns_ = end_ns;
      return false;
    }
    const entry next = queue_.top();
    queue_.pop();
    now_ns_ = next.time_ns;
    ++event_count_;
    const action what = std::move(slots_[next.slot]);
    slots_[next.slot] = nullptr;
    free_.push_back(next.slot);
    what();
    return true;
  }

private:
  struct entry {
    std::uint64_t time_ns;
    std::uint64_t order;
    std::uint64_t number;
    std::uint64_t slot;
    bool operator>(const entry& other) const {
      return std::tie(time_ns, order, number) > std::tie(other.time_ns, other.order, other.number);
    }
  };

  testing::sim_random random_;
  std::priority_queue<entry, std::vector<entry>, std::greater<>> queue_;
  std::vector<action> slots_;
  std::vector<std::uint64_t> free_;
  std::uint64_t now_ns_ = 0;
  std::uint64_t last_number_ = 0;
  std::uint64_t event_count_ = 0;
};

}  // namespace cairn::sim
