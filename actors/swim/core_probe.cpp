// Probing: SWIM 3.1, with the times of Lifeguard IV-A.

#include "actors/swim/core.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace cairn::swim {

void core::start_round() {
  next_probe_ms_ = clock_ms_ + health_.scaled(config_.probe_interval_ms);
  const auto target = schedule_.next(random_);
  if (!target.empty()) start_probe(target, false);
}

void core::start_probe(const std::string& target, bool link_is_down) {
  const auto running = [&](const probe& p) { return p.target == target; };
  if (std::any_of(probes_.begin(), probes_.end(), running)) return;
  ++counters_.probes;
  probe p;
  p.sequence = next_sequence_++;
  p.target = target;
  p.indirect_ms = clock_ms_ + (link_is_down ? 0 : health_.scaled(config_.probe_timeout_ms));
  p.ends_ms = clock_ms_ + health_.scaled(config_.probe_interval_ms);
  send(target, ping{p.sequence});
  if (link_is_down) ask_others(p);
  probes_.push_back(std::move(p));
}

void core::run_probes() {
  for (auto& p : probes_) {
    if (!p.indirect && clock_ms_ >= p.indirect_ms) ask_others(p);
  }
  const auto running = std::stable_partition(probes_.begin(), probes_.end(),
                                             [&](const probe& p) { return clock_ms_ < p.ends_ms; });
  const std::vector<probe> ended(std::make_move_iterator(running),
                                 std::make_move_iterator(probes_.end()));
  probes_.erase(running, probes_.end());
  for (const auto& p : ended)
    finish(p);
}

void core::ask_others(probe& p) {
  p.indirect = true;
  p.helpers = some_alive(config_.indirect_probes, p.target);
  p.silent = p.helpers;
  for (const auto& helper : p.helpers)
    send(helper, ping_request{p.sequence, p.target});
}

// Nobody has answered in time. Helpers that said so themselves (nack) prove that this member can
// send and receive; those that were silent speak against it (Lifeguard IV-A). Without helpers it
// cannot know.
void core::finish(const probe& p) {
  ++counters_.probes_failed;
  health_.change(p.helpers.empty() ? 1 : static_cast<int>(p.silent.size()));
  const auto* known = members_.find(p.target);
  if (known != nullptr && known->state <= member_state::suspect) accuse(p.target);
}

void core::run_relays() {
  for (auto& r : relays_) {
    if (r.nacked || clock_ms_ < r.nack_ms) continue;
    r.nacked = true;
    send(r.origin, nack{r.origin_sequence});
  }
  std::erase_if(relays_, [&](const relay& r) { return clock_ms_ >= r.ends_ms; });
}

void core::on(const std::string& from, const ping& body) {
  send(from, ack{body.sequence});
  if (!config_.strangers || members_.find(from) != nullptr) return;
  // It knows this member, but not the other way round: news were lost. Not more than one in a
  // while, so that a stranger cannot make this member talk.
  if (introduced_myself_ms_ + config_.probe_interval_ms > clock_ms_) return;
  introduced_myself_ms_ = clock_ms_;
  send_all_known(from, true);
}

void core::on(const std::string& from, const ping_request& body) {
  if (body.target == self_) {
    send(from, ack{body.sequence});
    return;
  }
  if (relays_.size() >= config_.relays_max || members_.find(body.target) == nullptr) return;
  // The nack must be back before the asker's time is over: 80 % of the timeout (Lifeguard IV-A).
  const auto nack_after_ms = config_.probe_timeout_ms * 4 / 5;
  relay r{next_sequence_++,
          body.target,
          from,
          body.sequence,
          clock_ms_ + nack_after_ms,
          clock_ms_ + config_.probe_interval_ms,
          false};
  send(r.target, ping{r.sequence});
  relays_.push_back(std::move(r));
}

void core::on(const std::string& from, const ack& body) {
  const auto answers = [&](const auto& one) { return one.sequence == body.sequence; };
  const auto p = std::find_if(probes_.begin(), probes_.end(), answers);
  if (p != probes_.end()) {
    const bool helped = std::find(p->helpers.begin(), p->helpers.end(), from) != p->helpers.end();
    if (from != p->target && !helped) return;
    probes_.erase(p);
    health_.change(-1);
    return;
  }
  const auto r = std::find_if(relays_.begin(), relays_.end(), answers);
  if (r == relays_.end() || from != r->target) return;
  send(r->origin, ack{r->origin_sequence});
  relays_.erase(r);
}

void core::on(const std::string& from, const nack& body) {
  for (auto& p : probes_) {
    if (p.sequence == body.sequence) std::erase(p.silent, from);
  }
}

void core::on(const std::string& from, const sync& body) {
  if (body.want_answer) send_all_known(from, false);
}

void core::on(const std::string& /*from*/, const gossip& /*body*/) {}

}  // namespace cairn::swim
