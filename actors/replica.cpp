#include "actors/replica.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::actors {
namespace {

/// A write that found the disk full is tried again after so long.
constexpr std::uint64_t k_retry_write_ns = 200'000'000;

template <class T>
void move_to_end(std::vector<T>& to, std::vector<T>& from) {
  if (to.empty()) {
    to = std::move(from);
  } else {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  }
}

}  // namespace

replica::replica(const replica_config& config, const raft::boot_state& boot,
                 raft::random_source& random)
    : config_(config),
      core_(config.core, boot, random, config.recorder.get()),
      incarnation_(random.next()),
      core_visible_(std::max(boot.start.index, boot.committed)),
      visible_(core_visible_),
      published_(boot.committed > boot.start.index ? boot.committed_offset : boot.start_offset),
      start_timestamp_ms_(boot.start_timestamp_ms),
      sessions_(config.sessions ? std::move(*config.sessions) : session_boot{}, boot.last,
                boot.last_timestamp_ms) {
  CAIRN_CHECK(config_.tick_ns > 0, "a tick takes no time");
  settle_sessions();
  elect_sole_voter();
}

// Nobody could object, so there is nothing to wait for.
void replica::elect_sole_voter() {
  if (members().voters != raft::node_set{config_.core.self} || members().joint()) return;
  for (std::uint32_t i = 0; i <= 2 * config_.core.election_ticks; ++i) {
    if (core_.as() != raft::role::follower) return;
    core_.step(raft::tick{});
  }
}

log_range replica::range() const {
  return {std::min(core_.log().start_offset(), published_), published_};
}

// Two of the longest election timeouts.
std::uint64_t replica::hold_ns() const {
  return 4 * config_.core.election_ticks * config_.tick_ns;
}

void replica::tick() {
  core_.step(raft::tick{});
  sweep_waiting();  // knows by forward_paused_ whether the leader could be reached lately
  forward_paused_ = false;
  ask_again_ = true;
  if (room_pause_ticks_ > 0) --room_pause_ticks_;
  sweep_aside();
  sessions_.tick();
  sweep_open();
  sweep_forwards();
  sweep_barriers();
  // A sleeping group would never find out that its leader is gone.
  const bool wanted = !waiting_.empty() || !waiting_barriers_.empty() || !forwards_.empty();
  if (core_.quiesced() && wanted) {
    core_.step(raft::wake{});
  }
}

replica_effects replica::take() {
  retry_persist();
  // A new leader, a snapshot that is at hand, or the fate of a twin, is something to go on with at
  // once.
  for (bool more = true; more;) {
    take_up_again();
    propose_waiting();
    forward_waiting();
    ask_reads();
    more = take_ready();
    more = more || (judge_again_ && !aside_.empty());
  }
  settle_reads();
  release_held();
  ask_for_room();
  ask_for_checkpoint();
  gather_outcomes();
  wake_waiting();
  out_.range = range();
  return std::exchange(out_, {});
}

// @returns true if there is something to do that was not there before.
bool replica::take_ready() {
  raft::ready ready = core_.take_ready();
  if (ready.visible) core_visible_ = *ready.visible;
  settle_sessions();
  publish_visible();
  move_to_end(out_.messages, ready.messages);
  move_to_end(out_.loads, ready.loads);
  if (ready.persist) {
    CAIRN_CHECK(!writing_, "a second write while one is under way");
    sessions_.given_out(*ready.persist);
    if (ready.persist->truncate_from || ready.persist->install) judge_again_ = true;
    if (ready.persist->install) start_timestamp_ms_ = ready.persist->install->last_timestamp_ms;
    writing_ = std::make_shared<const raft::persist_batch>(std::move(*ready.persist));
    out_.persist = writing_;
  }
  const auto& told = core_.configs().latest();
  const raft::log_position at{told.index, core_.log().term_of(told.index).value_or(term_id{})};
  if (at != members_at_) {
    members_at_ = at;
    out_.members_changed = true;
  }
  take_proposals(ready.proposals);
  take_reads(ready.reads);
  take_notices(ready.notices);
  move_to_end(out_.notices, ready.notices);
  move_to_end(out_.elections, ready.elections);
  if (ready.lead) take_lead(*ready.lead);
  give_snapshots(ready.snapshots);
  return ready.lead.has_value() || !ready.snapshots.empty();
}

void replica::take_lead(const raft::leadership& lead) {
  out_.lead = lead;
  ask_again_ = true;
  judge_again_ = true;
  if (lead.as == raft::role::leader) sessions_.elected();
  forward_paused_ = false;
  // The old leader answers what it was sent, unless it is gone.
  const auto give_up_ns = now_.monotonic_ns + config_.core.election_ticks * config_.tick_ns;
  for (auto& [batch, sent] : forwards_) {
    if (sent.to != lead.leader) sent.give_up_ns = std::min(sent.give_up_ns, give_up_ns);
  }
}

void replica::take_notices(const std::vector<raft::notice>& notices) {
  for (const raft::notice& n : notices) {
    if (n.kind == raft::notice_kind::entries_lost && fence_reason_.empty()) {
      fence_reason_ = std::string(n.detail);
      refuse_waiting(errc::unavailable, fence_reason_);
    }
    const bool done = n.kind == raft::notice_kind::transfer_done;
    if (!done && n.kind != raft::notice_kind::transfer_aborted) continue;
    if (!transfer_ || transfer_->second != n.node) continue;
    if (transfer_->first == k_own_request) {
      transfer_.reset();
      continue;
    }
    out_.requests.push_back({.id = transfer_->first,
                             .code = done ? errc::none : errc::unavailable,
                             .detail = std::string(n.detail)});
    transfer_.reset();
  }
}

// A snapshot says where our log starts: the follower then gets everything that we still have. The
// table that goes with it may be newer than that start.
void replica::give_snapshots(const std::vector<raft::snapshot_needed>& wanted) {
  if (wanted.empty()) return;
  const shared_bytes state = sessions_.state();
  for (const raft::snapshot_needed& want : wanted) {
    const raft::log_view& log = core_.log();
    raft::snapshot content;
    content.last = log.start();
    content.next_offset = log.start_offset();
    content.config = core_.configs().at(log.start().index);
    content.state = state;
    content.last_timestamp_ms = start_timestamp_ms_;
    core_.step(raft::snapshot_available{want.peer, want.request, std::move(content)});
  }
}

// Offsets of entries that were on disk at the start are not known, except at its end: what is
// visible within them is shown once the rest is visible too, or has been replaced.
void replica::publish_visible() {
  if (core_visible_ <= visible_) return;
  const auto end = core_.log().offset_after(core_visible_);
  if (!end) return;
  visible_ = core_visible_;
  CAIRN_CHECK(*end >= published_, "published to {}, but {} is visible", published_.value(),
              end->value());
  out_.publish = published_ = *end;
  out_.publish_last = visible_;
}

// --- storage -------------------------------------------------------------------------------------

void replica::retry_persist() {
  if (retry_persist_ns_ == 0 || now_.monotonic_ns < retry_persist_ns_ || core_.fenced()) return;
  retry_persist_ns_ = 0;
  out_.persist = writing_;
}

void replica::persisted(raft::persist_ticket ticket, errc code, const std::string& detail,
                        const write_room& room) {
  if (!writing_ || writing_->ticket != ticket || core_.fenced()) return;
  if (code == errc::disk_full) {
    room_ = room;
    no_room_ = detail;
    retry_persist_ns_ = now_.monotonic_ns + k_retry_write_ns;
    disk_is_full(0);
    return;
  }
  if (code != errc::none) return fence(detail);
  room_ = room;
  writing_.reset();
  judge_again_ = true;
  core_.step(raft::persist_done{ticket});
}

void replica::fence(const std::string& reason) {
  fence_reason_ = reason;
  core_.step(raft::persist_failed{});
  refuse_waiting(errc::unavailable, fence_reason_);
}

void replica::loaded(raft::node_id peer, std::uint64_t request, std::vector<raft::entry> entries) {
  core_.step(raft::entries_loaded{peer, request, std::move(entries)});
}

void replica::log_trimmed(log_index last_removed, record_offset start_offset,
                          unix_ms start_timestamp_ms) {
  if (core_.fenced() || last_removed <= core_.log().start().index) return;
  start_timestamp_ms_ = start_timestamp_ms;
  core_.step(raft::log_trimmed{last_removed, start_offset});
}

// --- other nodes ---------------------------------------------------------------------------------

void replica::receive(raft::node_id from, raft::message m) {
  if (m.from != from) {
    out_.notices.push_back(
        {raft::notice_kind::message_refused, from, "sent in the name of another node"});
    return;
  }
  const auto* given = std::get_if<raft::snapshot_request>(&m.body);
  if (given != nullptr && !replica_sessions::acceptable(given->content.state)) {
    out_.notices.push_back(
        {raft::notice_kind::message_refused, from, "a snapshot with a damaged state"});
    return;
  }
  core_.step(std::move(m));
}

void replica::link_changed(raft::node_id node, bool up) {
  core_.step(raft::peer_reachable{node, up});
  if (up) {
    forward_paused_ = false;
  } else {
    lose_forwards(node, "the link to the leader was lost before it said what became of the append");
  }
}

void replica::peer_reachable(raft::node_id node, bool reachable) {
  core_.step(raft::peer_reachable{node, reachable});
}

// --- the group -----------------------------------------------------------------------------------

void replica::change_membership(std::uint64_t request, std::vector<raft::member_change> changes,
                                shared_bytes context) {
  const raft::proposal_id id(++last_proposal_);
  changes_.emplace(id, request);
  core_.step(raft::change_membership{id, std::move(changes), std::move(context)});
}

void replica::take_requests(const raft::proposal_answer& answer) {
  const auto found = changes_.find(answer.id);
  if (found == changes_.end()) return;
  request_answer out{.id = found->second, .code = errc::none, .detail = {}};
  if (answer.outcome == raft::proposal_outcome::not_done) {
    out.code = answer.reason;
    out.detail = std::string(answer.detail);
  } else if (answer.outcome == raft::proposal_outcome::unknown) {
    out.code = errc::outcome_unknown;
    out.detail = "the lead was lost before the change was known to be done";
  }
  changes_.erase(found);
  out_.requests.push_back(std::move(out));
}

void replica::transfer(std::uint64_t request, raft::node_id target) {
  if (transfer_) {
    out_.requests.push_back({.id = request,
                             .code = errc::unavailable,
                             .detail = "the lead is being handed over already"});
    return;
  }
  transfer_ = {request, target};
  core_.step(raft::transfer_leadership{target});
}

// --- the end -------------------------------------------------------------------------------------

std::string replica::why_not() const {
  return fence_reason_.empty() ? close_reason_ : fence_reason_;
}

std::string replica::why_refused() const {
  if (auto why = why_not(); !why.empty()) return why;
  if (disk_full() && (leads() || core_.leader() == raft::k_nobody)) {
    return "the disk is full: " + no_room_;
  }
  if (core_.leader() != raft::k_nobody) return {};
  return fmt::format("no leader is known: appends wait for one for {} ms and are refused then",
                     hold_ns() / 1'000'000);
}

void replica::close(const std::string& reason) {
  if (close_reason_.empty()) close_reason_ = reason;
}

bool replica::drained() const {
  return waiting_.empty() && aside_.empty() && open_items_ == 0 && forwards_.empty() &&
         held_.empty() && barrier_count_ == 0 && !new_misses_ && confirmed_misses_.empty() &&
         std::none_of(rounds_.begin(), rounds_.end(),
                      [](const auto& round) { return round.second.misses.has_value(); });
}

void replica::abandon(const std::string& reason) {
  close(reason);
  refuse_waiting(errc::unavailable, reason);
  for (open_frame& frame : open_) {
    open_items_ -= frame.items.size();
    for (open_item& item : std::exchange(frame.items, {}))
      fail(std::move(item), errc::outcome_unknown, reason);
  }
  while (!forwards_.empty())
    lose_forwards(forwards_.begin()->second.to, reason);
  for (held_answer& held : std::exchange(held_, {}))
    answer(held.item, held.facts);
  for (auto& [id, round] : rounds_) {
    if (round.misses) refuse_misses(std::move(*std::exchange(round.misses, {})));
  }
  if (new_misses_) refuse_misses(std::move(*std::exchange(new_misses_, {})));
  for (pending_misses& misses : std::exchange(confirmed_misses_, {}))
    refuse_misses(std::move(misses));
  end_all_barriers(reason);
}

}  // namespace cairn::actors
