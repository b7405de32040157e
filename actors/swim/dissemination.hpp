#pragma once
// News that wait to travel on other messages (SWIM 4.1): of the urgent ones, and then of the
// others, those that travelled least go first, and each goes no more than a multiple of log n
// times.

#include "actors/swim/messages.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace cairn::swim {

class dissemination {
public:
  /// Replaces what waits about the same member. Urgent: somebody's state has changed. Not urgent:
  /// somebody is new. So a crowd that joins does not hold up the news of a failure.
  void add(claim news, bool urgent);
  /// Is there something about `node`?
  [[nodiscard]] bool has(const std::string& node) const;
  void remove(const std::string& node);

  /// Appends up to `count` claims to `to`, none about `except`, and counts them as sent; what was
  /// sent `limit` times is forgotten.
  void take(std::size_t count, std::uint32_t limit, const std::string& except,
            std::vector<claim>& to);

  [[nodiscard]] std::size_t size() const { return items_.size(); }

private:
  struct item {
    claim news;
    bool urgent = false;
    std::uint32_t sent = 0;
    std::uint64_t number = 0;
  };

  std::vector<item> items_;  // at most one for a member
  std::uint64_t next_number_ = 0;
};

}  // namespace cairn::swim
