#include "actors/session_overlay.hpp"

#include "storage/base/check.hpp"

#include <algorithm>

namespace cairn::actors {
namespace {

/// A producer, or an epoch of one, that the log does not know begins with one of these.
constexpr std::uint64_t k_first_seq_max = 1;

session_judgement judge_key(const session_table& committed, const session_overlay& pending,
                            const proto::append_stamp& stamp, unix_ms log_time_ms) {
  const hash128& key = stamp.identity.hash;
  if (const session_receipt* first = committed.find_key(key, log_time_ms)) {
    if (first->body_hash != stamp.body_hash) return {session_verdict::key_reused};
    return {session_verdict::replay, first};
  }
  if (pending.has_key(key)) return {session_verdict::wait, nullptr, 0, true};
  return {session_verdict::append};
}

session_judgement judge_producer(const session_table& committed, const session_overlay& pending,
                                 const proto::append_stamp& stamp) {
  const proto::append_identity& who = stamp.identity;
  const session_overlay::place at{who.epoch, who.seq};
  const auto* known = committed.find_producer(who.hash);
  if (known != nullptr && who.epoch < known->epoch) return {session_verdict::producer_fenced};
  if (known != nullptr && who.epoch == known->epoch && who.seq <= known->last_seq) {
    const session_receipt* first = known->find(who.seq);
    if (first == nullptr) {
      return {session_verdict::sequence_too_old, nullptr, known->last_seq + 1};
    }
    if (first->body_hash != stamp.body_hash) return {session_verdict::key_reused};
    return {session_verdict::replay, first};
  }
  std::optional<session_overlay::place> last = pending.last_of(who.hash);
  if (last && at <= *last) {
    return {session_verdict::wait, nullptr, 0, pending.has(who.hash, at)};
  }
  if (!last && known != nullptr) last = session_overlay::place{known->epoch, known->last_seq};
  if (!last || who.epoch > last->epoch) {
    if (who.seq <= k_first_seq_max) return {session_verdict::append};
    return {session_verdict::sequence_gap};
  }
  if (who.seq == last->seq + 1) return {session_verdict::append};
  return {session_verdict::sequence_gap, nullptr, last->seq + 1};
}

}  // namespace

void session_overlay::append(log_index index, std::vector<stamped_append> appends) {
  if (appends.empty()) return;
  CAIRN_CHECK(entries_.empty() || entries_.back().index < index, "entry {} behind entry {}",
              index.value(), entries_.back().index.value());
  for (const stamped_append& append : appends) {
    const proto::append_identity& who = append.identity;
    if (who.producer) {
      producers_[who.hash].push_back({who.epoch, who.seq});
    } else {
      ++keys_[who.hash];
    }
  }
  entries_.push_back({index, std::move(appends)});
}

void session_overlay::forget(const stamped_append& append, bool first) {
  const proto::append_identity& who = append.identity;
  if (!who.producer) {
    const auto found = keys_.find(who.hash);
    if (--found->second == 0) keys_.erase(found);
    return;
  }
  const auto found = producers_.find(who.hash);
  if (first) {
    found->second.pop_front();
  } else {
    found->second.pop_back();
  }
  if (found->second.empty()) producers_.erase(found);
}

void session_overlay::truncate_from(log_index first_removed) {
  while (!entries_.empty() && entries_.back().index >= first_removed) {
    const auto& appends = entries_.back().appends;
    for (auto it = appends.rbegin(); it != appends.rend(); ++it)
      forget(*it, false);
    entries_.pop_back();
  }
}

void session_overlay::clear() {
  entries_.clear();
  keys_.clear();
  producers_.clear();
}

bool session_overlay::settle(log_index commit, session_table& table) {
  bool any = false;
  while (!entries_.empty() && entries_.front().index <= commit) {
    const entry& first = entries_.front();
    table.apply(first.index, first.appends);
    for (const stamped_append& append : first.appends)
      forget(append, true);
    entries_.pop_front();
    any = true;
  }
  table.advance(commit);
  return any;
}

std::optional<session_overlay::place> session_overlay::last_of(const hash128& producer) const {
  const auto found = producers_.find(producer);
  if (found == producers_.end()) return std::nullopt;
  return found->second.back();
}

bool session_overlay::has(const hash128& producer, const place& at) const {
  const auto found = producers_.find(producer);
  if (found == producers_.end()) return false;
  return std::find(found->second.begin(), found->second.end(), at) != found->second.end();
}

session_judgement judge(const session_table& committed, const session_overlay& pending,
                        const proto::append_stamp& stamp, unix_ms log_time_ms) {
  return stamp.identity.producer ? judge_producer(committed, pending, stamp)
                                 : judge_key(committed, pending, stamp, log_time_ms);
}

}  // namespace cairn::actors
