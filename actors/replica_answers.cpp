// How outcomes find back to who asked.

#include "actors/replica.hpp"

#include <algorithm>

namespace cairn::actors {
namespace {

/// A committed append is answered when it is visible here, so that who has the answer can read the
/// record at this node; but no later than this, because a quorum has it.
constexpr std::uint64_t k_held_ticks = 2;

}  // namespace

void replica::answer(const open_item& item, const answer_facts& facts) {
  if (item.from.remote()) {
    --remote_items_;
    remote_bytes_ -= item.size_bytes;
  } else {
    ++out_.released_appends;
    out_.released_bytes += item.size_bytes;
  }
  append_outcomes& to = outcomes_[item.from];
  if (item.outcome.code == errc::none) {
    const bool first = to.replicas == 0;
    to.durable_on = first ? facts.durable_on : std::min(to.durable_on, facts.durable_on);
    to.replicas = facts.replicas;
    to.range.next = std::max(to.range.next, item.outcome.offset.plus(item.outcome.count));
    if (!item.outcome.replayed) out_.answered = std::max(out_.answered, item.outcome.index);
  }
  to.items.push_back(item.outcome);
}

void replica::answer_when_visible(open_item item, const answer_facts& facts) {
  if (item.outcome.index <= visible_) return answer(item, facts);
  const std::uint64_t until_ns = now_.monotonic_ns + k_held_ticks * config_.tick_ns;
  held_.push_back({std::move(item), facts, until_ns});
}

void replica::fail(open_item item, errc code, const std::string& detail) {
  const request_id id = item.outcome.id;
  item.outcome = append_outcome{};
  item.outcome.id = id;
  item.outcome.code = code;
  item.outcome.detail = detail;
  answer(item, {});
}

void replica::refuse(const waiting_item& item, errc code, std::string detail) {
  open_item out{item.from, {}, item.item.payload.size(), 0};
  out.outcome.id = item.item.id;
  fail(std::move(out), honest(item, code), detail);
}

// Nothing was stored of this append; but it is the same one as its twin, of which that is not
// known.
errc replica::honest(const waiting_item& item, errc code) {
  const bool of_the_moment = code == errc::unavailable || code == errc::overloaded ||
                             code == errc::disk_full || code == errc::internal;
  return item.twin_under_way && of_the_moment ? errc::outcome_unknown : code;
}

void replica::release_held() {
  while (!held_.empty()) {
    const held_answer& first = held_.front();
    if (first.item.outcome.index > visible_ && first.until_ns > now_.monotonic_ns) return;
    answer(first.item, first.facts);
    held_.pop_front();
  }
}

// A quorum has the entry, or it would not be committed, even if we have stopped counting since.
replica::answer_facts replica::facts_at(log_index index) const {
  const auto replicas = static_cast<std::uint32_t>(members().voters.size());
  return {std::max(core_.voters_with(index), replicas / 2 + 1), replicas};
}

void replica::gather_outcomes() {
  for (auto& [to, outcomes] : std::exchange(outcomes_, {})) {
    outcomes.range.lowest = range().lowest;
    outcomes.range.next = std::max(outcomes.range.next, published_);
    if (to.remote()) {
      out_.remote_outcomes.push_back(
          {to.node, {to.incarnation, to.batch, std::move(outcomes), core_.leader()}});
      continue;
    }
    // The answer carries the new end, so it wakes what waits in this client as well.
    std::erase_if(awaiting_, [&, client = to.client](const auto& waiting) {
      return waiting.first == client && waiting.second < outcomes.range.next;
    });
    out_.outcomes.push_back({to.client, std::move(outcomes)});
  }
}

void replica::await(client_token client, record_offset beyond) {
  std::erase_if(awaiting_, [client](const auto& waiting) { return waiting.first == client; });
  awaiting_.emplace_back(client, beyond);
}

void replica::wake_waiting() {
  std::erase_if(awaiting_, [this](const auto& waiting) {
    if (waiting.second >= published_) return false;
    out_.advanced.push_back(waiting.first);
    return true;
  });
}

void replica::forget(client_token client) {
  std::erase_if(awaiting_, [client](const auto& waiting) { return waiting.first == client; });
}

}  // namespace cairn::actors
