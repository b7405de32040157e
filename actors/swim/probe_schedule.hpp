#pragma once
// Whom to probe next: everybody once in a round, in an order that is shuffled for each round, and
// newcomers at a random place (SWIM 4.3). So a failure is noticed by each member within two rounds
// at the latest, and by somebody within e/(e-1) periods on average.

#include "actors/swim/types.hpp"

#include <string>
#include <vector>

namespace cairn::swim {

class probe_schedule {
public:
  /// @pre `node` is not in it.
  void add(const std::string& node, random_source& random);
  /// No effect if it is not in it.
  void remove(const std::string& node);
  /// Empty if there is nobody.
  [[nodiscard]] std::string next(random_source& random);
  [[nodiscard]] std::size_t size() const { return order_.size(); }

private:
  std::vector<std::string> order_;
  std::size_t at_ = 0;  // the next one; what is before had its turn in this round
};

}  // namespace cairn::swim
