// Appends on the leader: from waiting to entry to answer.

#include "actors/replica.hpp"
#include "storage/frame.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::actors {
namespace {

/// Room is asked for in no smaller pieces, so that a full disk keeps a little for what a node needs
/// besides its log.
constexpr std::uint64_t k_room_least_bytes = k_mib_bytes;
/// After a reservation ahead of need has failed.
constexpr std::uint64_t k_room_pause_ticks = 20;
/// What is refused together counts as one need up to so many times the room in stock.
constexpr std::uint64_t k_room_missed_factor = 8;
/// Between two attempts to hand the lead over because the disk is full: every disk may be.
constexpr std::uint64_t k_hand_over_pause_ticks = 100;

shared_bytes joined(const std::vector<shared_bytes>& pieces) {
  if (pieces.size() == 1) return pieces.front();
  std::size_t size_bytes = 0;
  for (const shared_bytes& piece : pieces)
    size_bytes += piece.size();
  auto buffer = std::make_shared_for_overwrite<std::byte[]>(size_bytes);
  std::byte* to = buffer.get();
  for (const shared_bytes& piece : pieces) {
    if (!piece.empty()) std::memcpy(to, piece.data(), piece.size());
    to += piece.size();
  }
  const byte_span view(buffer.get(), size_bytes);
  return {std::move(buffer), view};
}

}  // namespace

void replica::append(client_token client, std::vector<append_item> items) {
  for (append_item& item : items)
    wait({{client, {}, 0, 0}, std::move(item), now_.monotonic_ns + hold_ns()});
}

void replica::wait(waiting_item item) {
  if (const std::string why = why_not(); !why.empty()) {
    return refuse(item, errc::unavailable, why);
  }
  if (item.item.payload.size() > config_.core.entry_bytes_max) {
    return refuse(item, errc::too_large,
                  fmt::format("a batch of {} bytes is over the limit of {}",
                              item.item.payload.size(), config_.core.entry_bytes_max));
  }
  if (proto::is_stamped(item.item.payload.span())) {
    const status stamp =
        proto::check_single_stamp(item.item.payload.span(), item.item.record_count);
    if (!stamp) return refuse(item, errc::invalid_argument, stamp.error().detail);
  }
  waiting_.push_back(std::move(item));
}

void replica::propose_waiting() {
  // The disk is full below what we have promised to write: nothing can be promised.
  if (writing_ && retry_persist_ns_ != 0 && (leads() || core_.leader() == raft::k_nobody)) {
    return refuse_waiting(errc::disk_full, no_room_);
  }
  if (!leads() || writing_ || transfer_ || waiting_.empty()) return;
  // The core's own entries are no part of what storage has promised: they are written first, alone.
  if (core_.log().last_index() > core_.handed_index()) return;
  auto group = next_group();
  if (!group.empty() || !gaps_.empty()) propose(std::move(group));
  sessions_.end_expectations();
}

// As many of those that wait as fit the room on disk and the core's limit. What has an identity is
// answered here, or put aside, unless it is to be stored.
std::vector<replica::waiting_item> replica::next_group() {
  std::vector<waiting_item> group;
  std::uint64_t room_bytes = 0;
  std::uint64_t open_bytes = open_bytes_;
  record_offset end = core_.log().next_offset();
  while (!waiting_.empty()) {
    const append_item& next = waiting_.front().item;
    const bool stamped = proto::is_stamped(next.payload.span());
    if (stamped && !becomes_entry(waiting_.front())) {
      waiting_.pop_front();
      continue;
    }
    const std::uint64_t payload_bytes = next.payload.size();
    room_bytes += storage::frame_stride_bytes(payload_bytes);
    open_bytes += raft::k_entry_overhead_bytes + payload_bytes;
    const bool first = group.empty() && open_.empty();
    if (room_bytes > room_.bytes || group.size() >= room_.frames) break;
    if (!first && open_bytes > config_.core.uncommitted_bytes_max) break;
    // As append_plan will find: refused, it has no place among the numbers of its producer.
    const bool refused =
        next.deadline_ns < now_.monotonic_ns || (next.conditional && next.expected_offset != end);
    if (!refused) {
      end = end.plus(next.record_count);
      if (stamped) expect(next);
    }
    group.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return group;
}

// What waits and does not fit decides what is asked for; otherwise some is kept in stock. Whoever
// has a full disk, leader or not, asks until there is room again.
void replica::ask_for_room() {
  const bool full = room_missed_bytes_ > 0;
  if ((!leads() && !full) || reserving_bytes_ > 0 || core_.fenced()) return;
  if (retry_persist_ns_ != 0) return;  // that finds out as well
  std::uint64_t wanted_bytes = 0;
  if (leads() && !writing_ && !transfer_) {
    for (const waiting_item& item : waiting_)
      wanted_bytes += storage::frame_stride_bytes(item.item.payload.size());
  }
  reserving_for_appends_ = wanted_bytes > room_.bytes || (wanted_bytes > 0 && room_.frames == 0);
  if (reserving_for_appends_) {
    wanted_bytes = std::max(wanted_bytes, std::min(k_room_least_bytes, config_.room_wanted_bytes));
  } else {
    const bool enough = room_.bytes >= config_.room_wanted_bytes / 4 && !full;
    if (enough || room_pause_ticks_ > 0) return;
    wanted_bytes = full ? room_missed_bytes_ : config_.room_wanted_bytes;
  }
  reserving_bytes_ = wanted_bytes;
  out_.reserve_bytes = wanted_bytes;
}

// Until there is room for what is in stock otherwise, at least: less than that is soon used up.
void replica::disk_is_full(std::uint64_t refused_bytes) {
  if (room_missed_bytes_ == 0) out_.disk_full = true;
  room_missed_bytes_ = std::max({room_missed_bytes_, refused_bytes, config_.room_wanted_bytes});
}

void replica::room_is_found(std::uint64_t reserved_bytes) {
  if (room_missed_bytes_ == 0) return;
  if (reserved_bytes < room_missed_bytes_) {
    room_pause_ticks_ = 0;  // some of it was found: perhaps there is all of it
    return;
  }
  room_missed_bytes_ = 0;
  out_.disk_full = false;
}

void replica::room_reserved(errc code, const std::string& detail, const write_room& room) {
  const std::uint64_t asked_bytes = std::exchange(reserving_bytes_, 0);
  room_ = room;
  if (code == errc::none) return room_is_found(asked_bytes);
  no_room_ = detail;
  room_pause_ticks_ = k_room_pause_ticks;
  if (!reserving_for_appends_) return;
  // Whatever else storage says, no client could have known better.
  const errc reason = code == errc::disk_full ? code : errc::internal;
  std::uint64_t refused_bytes =
      std::min(asked_bytes, k_room_missed_factor * config_.room_wanted_bytes);
  std::uint64_t used_bytes = 0;
  for (waiting_item& item : std::exchange(waiting_, {})) {
    const std::uint64_t bytes = storage::frame_stride_bytes(item.item.payload.size());
    if (used_bytes + bytes > room_.bytes || waiting_.size() >= room_.frames) {
      refuse(item, reason, no_room_);
      refused_bytes = std::max(refused_bytes, bytes);
    } else {
      used_bytes += bytes;
      waiting_.push_back(std::move(item));
    }
  }
  if (reason != errc::disk_full) return;
  disk_is_full(refused_bytes);
  hand_over();
}

// A full disk is this node's trouble, not the group's.
void replica::hand_over() {
  if (!leads() || transfer_ || now_.monotonic_ns < next_hand_over_ns_) return;
  raft::node_id heir;
  log_index most;
  for (const auto& [node, peer] : core_.status().peers) {
    if (!peer.active || !members().is_voter(node) || peer.match <= most) continue;
    heir = node;
    most = peer.match;
  }
  if (heir == raft::k_nobody) return;
  next_hand_over_ns_ = now_.monotonic_ns + k_hand_over_pause_ticks * config_.tick_ns;
  transfer(k_own_request, heir);
}

void replica::propose(std::vector<waiting_item> group) {
  std::vector<append_item> items;
  items.reserve(group.size());
  for (const waiting_item& waiting : group)
    items.push_back(waiting.item);
  append_plan plan(items, {.next_offset = core_.log().next_offset(),
                           .next_index = core_.log().last_index().next(),
                           .term = core_.term(),
                           .timestamp_ms = now_.wall_ms,
                           .now_ns = now_.monotonic_ns});
  bool taken = true;
  const log_index first = core_.log().last_index().next();
  for (const auto& frame : plan.frames())
    taken = taken && propose_frame(frame);
  const log_index last = core_.log().last_index();
  pending_misses misses{last, core_.term(), {}};
  for (std::size_t i = 0; i < group.size(); ++i) {
    append_outcome& outcome = plan.outcomes()[i];
    open_item item{group[i].from, std::move(outcome), group[i].item.payload.size(),
                   group[i].item.deadline_ns};
    if (item.outcome.code == errc::none && item.outcome.index <= last) {
      // The core raises a timestamp that would go back.
      item.outcome.timestamp_ms = core_.log().at(item.outcome.index).timestamp_ms;
      const std::size_t behind = last.since(item.outcome.index);
      open_[open_.size() - 1 - behind].items.push_back(std::move(item));
      count_proposed(out_.proposed[out_.proposed.size() - 1 - behind], group[i].item);
      ++open_items_;
      ++out_.proposed_appends;
    } else if (item.outcome.code == errc::none || !taken) {
      // What it was judged by has not come to be.
      fail(std::move(item), errc::unavailable, "the leader could not take the append");
    } else if (item.outcome.code == errc::expected_offset_missed) {
      misses.items.push_back(std::move(item));
    } else {
      answer(item, {});
    }
  }
  CAIRN_CHECK(last >= raft::prior(first), "the log of a leader became shorter");
  for (open_item& item : std::exchange(gaps_, {})) {
    if (taken) {
      misses.items.push_back(std::move(item));
    } else {
      fail(std::move(item), errc::unavailable, "the leader could not take the append");
    }
  }
  add_misses(std::move(misses));
}

void replica::add_misses(pending_misses misses) {
  if (misses.items.empty()) return;
  if (!new_misses_) {
    new_misses_ = std::move(misses);
    return;
  }
  new_misses_->judged_at = misses.judged_at;
  for (open_item& item : misses.items)
    new_misses_->items.push_back(std::move(item));
}

bool replica::propose_frame(const storage::frame_input& frame) {
  raft::propose in;
  in.id = raft::proposal_id(++last_proposal_);
  in.codec = static_cast<std::uint8_t>(frame.codec);
  in.record_count = frame.record_count;
  in.timestamp_ms = frame.timestamp_ms;
  in.payload = joined(frame.payload);
  const std::uint64_t payload_bytes = in.payload.size();
  const log_index before = core_.log().last_index();
  const raft::proposal_id id = in.id;
  core_.step(std::move(in));
  if (core_.log().last_index() == before) return false;
  CAIRN_CHECK(core_.log().last_index() == frame.index, "frame {} became entry {}",
              frame.index.value(), core_.log().last_index().value());
  open_.push_back({id, raft::k_entry_overhead_bytes + payload_bytes, {}});
  out_.proposed.push_back({.index = frame.index, .payload_bytes = payload_bytes});
  open_bytes_ += open_.back().size_bytes;
  room_.bytes -= std::min(room_.bytes, storage::frame_stride_bytes(payload_bytes));
  room_.frames -= std::min<std::uint64_t>(room_.frames, 1);
  return true;
}

void replica::count_proposed(proposed_entry& entry, const append_item& item) {
  ++entry.appends;
  entry.records += item.record_count;
  const std::uint64_t since_ns = item.received_ns;
  if (since_ns == 0 || since_ns > now_.monotonic_ns) return;
  out_.queue.add(now_.monotonic_ns - since_ns);
  entry.received_ns = entry.received_ns == 0 ? since_ns : std::min(entry.received_ns, since_ns);
}

// The core answers in the order of the log.
void replica::take_proposals(const std::vector<raft::proposal_answer>& answers) {
  for (const raft::proposal_answer& a : answers) {
    take_requests(a);
    if (open_.empty() || open_.front().id != a.id) continue;
    open_frame frame = std::move(open_.front());
    open_.pop_front();
    open_bytes_ -= frame.size_bytes;
    open_items_ -= frame.items.size();
    const bool ok = a.outcome == raft::proposal_outcome::ok;
    const answer_facts facts = facts_at(a.position.index);
    for (open_item& item : frame.items) {
      if (ok) {
        answer_when_visible(std::move(item), facts);
      } else {
        fail(std::move(item), errc::outcome_unknown,
             core_.fenced() ? "the leader's disk failed before the append was known to be committed"
                            : "the lead was lost before the append was known to be committed");
      }
    }
  }
}

// --- time ----------------------------------------------------------------------------------------

void replica::sweep_waiting() {
  const bool reaches_leader = leads() || (core_.leader() != raft::k_nobody && !forward_paused_);
  for (waiting_item& item : std::exchange(waiting_, {})) {
    if (item.item.deadline_ns < now_.monotonic_ns) {
      refuse(item, errc::unavailable, "the time of the request ran out before its write began");
    } else if (!reaches_leader && item.held_until_ns < now_.monotonic_ns) {
      refuse(item, errc::unavailable, "no leader is known that could take the append");
    } else {
      waiting_.push_back(std::move(item));
    }
  }
}

void replica::sweep_open() {
  if (open_items_ == 0) return;
  for (open_frame& frame : open_) {
    std::erase_if(frame.items, [this](open_item& item) {
      if (item.deadline_ns >= now_.monotonic_ns) return false;
      --open_items_;
      fail(std::move(item), errc::outcome_unknown,
           "the time of the request ran out while the append was being replicated");
      return true;
    });
  }
}

void replica::refuse_waiting(errc code, const std::string& detail) {
  for (waiting_item& item : std::exchange(waiting_, {}))
    refuse(item, code, detail);
  for (waiting_item& item : std::exchange(aside_, {}))
    refuse(item, code, detail);
}

}  // namespace cairn::actors
