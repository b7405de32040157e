#pragma once
// What session_table and session_overlay must do, written down as plainly as possible: a list of
// everything, looked through from the front each time.

#include "actors/session_overlay.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

namespace cairn::testing {

struct naive_sessions {
  actors::session_limits limits;
  std::vector<std::vector<actors::stamped_append>> committed;  // by entry
  std::vector<std::vector<actors::stamped_append>> pending;

  struct producer {
    hash128 id{};
    std::uint64_t epoch = 0;
    std::vector<std::pair<std::uint64_t, actors::session_receipt>> all;  // of this epoch
  };
  struct state {
    std::vector<std::pair<hash128, actors::session_receipt>> keys;
    std::vector<producer> producers;  // the one used last is last
  };

  /// What is remembered of everything committed.
  [[nodiscard]] state remembered() const {
    state s;
    for (const auto& entry : committed) {
      if (entry.empty()) continue;
      const unix_ms time_ms = entry.front().receipt.timestamp_ms;
      std::erase_if(s.keys, [&](const auto& known) {
        return known.second.timestamp_ms + limits.key_age_ms_max <= time_ms;
      });
      for (const auto& append : entry)
        remember(s, append);
    }
    return s;
  }

  void remember(state& s, const actors::stamped_append& append) const {
    const auto& [who, receipt] = append;
    if (!who.producer) {
      for (const auto& [key, first] : s.keys) {
        if (key == who.hash) return;
      }
      s.keys.emplace_back(who.hash, receipt);
      if (s.keys.size() > limits.keys_max) s.keys.erase(s.keys.begin());
      return;
    }
    auto found = std::find_if(s.producers.begin(), s.producers.end(),
                              [&](const producer& p) { return p.id == who.hash; });
    producer next{who.hash, who.epoch, {}};
    if (found != s.producers.end()) {
      if (who.epoch < found->epoch) return;
      if (who.epoch == found->epoch && who.seq <= found->all.back().first) return;
      if (who.epoch == found->epoch) next = *found;
      s.producers.erase(found);
    }
    next.all.emplace_back(who.seq, receipt);
    s.producers.push_back(std::move(next));
    if (s.producers.size() > limits.producers_max) s.producers.erase(s.producers.begin());
  }

  [[nodiscard]] std::vector<actors::stamped_append> under_way() const {
    std::vector<actors::stamped_append> all;
    for (const auto& entry : pending)
      all.insert(all.end(), entry.begin(), entry.end());
    return all;
  }

  struct answer {
    actors::session_verdict verdict = actors::session_verdict::append;
    std::optional<actors::session_receipt> receipt;
    std::uint64_t expected_seq = 0;
    bool operator==(const answer&) const = default;
  };

  [[nodiscard]] answer judge(const proto::append_stamp& stamp, unix_ms time_ms) const {
    const state s = remembered();
    return stamp.identity.producer ? judge_producer(s, stamp) : judge_key(s, stamp, time_ms);
  }

  [[nodiscard]] answer judge_key(const state& s, const proto::append_stamp& stamp,
                                 unix_ms time_ms) const {
    using enum actors::session_verdict;
    for (const auto& [key, receipt] : s.keys) {
      if (key != stamp.identity.hash) continue;
      if (receipt.timestamp_ms + limits.key_age_ms_max <= time_ms) continue;
      if (receipt.body_hash != stamp.body_hash) return {key_reused, {}, 0};
      return {replay, receipt, 0};
    }
    for (const auto& other : under_way()) {
      if (!other.identity.producer && other.identity.hash == stamp.identity.hash) {
        return {wait, {}, 0};
      }
    }
    return {append, {}, 0};
  }

  [[nodiscard]] answer judge_producer(const state& s, const proto::append_stamp& stamp) const {
    using enum actors::session_verdict;
    const auto& who = stamp.identity;
    const std::pair at{who.epoch, who.seq};
    std::optional<std::pair<std::uint64_t, std::uint64_t>> last;
    for (const producer& p : s.producers) {
      if (p.id != who.hash) continue;
      if (who.epoch < p.epoch) return {producer_fenced, {}, 0};
      last = {p.epoch, p.all.back().first};
      if (at > *last) continue;
      const std::size_t kept = std::min(p.all.size(), limits.receipts_max);
      for (auto it = p.all.end() - static_cast<std::ptrdiff_t>(kept); it != p.all.end(); ++it) {
        if (it->first != who.seq) continue;
        if (it->second.body_hash != stamp.body_hash) return {key_reused, {}, 0};
        return {replay, it->second, 0};
      }
      return {sequence_too_old, {}, p.all.back().first + 1};
    }
    bool any_under_way = false;
    for (const auto& other : under_way()) {
      if (!other.identity.producer || other.identity.hash != who.hash) continue;
      last = {other.identity.epoch, other.identity.seq};
      any_under_way = true;
    }
    if (any_under_way && at <= *last) return {wait, {}, 0};
    if (!last || who.epoch > last->first) {
      return {who.seq <= 1 ? append : sequence_gap, {}, 0};
    }
    if (who.seq == last->second + 1) return {append, {}, 0};
    return {sequence_gap, {}, last->second + 1};
  }
};

}  // namespace cairn::testing
