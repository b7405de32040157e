#include "apps/console/observer_state.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::console {

namespace {

/// Nobody takes notices while nobody asks; a link that flaps must not gather them for ever.
constexpr std::size_t k_notices_max = 16;
/// A cluster has fewer members (actors/cluster/roster.hpp); what is dialled is bounded.
constexpr int k_members_max = 64;

}  // namespace

// --- what comes in -------------------------------------------------------------------------------

std::string observer_state::link(const actors::link_changed& change) {
  const std::lock_guard lock(mutex_);
  if (!change.up) {
    if (change.node != linked_.id) return {};
    lost_ = std::exchange(linked_, {});
    changed_.notify_all();
    return {};
  }
  // A dial that was given up may come to something after all.
  if (!linked_.id.empty() && linked_.id != change.node) return change.node;
  came_up({change.node, change.address});
  changed_.notify_all();
  return {};
}

void observer_state::came_up(const node& fresh) {
  if (!lost_.id.empty() && notices_.size() < k_notices_max) {
    notices_.push_back(lost_.id == fresh.id
                           ? fmt::format("the link to {} ({}) was lost and is there again",
                                         fresh.id, fresh.address)
                           : fmt::format("{} ({}) is gone; now through {} ({})", lost_.id,
                                         lost_.address, fresh.id, fresh.address));
  }
  lost_ = {};
  linked_ = fresh;
}

void observer_state::answer(const actors::peer_envelope& envelope) {
  v1::InspectAnswer got;
  const auto bytes = envelope.head.span();
  if (!got.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const std::lock_guard lock(mutex_);
  if (got.has_members()) {
    members_.clear();
    for (const auto& one : got.members().members()) {
      if (members_.size() < k_members_max && !one.id().empty() && !one.peer().empty())
        members_[one.id()] = one.peer();
    }
  }
  const auto found = questions_.find(got.id());
  if (found == questions_.end()) return;  // nobody waits for it any more
  found->second = std::move(got);
  changed_.notify_all();
}

void observer_state::dial_failed(const std::string& address, std::string reason) {
  const std::lock_guard lock(mutex_);
  const auto found = dials_.find(address);
  if (found == dials_.end()) return;
  found->second = std::move(reason);
  changed_.notify_all();
}

/// A signal handler can set a flag and no condition, so we look.
template <class Condition>
bool observer_state::wait(std::unique_lock<std::mutex>& lock, time_point end, Condition over) {
  for (;;) {
    const auto now = std::chrono::steady_clock::now();
    if (changed_.wait_until(lock, std::min(end, now + k_look_pause), over)) return true;
    if (now >= end || stopped()) return false;
  }
}

// --- what the asker wants ------------------------------------------------------------------------

observer_state::node observer_state::linked() const {
  const std::lock_guard lock(mutex_);
  return linked_;
}

observer_state::node observer_state::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

std::map<std::string, std::string> observer_state::members() const {
  const std::lock_guard lock(mutex_);
  return members_;
}

void observer_state::begin_dial(const std::string& address) {
  const std::lock_guard lock(mutex_);
  dials_.clear();
  dials_[address];
}

observer_state::dialled observer_state::wait_dial(const std::string& address, time_point end) {
  std::unique_lock lock(mutex_);
  const auto over = [&] { return !linked_.id.empty() || !dials_.at(address).empty(); };
  if (!wait(lock, end, over)) return dialled::late;
  return linked_.id.empty() ? dialled::failed : dialled::linked;
}

std::string observer_state::reason(const std::string& address) const {
  const std::lock_guard lock(mutex_);
  const auto found = dials_.find(address);
  return found == dials_.end() ? std::string() : found->second;
}

std::uint64_t observer_state::begin_question() {
  const std::lock_guard lock(mutex_);
  questions_[++last_question_];
  return last_question_;
}

observer_state::heard observer_state::wait_answer(std::uint64_t question, const std::string& via,
                                                  time_point end, v1::InspectAnswer& to) {
  std::unique_lock lock(mutex_);
  auto& slot = questions_.at(question);
  const auto over = [&] { return slot.has_value() || linked_.id != via; };
  if (!wait(lock, end, over)) return heard::late;
  if (!slot) return heard::lost;
  to = std::move(*slot);
  return heard::answered;
}

void observer_state::forget(std::uint64_t question) {
  const std::lock_guard lock(mutex_);
  questions_.erase(question);
}

void observer_state::wait_unlinked(const std::string& via, time_point end) {
  std::unique_lock lock(mutex_);
  (void)wait(lock, end, [&] { return linked_.id != via; });
}

std::vector<std::string> observer_state::take_notices() {
  const std::lock_guard lock(mutex_);
  return std::exchange(notices_, {});
}

}  // namespace cairn::console
