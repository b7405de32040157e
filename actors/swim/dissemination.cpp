#include "actors/swim/dissemination.hpp"

#include <algorithm>

namespace cairn::swim {

void dissemination::add(claim news, bool urgent) {
  remove(news.node);
  items_.push_back({std::move(news), urgent, 0, next_number_++});
}

bool dissemination::has(const std::string& node) const {
  return std::any_of(items_.begin(), items_.end(),
                     [&](const item& one) { return one.news.node == node; });
}

void dissemination::remove(const std::string& node) {
  std::erase_if(items_, [&](const item& one) { return one.news.node == node; });
}

void dissemination::take(std::size_t count, std::uint32_t limit, const std::string& except,
                         std::vector<claim>& to) {
  if (items_.empty()) return;
  std::vector<item*> order;
  order.reserve(items_.size());
  for (auto& one : items_) {
    if (one.news.node != except) order.push_back(&one);
  }
  const auto chosen = order.begin() + static_cast<std::ptrdiff_t>(std::min(count, order.size()));
  // The youngest of those that were sent equally often.
  std::partial_sort(order.begin(), chosen, order.end(), [](const item* a, const item* b) {
    if (a->urgent != b->urgent) return a->urgent;
    return a->sent != b->sent ? a->sent < b->sent : a->number > b->number;
  });
  bool spent = false;
  for (auto one = order.begin(); one != chosen; ++one) {
    to.push_back((*one)->news);
    spent = ++(*one)->sent >= limit || spent;
  }
  if (spent) std::erase_if(items_, [&](const item& one) { return one.sent >= limit; });
}

}  // namespace cairn::swim
