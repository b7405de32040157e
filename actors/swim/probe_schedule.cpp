#include "actors/swim/probe_schedule.hpp"

#include <algorithm>
#include <utility>

namespace cairn::swim {

void probe_schedule::add(const std::string& node, random_source& random) {
  // A random place in the round: before at_ means that its first turn is in the next one. Swapping
  // keeps it cheap, and what it displaces is in random order anyway.
  const auto place = random.below(order_.size() + 1);
  order_.push_back(node);
  if (place < at_) {
    // Whoever stands at at_ - 1 had its turn; it must not get another one.
    std::swap(order_[at_], order_.back());
    std::swap(order_[place], order_[at_]);
    ++at_;
  } else {
    std::swap(order_[place], order_.back());
  }
}

void probe_schedule::remove(const std::string& node) {
  const auto found = std::find(order_.begin(), order_.end(), node);
  if (found == order_.end()) return;
  if (static_cast<std::size_t>(found - order_.begin()) < at_) --at_;
  order_.erase(found);
}

std::string probe_schedule::next(random_source& random) {
  if (order_.empty()) return {};
  if (at_ == 0 || at_ >= order_.size()) {
    for (std::size_t i = order_.size() - 1; i > 0; --i)
      std::swap(order_[i], order_[random.below(i + 1)]);
    at_ = 0;
  }
  return order_[at_++];
}

}  // namespace cairn::swim
