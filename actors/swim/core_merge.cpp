// What is said about members: SWIM 4.2, with the suspicion of Lifeguard IV-B.

#include "actors/swim/core.hpp"

#include <algorithm>
#include <utility>

namespace cairn::swim {

void core::merge(const claim& c, const std::string& from, bool from_sync) {
  if (c.node == self_) {
    merge_self(c);
    return;
  }
  if (c.state != member_state::left && retired_.count(c.node) != 0) return;
  // What a sync tells about others is old to them. Whoever lacks it gets it by a sync, too; passed
  // on, the list of a large group would keep news of failures waiting.
  const bool is_news = !from_sync || c.node == from;
  const auto* known = members_.find(c.node);
  if (known == nullptr) {
    if (config_.strangers) add_unknown(c, is_news);
    return;
  }
  if (c.incarnation > known->incarnation + k_incarnation_leap_max) {
    ++counters_.claims_refused;
    return;
  }
  claim news = c;
  // The other side of a healed partition takes everybody here for failed; a suspect can object.
  if (from_sync && c.state == member_state::failed && known->state <= member_state::suspect) {
    news.state = member_state::suspect;
  }
  if (overrides(news.state, news.incarnation, *known)) {
    become(c.node, news, is_news);
  } else if (news.state == member_state::suspect && known->state == member_state::suspect &&
             news.incarnation == known->incarnation) {
    confirm(news);
  }
}

// Whoever says that this member is not alive is told a higher incarnation (SWIM 4.2). So is whoever
// remembers an earlier life of it, or other information than the present.
void core::merge_self(const claim& c) {
  const auto& me = self();
  if (c.incarnation > me.incarnation + k_incarnation_leap_max) {
    ++counters_.claims_refused;
    return;
  }
  if (c.state == member_state::alive) {
    const bool same = c.info && *c.info == *me.info;
    if (c.incarnation > me.incarnation || (c.incarnation == me.incarnation && !same)) {
      object(c.incarnation);
    }
    return;
  }
  if (c.incarnation < me.incarnation) {
    // Old news, but somebody believes it: say again what is true.
    if (!news_.has(self_)) news_.add(me.as_claim(true), true);
    return;
  }
  ++counters_.objections;
  if (c.state != member_state::left) health_.change(1);
  object(c.incarnation);
}

void core::object(std::uint64_t incarnation) {
  const auto& me = members_.update(self_, [&](member& one) { one.incarnation = incarnation + 1; });
  news_.add(me.as_claim(true), true);
}

void core::add_unknown(const claim& c, bool is_news) {
  if (!c.info) return;  // told by somebody who hears more; a sync will tell
  if (members_.size() >= config_.members_max || c.incarnation >= k_incarnation_leap_max) {
    ++counters_.claims_refused;
    return;
  }
  members_.add({c.info, c.state, c.incarnation, clock_ms_, c.by});
  if (c.state <= member_state::suspect) schedule_.add(c.node, random_);
  if (c.state == member_state::suspect) {
    suspects_.push_back({c.node, suspicion(config_, members_.active(), c.by, clock_ms_)});
  }
  if (is_news) news_.add(members_.find(c.node)->as_claim(true), false);
  outputs_.changes.push_back({c.node, c.state, c.state, c.incarnation, c.by, true});
}

void core::confirm(const claim& c) {
  for (auto& s : suspects_) {
    if (s.node != c.node) continue;
    if (s.clock.confirm(c.by)) news_.add(c, true);  // the first few are passed on (Lifeguard IV-B)
    return;
  }
}

// Takes over a claim that overrides what is known. @pre known, and not this member itself.
void core::become(const std::string& node, const claim& c, bool is_news) {
  const auto before = members_.find(node)->state;
  const auto old_incarnation = members_.find(node)->incarnation;
  const auto& now = members_.update(node, [&](member& one) {
    if (c.state != one.state) one.since_ms = clock_ms_;
    one.state = c.state;
    if (c.info && c.incarnation > one.incarnation) one.info = c.info;
    one.incarnation = c.incarnation;
    one.by = c.state == member_state::alive ? std::string{} : c.by;
  });
  const bool was_active = before <= member_state::suspect;
  const bool is_active = c.state <= member_state::suspect;
  if (!was_active && is_active) schedule_.add(node, random_);
  if (was_active && !is_active) schedule_.remove(node);
  if (c.state != before || c.incarnation != old_incarnation) {
    std::erase_if(suspects_, [&](const suspect& s) { return s.node == node; });
    if (c.state == member_state::suspect) {
      suspects_.push_back({node, suspicion(config_, members_.active(), c.by, clock_ms_)});
    }
  }
  // Objections have to overtake what they object to. Incarnation 1 is a start, not an objection.
  const bool urgent = c.state != before || c.incarnation > 1;
  if (is_news || c.state != before) news_.add(now.as_claim(false), urgent);
  if (c.state != before) {
    outputs_.changes.push_back({node, before, c.state, c.incarnation, now.by, false});
  }
}

// This member got no answer. @pre alive or suspect.
void core::accuse(const std::string& node) {
  const auto& known = *members_.find(node);
  const claim c{node, member_state::suspect, known.incarnation, self_, nullptr};
  if (known.state == member_state::suspect) {
    confirm(c);
    return;
  }
  ++counters_.suspicions;
  become(node, c, true);
}

void core::run_suspicions() {
  std::vector<std::string> over;
  for (const auto& s : suspects_) {
    if (clock_ms_ >= s.clock.ends_ms()) over.push_back(s.node);
  }
  for (const auto& node : over) {
    const auto incarnation = members_.find(node)->incarnation;
    become(node, {node, member_state::failed, incarnation, self_, nullptr}, true);
  }
}

}  // namespace cairn::swim
