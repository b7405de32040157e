// Appends of this node's clients on their way to the leader, and those of other nodes here.

#include "actors/replica.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::actors {
namespace {

/// A leader answers an append whose time has run out; this is how long that answer may take.
constexpr std::uint64_t k_grace_ticks = 4;

}  // namespace

// --- on the way to the leader --------------------------------------------------------------------

void replica::forward_waiting() {
  const raft::node_id leader = core_.leader();
  if (leads() || leader == raft::k_nobody || forward_paused_ || waiting_.empty()) return;
  std::vector<waiting_item> items;
  std::size_t size_bytes = 0;
  for (waiting_item& item : std::exchange(waiting_, {})) {
    if (item.from.remote()) {
      refuse(item, errc::unavailable, "this node does not lead any more");
      continue;
    }
    if (item.item.deadline_ns < now_.monotonic_ns) {
      refuse(item, errc::unavailable, "the time of the request ran out before its write began");
      continue;
    }
    const std::size_t item_bytes = item.item.payload.size();
    if (!items.empty() && (size_bytes + item_bytes > wire::k_forward_bytes_wanted ||
                           items.size() == wire::k_items_max)) {
      send_forward(leader, std::exchange(items, {}));
      size_bytes = 0;
    }
    size_bytes += item_bytes;
    items.push_back(std::move(item));
  }
  if (!items.empty()) send_forward(leader, std::move(items));
}

void replica::send_forward(raft::node_id to, std::vector<waiting_item> items) {
  const std::uint64_t batch = ++last_batch_;
  outgoing_appends out{to, {incarnation_, batch, {}}};
  forward sent{to, {}, items.size(), now_.monotonic_ns, UINT64_MAX};
  for (waiting_item& item : items) {
    const std::uint64_t left_ms = (item.item.deadline_ns - now_.monotonic_ns) / 1'000'000;
    out.appends.items.push_back({.payload = item.item.payload,
                                 .record_count = item.item.record_count,
                                 .conditional = item.item.conditional,
                                 .expected_offset = item.item.expected_offset,
                                 .remaining_ms = static_cast<std::uint32_t>(
                                     std::min<std::uint64_t>(left_ms, wire::k_remaining_ms_max))});
    sent.items.emplace_back(std::move(item));
  }
  forwards_.emplace(batch, std::move(sent));
  out_.appends.push_back(std::move(out));
}

// They wait here again, as long as they may.
void replica::appends_dropped(raft::node_id to, std::uint64_t batch) {
  const auto found = forwards_.find(batch);
  if (found == forwards_.end() || found->second.to != to) return;
  forward_paused_ = true;
  for (auto& item : found->second.items) {
    if (item) wait(std::move(*item));
  }
  forwards_.erase(found);
}

void replica::receive(raft::node_id from, const wire::forwarded_outcomes& answers) {
  const auto found = forwards_.find(answers.batch);
  if (answers.incarnation != incarnation_ || found == forwards_.end()) return;
  forward& sent = found->second;
  if (sent.to != from) return;
  const answer_facts facts{answers.outcomes.durable_on, answers.outcomes.replicas};
  for (const append_outcome& outcome : answers.outcomes.items) {
    if (outcome.id >= sent.items.size() || !sent.items[outcome.id]) continue;
    waiting_item item = std::move(*std::exchange(sent.items[outcome.id], {}));
    --sent.left;
    // Nothing was stored there, so it may be tried again: whoever leads next will take it.
    if (outcome.code == errc::unavailable && item.held_until_ns > now_.monotonic_ns &&
        item.item.deadline_ns > now_.monotonic_ns) {
      forward_paused_ = true;
      wait(std::move(item));
      continue;
    }
    open_item out{item.from, outcome, item.item.payload.size(), item.item.deadline_ns};
    out.outcome.id = item.item.id;
    out.outcome.code = honest(item, outcome.code);
    if (outcome.code == errc::none) {
      out_.forward.add(now_.monotonic_ns - sent.sent_ns);
      answer_when_visible(std::move(out), facts);
    } else {
      answer(out, {});
    }
  }
  if (sent.left == 0) forwards_.erase(found);
}

void replica::lose_forwards(raft::node_id to, const std::string& why) {
  for (auto it = forwards_.begin(); it != forwards_.end();) {
    if (it->second.to != to) {
      ++it;
      continue;
    }
    for (const auto& item : it->second.items) {
      if (item) refuse(*item, errc::outcome_unknown, why);
    }
    it = forwards_.erase(it);
  }
}

void replica::sweep_forwards() {
  const std::uint64_t grace_ns = k_grace_ticks * config_.tick_ns;
  for (auto it = forwards_.begin(); it != forwards_.end();) {
    forward& sent = it->second;
    const bool give_up = sent.give_up_ns < now_.monotonic_ns;
    for (auto& item : sent.items) {
      if (!item) continue;
      if (!give_up && item->item.deadline_ns + grace_ns >= now_.monotonic_ns) continue;
      refuse(*item, errc::outcome_unknown,
             give_up ? "the leader was lost before it said what became of the append"
                     : "the time of the request ran out before the leader answered");
      item.reset();
      --sent.left;
    }
    it = sent.left == 0 ? forwards_.erase(it) : std::next(it);
  }
}

// --- here, for other nodes -----------------------------------------------------------------------

void replica::receive(raft::node_id from, wire::forwarded_appends appends) {
  std::uint64_t position = 0;
  for (wire::forwarded_append& forwarded : appends.items) {
    waiting_item item{{0, from, appends.incarnation, appends.batch}, {}, 0};
    item.item.id = position++;
    item.item.record_count = forwarded.record_count;
    item.item.conditional = forwarded.conditional;
    item.item.expected_offset = forwarded.expected_offset;
    item.item.received_ns = now_.monotonic_ns;
    item.item.deadline_ns = now_.monotonic_ns + std::uint64_t{forwarded.remaining_ms} * 1'000'000;
    item.item.payload = std::move(forwarded.payload);
    const std::uint64_t size_bytes = item.item.payload.size();
    ++remote_items_;
    remote_bytes_ += size_bytes;
    if (!leads()) {
      refuse(item, errc::unavailable, "this node does not lead");
    } else if (item.item.record_count == 0) {
      refuse(item, errc::invalid_argument, "an append without records");
    } else if (remote_items_ > config_.forwarded_items_max ||
               (remote_bytes_ > config_.forwarded_bytes_max && remote_bytes_ > size_bytes)) {
      refuse(item, errc::overloaded,
             fmt::format("{} appends with {} bytes of other nodes wait for the disk already",
                         remote_items_, remote_bytes_));
    } else {
      wait(std::move(item));
    }
  }
}

}  // namespace cairn::actors
