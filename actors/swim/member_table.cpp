#include "actors/swim/member_table.hpp"

#include "storage/base/check.hpp"

#include <algorithm>

namespace cairn::swim {
namespace {

constexpr auto k_before = [](const member& one, std::string_view node) {
  return one.node() < node;
};

}  // namespace

claim member::as_claim(bool with_info) const {
  const bool alive = state == member_state::alive;
  return {node(), state, incarnation, by, with_info || alive ? info : nullptr};
}

bool overrides(member_state state, std::uint64_t incarnation, const member& known) {
  if (incarnation != known.incarnation) return incarnation > known.incarnation;
  return state > known.state;
}

const member* member_table::find(std::string_view node) const {
  const auto at = std::lower_bound(members_.begin(), members_.end(), node, k_before);
  return at == members_.end() || at->node() != node ? nullptr : &*at;
}

std::size_t member_table::count(member_state state) const {
  return counts_[static_cast<std::size_t>(state)];
}

void member_table::add(member one) {
  const auto at = std::lower_bound(members_.begin(), members_.end(), one.node(), k_before);
  CAIRN_CHECK(at == members_.end() || at->node() != one.node(), "{} is known", one.node());
  ++counts_[static_cast<std::size_t>(one.state)];
  ++version_;
  members_.insert(at, std::move(one));
}

void member_table::remove(std::string_view node) {
  const auto at = std::lower_bound(members_.begin(), members_.end(), node, k_before);
  if (at == members_.end() || at->node() != node) return;
  --counts_[static_cast<std::size_t>(at->state)];
  ++version_;
  members_.erase(at);
}

std::vector<member>::iterator member_table::locate(std::string_view node) {
  const auto at = std::lower_bound(members_.begin(), members_.end(), node, k_before);
  CAIRN_CHECK(at != members_.end() && at->node() == node, "{} is not known", node);
  return at;
}

}  // namespace cairn::swim
