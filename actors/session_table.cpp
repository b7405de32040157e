#include "actors/session_table.hpp"

#include "storage/base/check.hpp"

#include <algorithm>
#include <iterator>

namespace cairn::actors {

std::vector<stamped_append> stamps_of(const entry_place& at, byte_span payload) {
  std::vector<stamped_append> appends;
  if (!proto::is_stamped(payload)) return appends;
  std::uint64_t records = 0;
  while (!payload.empty()) {
    const auto stamp = proto::next_stamp(payload);
    if (!stamp) return {};
    appends.push_back({stamp->identity,
                       {.body_hash = stamp->body_hash,
                        .offset = at.base_offset.plus(records),
                        .count = stamp->record_count,
                        .timestamp_ms = at.timestamp_ms,
                        .term = at.term,
                        .index = at.index}});
    records += stamp->record_count;
  }
  if (records != at.record_count) return {};
  return appends;
}

const session_receipt* session_table::producer::find(std::uint64_t seq) const {
  const auto found = std::lower_bound(
      receipts.begin(), receipts.end(), seq,
      [](const numbered& known, std::uint64_t wanted) { return known.seq < wanted; });
  return found == receipts.end() || found->seq != seq ? nullptr : &found->receipt;
}

session_table::session_table(const session_limits& limits) : limits_(limits) {
  CAIRN_CHECK(limits.keys_max > 0 && limits.producers_max > 0 && limits.receipts_max > 0,
              "a table that remembers nothing");
}

void session_table::apply(log_index index, std::span<const stamped_append> appends) {
  if (index <= applied_) return;
  applied_ = index;
  if (appends.empty()) return;
  forget_older(appends.front().receipt.timestamp_ms);
  for (const stamped_append& append : appends) {
    if (append.identity.producer) {
      apply_producer(append);
    } else {
      apply_key(append);
    }
  }
}

void session_table::advance(log_index index) {
  applied_ = std::max(applied_, index);
}

// A leader that judges as it should never stores a key twice. Whatever is in the log, the first
// receipt stays: that is what the first client was told.
void session_table::apply_key(const stamped_append& append) {
  if (key_numbers_.contains(append.identity.hash)) return;
  add_key({append.identity.hash, append.receipt});
  if (keys_.size() > limits_.keys_max) forget_first_key();
}

void session_table::add_key(const key_entry& entry) {
  key_numbers_.emplace(entry.key, forgotten_ + keys_.size());
  keys_.push_back(entry);
}

void session_table::forget_first_key() {
  key_numbers_.erase(keys_.front().key);
  keys_.pop_front();
  ++forgotten_;
}

void session_table::forget_older(unix_ms log_time_ms) {
  while (!keys_.empty() &&
         log_time_ms - keys_.front().receipt.timestamp_ms >= limits_.key_age_ms_max) {
    forget_first_key();
  }
}

// Likewise: what does not continue its producer's numbers is no part of them.
void session_table::apply_producer(const stamped_append& append) {
  const proto::append_identity& who = append.identity;
  auto known = by_id_.find(who.hash);
  if (known == by_id_.end()) {
    if (producers_.size() == limits_.producers_max) {
      by_id_.erase(producers_.front().id);
      producers_.pop_front();
    }
    producers_.push_back({who.hash, who.epoch, who.seq, {}});
    known = by_id_.emplace(who.hash, std::prev(producers_.end())).first;
  } else {
    producer& p = *known->second;
    if (who.epoch < p.epoch || (who.epoch == p.epoch && who.seq <= p.last_seq)) return;
    if (who.epoch > p.epoch) p.receipts.clear();
    p.epoch = who.epoch;
    p.last_seq = who.seq;
    producers_.splice(producers_.end(), producers_, known->second);
  }
  auto& receipts = known->second->receipts;
  if (receipts.size() == limits_.receipts_max) receipts.erase(receipts.begin());
  receipts.push_back({who.seq, append.receipt});
}

const session_receipt* session_table::find_key(const hash128& key, unix_ms log_time_ms) const {
  const auto found = key_numbers_.find(key);
  if (found == key_numbers_.end()) return nullptr;
  const session_receipt& receipt = keys_[found->second - forgotten_].receipt;
  return log_time_ms - receipt.timestamp_ms >= limits_.key_age_ms_max ? nullptr : &receipt;
}

const session_table::producer* session_table::find_producer(const hash128& id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &*found->second;
}

}  // namespace cairn::actors
