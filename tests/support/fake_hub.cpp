#include "tests/support/fake_hub.hpp"

#include "actors/type_ids.hpp"

#include <algorithm>
#include <caf/send.hpp>
#include <fmt/format.h>

namespace cairn::testing {

using actors::link_changed;
using actors::peer_envelope;
using actors::peer_kind;
using actors::peer_lane;

namespace {

using pair = std::pair<std::string, std::string>;

pair unordered(const std::string& a, const std::string& b) {
  return a < b ? pair{a, b} : pair{b, a};
}

std::string address_of(const std::string& node) {
  return node + ":1";
}

const char* name_of(peer_kind kind) {
  switch (kind) {
    case peer_kind::raft:
      return "raft";
    case peer_kind::swim:
      return "swim";
    case peer_kind::append:
      return "append";
    case peer_kind::append_outcomes:
      return "append_outcomes";
    case peer_kind::request:
      return "request";
    case peer_kind::answer:
      return "answer";
    case peer_kind::inspect:
      return "inspect";
    case peer_kind::inspect_answer:
      return "inspect answer";
  }
  return "?";
}

}  // namespace

struct fake_network::state {
  struct node_state {
    std::string cluster_id = "c";
    std::map<std::pair<peer_kind, std::string>, caf::actor> routes;
    std::vector<caf::actor> watchers;
    std::set<std::string> wanted;
    std::size_t unrouted = 0;
  };
  struct held {
    peer_lane lane;
    peer_envelope envelope;
  };
  struct direction {
    bool lost = false;
    bool full = false;
    std::optional<peer_lane> full_lane;  // null: both
    std::size_t drop = 0;
    bool holding = false;
    std::optional<peer_lane> only;
    std::deque<held> kept;
  };

  mutable std::mutex mutex;
  bool all = false;
  std::map<std::string, node_state> nodes;
  std::set<pair> cuts;
  std::set<std::string> isolated;
  std::set<pair> up;
  std::map<pair, direction> directions;
  std::vector<std::string> delivered;

  [[nodiscard]] bool wanted(const pair& p) const {
    const auto a = nodes.find(p.first);
    const auto b = nodes.find(p.second);
    if (a == nodes.end() || b == nodes.end() || cuts.count(p) != 0) return false;
    if (isolated.count(p.first) != 0 || isolated.count(p.second) != 0) return false;
    return all || a->second.wanted.count(p.second) != 0 || b->second.wanted.count(p.first) != 0;
  }

  void tell(const std::string& who, const std::string& about, bool is_up) {
    const auto found = nodes.find(who);
    if (found == nodes.end()) return;
    for (const auto& watcher : found->second.watchers)
      caf::anon_send(watcher, link_changed{about, is_up, address_of(about)});
  }

  /// Brings every link to where it should be, in the order of names.
  void settle() {
    for (auto i = up.begin(); i != up.end();) {
      if (wanted(*i)) {
        ++i;
        continue;
      }
      const pair p = *i;
      i = up.erase(i);
      directions[{p.first, p.second}].kept.clear();
      directions[{p.second, p.first}].kept.clear();
      tell(p.first, p.second, false);
      tell(p.second, p.first, false);
    }
    for (auto a = nodes.begin(); a != nodes.end(); ++a) {
      for (auto b = std::next(a); b != nodes.end(); ++b) {
        const pair p{a->first, b->first};
        if (!wanted(p) || !up.insert(p).second) continue;
        tell(p.first, p.second, true);
        tell(p.second, p.first, true);
      }
    }
  }

  void deliver(const std::string& from, const std::string& to, peer_lane lane,
               peer_envelope envelope) {
    auto& node = nodes.at(to);
    const auto route = node.routes.find({envelope.kind, envelope.log});
    if (route == node.routes.end()) {
      ++node.unrouted;
      return;
    }
    delivered.push_back(fmt::format("{}>{} {} {} {}", from, to,
                                    lane == peer_lane::control ? "control" : "bulk",
                                    name_of(envelope.kind), envelope.log));
    caf::anon_send(route->second, std::move(envelope));
  }
};

fake_network::fake_network() : state_(std::make_shared<state>()) {}

fake_hub& fake_network::hub(const std::string& node) {
  auto& slot = hubs_[node];
  if (!slot) {
    slot.reset(new fake_hub(state_, node));
    const std::lock_guard lock(state_->mutex);
    state_->nodes.try_emplace(node);
    state_->settle();
  }
  return *slot;
}

void fake_network::link_all() {
  const std::lock_guard lock(state_->mutex);
  state_->all = true;
  state_->settle();
}

void fake_network::stop(const std::string& node) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->nodes.erase(node);
    state_->settle();
  }
  hubs_.erase(node);
}

void fake_network::cut(const std::string& a, const std::string& b) {
  const std::lock_guard lock(state_->mutex);
  state_->cuts.insert(unordered(a, b));
  state_->settle();
}

void fake_network::isolate(const std::string& node) {
  const std::lock_guard lock(state_->mutex);
  state_->isolated.insert(node);
  state_->settle();
}

void fake_network::heal(const std::string& a, const std::string& b) {
  const std::lock_guard lock(state_->mutex);
  state_->cuts.erase(unordered(a, b));
  state_->directions.erase({a, b});
  state_->directions.erase({b, a});
  state_->settle();
}

void fake_network::heal() {
  const std::lock_guard lock(state_->mutex);
  state_->cuts.clear();
  state_->isolated.clear();
  state_->directions.clear();
  state_->settle();
}

void fake_network::one_way(const std::string& from, const std::string& to) {
  const std::lock_guard lock(state_->mutex);
  state_->directions[{from, to}].lost = true;
}

void fake_network::drop(const std::string& from, const std::string& to, std::size_t count) {
  const std::lock_guard lock(state_->mutex);
  state_->directions[{from, to}].drop += count;
}

void fake_network::hold(const std::string& from, const std::string& to,
                        std::optional<peer_lane> lane) {
  const std::lock_guard lock(state_->mutex);
  auto& way = state_->directions[{from, to}];
  way.holding = true;
  way.only = lane;
}

std::size_t fake_network::release(const std::string& from, const std::string& to, std::size_t count,
                                  bool keep_holding) {
  const std::lock_guard lock(state_->mutex);
  auto& way = state_->directions[{from, to}];
  way.holding = keep_holding;
  std::size_t done = 0;
  while (done < count && !way.kept.empty()) {
    auto next = std::move(way.kept.front());
    way.kept.pop_front();
    state_->deliver(from, to, next.lane, std::move(next.envelope));
    ++done;
  }
  return done;
}

void fake_network::no_room(const std::string& from, const std::string& to, bool on,
                           std::optional<peer_lane> lane) {
  const std::lock_guard lock(state_->mutex);
  auto& way = state_->directions[{from, to}];
  way.full = on;
  way.full_lane = lane;
}

std::vector<std::string> fake_network::delivered() const {
  const std::lock_guard lock(state_->mutex);
  return state_->delivered;
}

bool fake_hub::send(const std::string& node, peer_lane lane, peer_envelope envelope) {
  const std::lock_guard lock(network_->mutex);
  const auto self = network_->nodes.find(node_);
  if (self == network_->nodes.end() || network_->up.count(unordered(node_, node)) == 0)
    return false;
  auto& way = network_->directions[{node_, node}];
  if (way.full && way.full_lane.value_or(lane) == lane) return false;
  if (envelope.sender.empty()) envelope.sender = node_;
  if (envelope.cluster_id.empty()) envelope.cluster_id = self->second.cluster_id;
  if (way.lost) return true;
  if (way.drop > 0) {
    --way.drop;
    return true;
  }
  // Behind what is kept already, also after release() let only some of it go: order holds within a
  // lane.
  if ((way.holding && (!way.only || *way.only == lane)) ||
      std::any_of(way.kept.begin(), way.kept.end(),
                  [&](const auto& x) { return x.lane == lane; })) {
    way.kept.push_back({lane, std::move(envelope)});
    return true;
  }
  network_->deliver(node_, node, lane, std::move(envelope));
  return true;
}

void fake_hub::route(peer_kind kind, const std::string& log, caf::actor receiver) {
  const std::lock_guard lock(network_->mutex);
  const auto self = network_->nodes.find(node_);
  if (self == network_->nodes.end()) return;
  if (receiver) {
    self->second.routes[{kind, log}] = std::move(receiver);
  } else {
    self->second.routes.erase({kind, log});
  }
}

void fake_hub::watch(caf::actor who) {
  const std::lock_guard lock(network_->mutex);
  const auto self = network_->nodes.find(node_);
  if (self == network_->nodes.end()) return;
  for (const auto& [a, b] : network_->up) {
    if (a != node_ && b != node_) continue;
    const auto& other = a == node_ ? b : a;
    caf::anon_send(who, link_changed{other, true, address_of(other)});
  }
  self->second.watchers.push_back(std::move(who));
}

void fake_hub::connect(const std::string& node, const std::string& address) {
  const std::lock_guard lock(network_->mutex);
  const auto self = network_->nodes.find(node_);
  if (self == network_->nodes.end()) return;
  self->second.wanted.insert(node.empty() ? address.substr(0, address.rfind(':')) : node);
  network_->settle();
}

void fake_hub::forget(const std::string& node) {
  const std::lock_guard lock(network_->mutex);
  const auto self = network_->nodes.find(node_);
  if (self == network_->nodes.end()) return;
  self->second.wanted.erase(node);
  self->second.wanted.erase(node.substr(0, node.rfind(':')));
  network_->settle();
}

void fake_hub::set_cluster_id(const std::string& id) {
  const std::lock_guard lock(network_->mutex);
  const auto self = network_->nodes.find(node_);
  if (self != network_->nodes.end()) self->second.cluster_id = id;
}

bool fake_hub::linked(const std::string& node) const {
  const std::lock_guard lock(network_->mutex);
  return network_->up.count(unordered(node_, node)) != 0;
}

std::size_t fake_hub::unrouted() const {
  const std::lock_guard lock(network_->mutex);
  const auto self = network_->nodes.find(node_);
  return self == network_->nodes.end() ? 0 : self->second.unrouted;
}

}  // namespace cairn::testing
