#include "actors/swim/core.hpp"

#include "storage/base/check.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

namespace cairn::swim {

core::core(const config& settings, member_info self, random_source& random, std::uint64_t now_ms)
    : config_(settings),
      self_(self.node_id),
      random_(random),
      health_(settings.health_max),
      clock_ms_(now_ms),
      // Members that start together must not all probe at the same moment.
      next_probe_ms_(now_ms + random.below(settings.probe_interval_ms)),
      next_sync_ms_(now_ms + random.below(settings.sync_interval_ms)),
      next_ask_failed_ms_(now_ms + settings.failed_probe_interval_ms),
      // Random, so that answers to a predecessor of the same name are not taken for ours.
      next_sequence_(random.next()) {
  CAIRN_CHECK(!self_.empty(), "a member without a name");
  CAIRN_CHECK(config_.probe_timeout_ms < config_.probe_interval_ms, "probe timeout of {} ms",
              config_.probe_timeout_ms);
  // Not 0: that is what others believe who only know this member from a list.
  members_.add({std::make_shared<const member_info>(std::move(self)),
                member_state::alive,
                1,
                clock_ms_,
                {}});
}

// Brings the clock up to date. When a driver calls much later than it was asked to, then this
// member did not run, or too slowly: answers may lie unread. That time does not count, so that
// nobody is judged by it (Lifeguard IV, "slow message processing").
void core::run(std::uint64_t now_ms) {
  const auto now = now_ms < lost_ms_ ? 0 : now_ms - lost_ms_;
  if (!leaving_ && now > std::max(clock_ms_, wake()) + config_.probe_interval_ms) {
    lost_ms_ += now - clock_ms_;
    ++counters_.stalls;
    health_.change(1);
    return;
  }
  clock_ms_ = std::max(clock_ms_, now);
}

void core::tick(std::uint64_t now_ms) {
  run(now_ms);
  if (leaving_) return;
  run_relays();
  run_probes();
  run_suspicions();
  if (clock_ms_ >= next_probe_ms_) start_round();
  if (clock_ms_ >= next_ask_failed_ms_) ask_failed();
  if (clock_ms_ >= next_sync_ms_) sync_with_somebody();
}

void core::receive(std::uint64_t now_ms, const std::string& from, const message& m) {
  run(now_ms);
  if (leaving_ || from == self_) return;
  const bool is_sync = std::holds_alternative<sync>(m.body);
  for (const auto& c : m.claims)
    merge(c, from, is_sync);
  std::visit([&](const auto& body) { on(from, body); }, m.body);
}

void core::introduce(std::uint64_t now_ms, info_ptr info) {
  run(now_ms);
  retired_.erase(info->node_id);
  if (members_.find(info->node_id) != nullptr) return;
  add_unknown({info->node_id, member_state::alive, 0, {}, info}, false);  // hearsay
}

void core::retire(std::uint64_t now_ms, const std::string& node) {
  run(now_ms);
  const auto* known = members_.find(node);
  if (known == nullptr || node == self_) return;
  retired_.insert(node);
  if (known->state == member_state::left) return;
  become(node, {node, member_state::left, known->incarnation, self_, nullptr}, true);
}

void core::link_changed(std::uint64_t now_ms, const std::string& node, bool up) {
  run(now_ms);
  if (leaving_ || node == self_) return;
  if (up) {
    send_all_known(node, true);
    return;
  }
  const auto* known = members_.find(node);
  if (known != nullptr && known->state == member_state::alive) start_probe(node, true);
}

void core::set_info(std::uint64_t now_ms, member_info info) {
  run(now_ms);
  CAIRN_CHECK(info.node_id == self_, "{} cannot be renamed to {}", self_, info.node_id);
  if (leaving_ || *self().info == info) return;
  auto next = std::make_shared<const member_info>(std::move(info));
  members_.update(self_, [&](member& me) { me.info = std::move(next); });
  object(self().incarnation);
}

void core::leave(std::uint64_t now_ms) {
  run(now_ms);
  if (leaving_) return;
  members_.update(self_, [&](member& me) {
    me.state = member_state::left;
    me.since_ms = clock_ms_;
  });
  news_.add(self().as_claim(true), true);
  constexpr std::size_t k_told_at_once = 8;
  for (const auto& node : some_alive(k_told_at_once, self_))
    send(node, gossip{});
  leaving_ = true;
}

outputs core::take() {
  return std::exchange(outputs_, {});
}

std::uint64_t core::next_wake_ms() const {
  return leaving_ ? std::numeric_limits<std::uint64_t>::max() : wake() + lost_ms_;
}

std::uint64_t core::wake() const {
  auto wake = std::min({next_probe_ms_, next_sync_ms_, next_ask_failed_ms_});
  for (const auto& p : probes_)
    wake = std::min(wake, p.indirect ? p.ends_ms : p.indirect_ms);
  for (const auto& r : relays_)
    wake = std::min(wake, r.nacked ? r.ends_ms : r.nack_ms);
  for (const auto& s : suspects_)
    wake = std::min(wake, s.clock.ends_ms());
  return wake;
}

// Repairs what news did not reach, however seldom that is.
void core::sync_with_somebody() {
  next_sync_ms_ = clock_ms_ + full_sync_interval_ms(config_, members_.active());
  for (const auto& node : some_alive(1, self_))
    send_all_known(node, true);
  forget_left();
}

// A partition may heal without any link breaking. One that failed is told so and can object.
void core::ask_failed() {
  next_ask_failed_ms_ = clock_ms_ + config_.failed_probe_interval_ms;
  const auto failed = members_.count(member_state::failed);
  if (failed == 0) return;
  auto chosen = random_.below(failed);
  for (const auto& one : members_.all()) {
    if (one.state != member_state::failed || chosen-- != 0) continue;
    send(one.node(), ping{next_sequence_++});
    return;
  }
}

void core::forget_left() {
  std::vector<std::string> gone;
  for (const auto& one : members_.all()) {
    if (one.state == member_state::left && one.since_ms + config_.left_keep_ms <= clock_ms_) {
      gone.push_back(one.node());
    }
  }
  for (const auto& node : gone) {
    members_.remove(node);
    news_.remove(node);
    // retired_ keeps the name: the driver retires few, and each of them once.
  }
}

void core::send(const std::string& to, message_body body) {
  message m{std::move(body), {}};
  const auto* known = members_.find(to);
  if (known != nullptr && known->state != member_state::alive) {
    m.claims.push_back(known->as_claim(false));
  }
  news_.take(config_.claims_per_message_max, retransmit_limit(config_, members_.active()), to,
             m.claims);
  outputs_.messages.push_back({to, std::move(m)});
}

void core::send_all_known(const std::string& to, bool want_answer) {
  message m{sync{want_answer}, {}};
  m.claims.reserve(members_.size());
  for (const auto& one : members_.all())
    m.claims.push_back(one.as_claim(true));
  outputs_.messages.push_back({to, std::move(m)});
}

std::vector<std::string> core::some_alive(std::size_t count, const std::string& except) {
  std::vector<const member*> candidates;
  for (const auto& one : members_.all()) {
    if (one.state == member_state::alive && one.node() != self_ && one.node() != except) {
      candidates.push_back(&one);
    }
  }
  std::vector<std::string> chosen;
  while (chosen.size() < count && !candidates.empty()) {
    const auto i = random_.below(candidates.size());
    chosen.push_back(candidates[i]->node());
    candidates[i] = candidates.back();
    candidates.pop_back();
  }
  return chosen;
}

}  // namespace cairn::swim
