#include "tests/sim/swim_world.hpp"

#include "storage/base/check.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace cairn::testing {

swim_world::swim_world(const options& o) : options_(o), random_(o.seed), nodes_(o.members) {
  std::vector<swim::info_ptr> infos;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    start(i);
    infos.push_back(nodes_[i].core->self().info);
  }
  if (!options_.introduced) return;
  for (auto& one : nodes_) {
    for (const auto& info : infos)
      one.core->introduce(now_ms_, info);
    (void)one.core->take();
  }
}

std::string swim_world::name(std::size_t i) {
  return fmt::format("n{:05}", i);
}

std::size_t swim_world::index_of(const std::string& member) const {
  std::size_t i = 0;
  const auto parsed = std::from_chars(member.data() + 1, member.data() + member.size(), i);
  CAIRN_CHECK(parsed.ec == std::errc{} && i < nodes_.size(), "no member {}", member);
  return i;
}

void swim_world::start(std::size_t i) {
  auto& one = nodes_[i];
  swim::member_info info;
  info.node_id = name(i);
  info.peer = fmt::format("10.0.{}.{}:7080", i / 256, i % 256);
  ++one.life;
  one.dead = false;
  one.random = std::make_unique<source>(random_.next());
  one.core = std::make_unique<swim::core>(options_.settings, info, *one.random, now_ms_);
  one.wakes_ms = 0;
  collect(i);
}

void swim_world::run_for(std::uint64_t ms) {
  const auto until = now_ms_ + ms;
  while (!queue_.empty() && queue_.top().at_ms <= until) {
    const due one = queue_.top();
    queue_.pop();
    now_ms_ = one.at_ms;
    step(one);
  }
  now_ms_ = until;
}

bool swim_world::run_until(const std::function<bool()>& done, std::uint64_t at_most_ms) {
  constexpr std::uint64_t k_look_every_ms = 10;
  for (const auto until = now_ms_ + at_most_ms; now_ms_ < until;) {
    if (done()) return true;
    run_for(k_look_every_ms);
  }
  return done();
}

void swim_world::step(const due& one) {
  auto& to = nodes_[one.to];
  if (to.dead || one.life != to.life) return;
  if (now_ms_ < to.paused_until_ms) {
    due later = one;
    later.at_ms = to.paused_until_ms;
    queue_.push(later);
    return;
  }
  if (one.message) {
    to.core->receive(now_ms_, name(one.from), *one.message);
  } else {
    if (one.number != to.wake_number) return;  // an earlier one was called for since
    to.wakes_ms = 0;
    to.core->tick(now_ms_);
  }
  collect(one.to);
}

void swim_world::collect(std::size_t i) {
  auto& one = nodes_[i];
  auto out = one.core->take();
  for (auto& change : out.changes)
    events_.push_back({now_ms_, i, std::move(change)});
  for (auto& m : out.messages)
    deliver(i, index_of(m.to), std::move(m.what));
  const auto wake = std::max(one.core->next_wake_ms(), now_ms_ + 1);
  if (one.dead || (one.wakes_ms != 0 && one.wakes_ms <= wake)) return;
  one.wakes_ms = wake;
  one.wake_number = next_number_;
  queue_.push({wake, next_number_++, i, i, one.life, nullptr});
}

void swim_world::deliver(std::size_t from, std::size_t to, swim::message m) {
  ++messages_;
  claims_ += m.claims.size();
  if (nodes_[to].dead) return;
  if (!sides_.empty() && sides_[from] != sides_[to]) return;
  if (static_cast<double>(random_.below(1'000'000)) < options_.loss * 1'000'000) return;
  CAIRN_CHECK(swim::malformed(m).empty(), "{}", swim::malformed(m));
  const auto delay =
      options_.delay_min_ms + random_.below(options_.delay_max_ms - options_.delay_min_ms + 1);
  queue_.push({now_ms_ + delay, next_number_++, to, from, nodes_[to].life,
               std::make_shared<const swim::message>(std::move(m))});
}

void swim_world::kill(std::size_t i) {
  nodes_[i].dead = true;
}

void swim_world::restart(std::size_t i, std::size_t contact) {
  start(i);
  link_up(i, contact);
}

void swim_world::leave(std::size_t i) {
  nodes_[i].core->leave(now_ms_);
  collect(i);
  kill(i);
}

void swim_world::pause(std::size_t i, std::uint64_t ms) {
  nodes_[i].paused_until_ms = now_ms_ + ms;
}

void swim_world::link_up(std::size_t a, std::size_t b) {
  nodes_[a].core->link_changed(now_ms_, name(b), true);
  nodes_[b].core->link_changed(now_ms_, name(a), true);
  collect(a);
  collect(b);
}

void swim_world::link_down(std::size_t a, std::size_t b) {
  nodes_[a].core->link_changed(now_ms_, name(b), false);
  collect(a);
}

bool swim_world::all_say(std::size_t i, swim::member_state state) const {
  return std::all_of(nodes_.begin(), nodes_.end(), [&](const node& one) {
    if (one.dead) return true;
    const auto* known = one.core->members().find(name(i));
    return known != nullptr && known->state == state;
  });
}

const swim_world::event* swim_world::first(std::size_t i, swim::member_state state,
                                           std::uint64_t from_ms) const {
  for (const auto& one : events_) {
    if (one.at_ms >= from_ms && one.what.node == name(i) && one.what.after == state) return &one;
  }
  return nullptr;
}

}  // namespace cairn::testing
