// Elections: paper 5.2 and 5.4.1; pre-vote: dissertation 9.6; lease: dissertation 4.2.3.

#include "actors/raft/core.hpp"
#include "actors/raft/quorum.hpp"

#include <array>

namespace cairn::raft {
namespace {

// Voters campaign, and so does a node that the last configuration takes out of the voters while
// that configuration may not be committed (dissertation 4.2.2): it may be the only one that has the
// entry, and then refuses its vote to all who lack it. Only the last configuration can be
// uncommitted: none is appended before the one before it is committed.
bool may_campaign(const config_history& configs, node_id self, log_index commit) {
  const config_history::item& latest = configs.latest();
  if (latest.config.is_voter(self)) return true;
  return latest.index > commit && configs.at(prior(latest.index)).is_voter(self);
}

}  // namespace

std::string_view to_string(election_cause cause) {
  constexpr std::array<std::string_view, 8> names = {
      "start",        "no-heartbeat", "transfer",       "lost-quorum",
      "disk-stalled", "higher-term",  "leader-removed", "only-voter"};
  return names.at(static_cast<std::size_t>(cause));
}

bool core::only_voter() const {
  return members().voters == node_set{config_.self} && !members().joint();
}

// Of the end of our term, which `m` of a later one tells.
election_cause core::cause_of(const message& m) const {
  const auto* request = std::get_if<vote_request>(&m.body);
  if (request != nullptr && request->transfer) return election_cause::transfer;
  if (transferee_ != k_nobody && m.from == transferee_) return election_cause::transfer;
  if (role_ == role::leader) return election_cause::higher_term;
  if (!members().is_voter(leader_)) return election_cause::leader_removed;
  return in_lease() ? election_cause::higher_term : election_cause::no_heartbeat;
}

// @pre there is a leader
void core::vacate(election_cause why) {
  vacancy_ = why;
  previous_ = leader_;
  silent_ticks_ = role_ == role::leader ? 0 : election_elapsed_ticks_;
}

void core::tell_election(election_stage stage, term_id term, node_id candidate) {
  out_.elections.push_back({stage, term, vacancy_, previous_, candidate, silent_ticks_});
}

void core::tick_follower() {
  ++election_elapsed_ticks_;
  if (election_elapsed_ticks_ < election_timeout_ticks_) return;
  if (!may_campaign(configs_, config_.self, commit_)) return;
  // A node whose disk does not answer could not lead.
  if (stall_ticks_ >= config_.election_ticks) return;
  campaign(true, false);
}

void core::campaign(bool pre, bool transfer) {
  CAIRN_CHECK(role_ != role::leader, "a leader campaigns");
  if (leader_ != k_nobody) {
    vacate(transfer                      ? election_cause::transfer
           : members().is_voter(leader_) ? election_cause::no_heartbeat
                                         : election_cause::leader_removed);
  }
  if (only_voter()) vacancy_ = election_cause::only_voter;
  if (pre) tell_election(election_stage::stands, term_.next(), config_.self);
  if (!pre) return start_election(transfer);
  role_ = role::pre_candidate;
  follow(k_nobody);
  restart_election_timer();
  votes_.clear();
  request_votes(true, false);
  record_vote(config_.self, true);  // promises nothing, so it needs no write
}

void core::start_election(bool transfer) {
  role_ = role::candidate;
  follow(k_nobody);
  restart_election_timer();
  votes_.clear();
  term_ = term_.next();
  vote_ = config_.self;
  save_state();
  // Our own vote is a vote like others: it counts once it is durable.
  own_vote_ticket_ = persist_.covering_state();
  tell_election(election_stage::asks, term_, config_.self);
  request_votes(false, transfer);
}

void core::request_votes(bool pre, bool transfer) {
  const term_id term = pre ? term_.next() : term_;
  for (const node_id node : members().members()) {
    if (node == config_.self || !members().is_voter(node)) continue;
    send_as(term, node, vote_request{log_.last(), pre, transfer}, {});
  }
}

void core::record_vote(node_id voter, bool granted) {
  if (role_ != role::candidate && role_ != role::pre_candidate) return;
  votes_.emplace(voter, granted);
  const vote_result result = quorum_vote(members(), [this](node_id node) -> std::optional<bool> {
    const auto vote = votes_.find(node);
    if (vote == votes_.end()) return std::nullopt;
    return vote->second;
  });
  if (result == vote_result::lost) return become_follower(term_, k_nobody);
  if (result == vote_result::pending) return;
  if (role_ == role::pre_candidate) return start_election(false);
  become_leader();
}

void core::become_leader() {
  CAIRN_CHECK(role_ == role::candidate, "became leader without an election");
  role_ = role::leader;
  follow(config_.self);
  votes_.clear();
  heartbeat_elapsed_ticks_ = 0;
  idle_ticks_ = 0;
  election_elapsed_ticks_ = 0;
  round_ = 0;
  peers_.clear();
  config_changed();
  // Paper section 8: only an entry of the own term tells what is committed.
  append_internal(entry_kind::no_op, {});
  broadcast_heartbeat();
}

bool core::in_lease() const {
  return leader_ != k_nobody && election_elapsed_ticks_ < config_.election_ticks;
}

void core::handle(const message& m, const vote_request& body) {
  if (body.pre) {
    const bool granted = m.term > term_ && !in_lease() && log_.not_newer_than(body.last);
    send_as(granted ? m.term : term_, m.from, vote_response{granted, true}, {});
    return;
  }
  const bool free = vote_ == m.from || (vote_ == k_nobody && leader_ == k_nobody);
  const bool granted = free && log_.not_newer_than(body.last);
  if (granted) {
    if (vote_ != m.from) {
      vote_ = m.from;
      save_state();
    }
    restart_election_timer();
  }
  // send() holds the answer back until the vote is durable.
  send(m.from, vote_response{granted, false});
}

void core::handle(const message& m, const vote_response& body) {
  if (body.pre != (role_ == role::pre_candidate)) return;
  if (body.pre && body.granted && m.term != term_.next()) return;  // of an earlier attempt
  record_vote(m.from, body.granted);
}

}  // namespace cairn::raft
