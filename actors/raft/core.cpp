#include "actors/raft/core.hpp"

#include "storage/base/planted_bug.hpp"

#include <algorithm>
#include <utility>

namespace cairn::raft {
namespace {

// Messages may be lost at any time, so dropping what would wait beyond this is always right.
constexpr std::size_t k_waiting_messages_max = 4096;

const append_response* accepted_append(const message& m) {
  const auto* response = std::get_if<append_response>(&m.body);
  return response != nullptr && response->accepted ? response : nullptr;
}

// Of two acknowledgements to the same leader in the same term, only the higher one matters.
bool merge_acknowledgement(message& into, const message& from) {
  const append_response* later = accepted_append(from);
  if (later == nullptr || accepted_append(into) == nullptr) return false;
  if (into.to != from.to || into.term != from.term) return false;
  auto& earlier = std::get<append_response>(into.body);
  earlier.index = std::max(earlier.index, later->index);
  return true;
}

config_history make_history(const boot_state& boot) {
  config_history history({boot.start.index, boot.start_config});
  for (const config_history::item& item : boot.configs)
    history.append(item.index, item.config);
  return history;
}

}  // namespace

core::core(const core_config& config, const boot_state& boot, random_source& random)
    : config_(config),
      random_(random),
      incarnation_(random.next()),
      log_(boot.start, boot.start_offset, boot.terms, boot.last, boot.next_offset),
      persist_(boot.last),
      configs_(make_history(boot)),
      term_(boot.state.term),
      vote_(boot.state.vote),
      commit_(std::max(boot.start.index, boot.committed)),
      visible_(commit_),
      last_timestamp_ms_(boot.last_timestamp_ms) {
  CAIRN_CHECK(config_.self != k_nobody, "a replica needs a number");
  CAIRN_CHECK(config_.heartbeat_ticks > 0 && config_.election_ticks > 2 * config_.heartbeat_ticks,
              "election after {} ticks, heartbeat every {}", config_.election_ticks,
              config_.heartbeat_ticks);
  CAIRN_CHECK(log_.last().term <= term_, "the log has term {}, the hard state only {}",
              log_.last().term.value(), term_.value());
  CAIRN_CHECK(commit_ <= boot.last, "committed up to {} of a log that ends at {}", commit_.value(),
              boot.last.value());
  // In force: a lone voter is a quorum. It became the only one by a joint configuration that was
  // committed, so nobody without its vote can be elected and contradict its log.
  if (members().voters == node_set{config_.self} && !members().joint()) commit_ = boot.last;
  told_ = {role_, term_, leader_};
  restart_election_timer();
}

void core::step(input in) {
  std::visit([this](auto& what) { on(what); }, in);
}

ready core::take_ready() {
  if (!fenced_) {
    if (role_ == role::leader) {
      if (round_due_) begin_round();
      for (auto& [node, peer] : peers_)
        replicate_to(node, peer);
    }
    out_.persist = persist_.issue(log_);
    const log_index visible = std::min(commit_, persist_.durable());
    if (visible > visible_) out_.visible = visible_ = visible;
    // Readers are told offsets, which only entries in memory have.
    log_.evict(std::min(persist_.durable(), visible_), config_.window_bytes_max);
  }
  if (const leadership now{role_, term_, leader_}; now != told_) out_.lead = told_ = now;
  return std::exchange(out_, {});
}

void core::on(const tick&) {
  if (fenced_) return;
  tick_disk();
  tick_reads();
  if (quiesced_) return;
  if (role_ == role::leader) {
    tick_leader();
  } else {
    tick_follower();
  }
}

void core::on(message& m) {
  if (fenced_) return;
  if (m.to != config_.self) return refuse(m, "meant for another node");
  if (const std::string_view why = malformed(m); !why.empty()) return refuse(m, why);
  wake_for(m);
  if (settle_term(m)) dispatch(m);
}

// Paper 5.1 and figure 2, "rules for all servers"; pre-vote and lease: dissertation 9.6 and 4.2.3.
// @returns true if the message is of our term now (or a pre-vote, which has none) and to be
// handled.
bool core::settle_term(const message& m) {
  const auto* request = std::get_if<vote_request>(&m.body);
  const auto* response = std::get_if<vote_response>(&m.body);
  const bool from_leader = std::holds_alternative<append_request>(m.body) ||
                           std::holds_alternative<heartbeat_request>(m.body) ||
                           std::holds_alternative<commit_notice>(m.body) ||
                           std::holds_alternative<snapshot_request>(m.body);
  if (m.term > term_) {
    // A node that hears its leader does not let others depose it, nor take over their term.
    if (request != nullptr && !request->transfer && in_lease()) return false;
    if (request != nullptr && request->pre) return true;
    if (response != nullptr && response->pre && response->granted) return true;
    become_follower(m.term, from_leader ? m.from : k_nobody, cause_of(m),
                    request != nullptr ? m.from : k_nobody);
    return true;
  }
  if (m.term < term_) {
    // A sender with an old term would otherwise never learn of ours: pre-vote keeps a group with
    // one higher term from raising its own, so that nobody could win.
    if (from_leader) send(m.from, append_response{});
    if (request != nullptr) send(m.from, vote_response{false, request->pre});
    return false;
  }
  return true;
}

void core::dispatch(message& m) {
  std::visit([this, &m](auto& body) { handle(m, body); }, m.body);
}

void core::send(node_id to, message_body body, persist_ticket after) {
  send_as(term_, to, std::move(body), after);
}

void core::send_as(term_id term, node_id to, message_body body, persist_ticket after) {
  message m{config_.self, to, term, std::move(body)};
  // Whatever a message is about, it shows our term.
  const bool held = !planted(13) || !std::holds_alternative<vote_response>(m.body);
  const persist_ticket needed =
      held ? std::max(after, persist_.covering_state()) : persist_ticket();
  if (needed <= persist_.done()) {
    out_.messages.push_back(std::move(m));
    return;
  }
  if (!waiting_.empty() && waiting_.back().ticket == needed &&
      merge_acknowledgement(waiting_.back().what, m)) {
    return;
  }
  if (waiting_.size() < k_waiting_messages_max) waiting_.push_back({needed, std::move(m)});
}

void core::release_messages() {
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (it->ticket > persist_.done()) {
      ++it;
      continue;
    }
    // What an older term promised binds nobody any more.
    const bool current = it->what.term >= term_;
    const bool merged =
        current && !out_.messages.empty() && merge_acknowledgement(out_.messages.back(), it->what);
    if (current && !merged) out_.messages.push_back(std::move(it->what));
    it = waiting_.erase(it);
  }
}

void core::on(const persist_done& in) {
  if (fenced_ || !persist_.finish(in.ticket)) return;
  stall_ticks_ = 0;
  unpersisted_bytes_ = 0;
  for (log_index i = std::max(persist_.durable().next(), log_.window_first());
       i <= log_.last_index(); i = i.next()) {
    unpersisted_bytes_ += log_.at(i).size_bytes();
  }
  release_messages();
  if (own_vote_ticket_.value() != 0 && own_vote_ticket_ <= persist_.done()) {
    own_vote_ticket_ = {};
    record_vote(config_.self, true);
  }
  if (role_ == role::leader) advance_commit();
}

void core::on(const persist_failed&) {
  if (!fenced_) fence(notice_kind::disk_stalled, "a write has failed");
}

void core::on(const log_trimmed& in) {
  if (fenced_ || in.last_removed <= log_.start().index) return;
  CAIRN_CHECK(in.last_removed <= visible_, "trimmed to {}, but only {} is visible",
              in.last_removed.value(), visible_.value());
  log_.trim_to(in.last_removed, in.start_offset);
  configs_.trim_to(in.last_removed);
}

void core::become_follower(term_id term, node_id leader) {
  become_follower(term, leader, election_cause::higher_term, k_nobody);
}

void core::become_follower(term_id term, node_id leader, election_cause why, node_id candidate) {
  CAIRN_CHECK(term >= term_, "term {} after {}", term.value(), term_.value());
  if (role_ == role::candidate || role_ == role::pre_candidate) {
    tell_election(election_stage::lost, role_ == role::candidate ? term_ : term_.next(),
                  config_.self);
  }
  const bool deposed = leader_ != k_nobody && leader_ != leader;
  if (deposed || (leader_ != k_nobody && term > term_)) vacate(why);
  if (deposed || term > term_) {
    tell_election(election_stage::vacant, term > term_ ? term : term_.next(), candidate);
  }
  if (role_ == role::leader) leave_office();
  if (term > term_) {
    term_ = term;
    vote_ = k_nobody;
    save_state();
  }
  role_ = role::follower;
  votes_.clear();
  own_vote_ticket_ = {};
  quiesced_ = false;
  restart_election_timer();
  follow(leader);
}

// Sets the leader, and lets go of what was asked of another one.
void core::follow(node_id leader) {
  if (leader == leader_) return;
  leader_ = leader;
  fail_forwarded_reads();
  if (leader != k_nobody && awaited_transferee_ != k_nobody) {
    const bool done = leader == awaited_transferee_;
    note(done ? notice_kind::transfer_done : notice_kind::transfer_aborted, awaited_transferee_,
         done ? "" : "another node was elected");
    awaited_transferee_ = k_nobody;
  }
}

void core::fence(notice_kind why, std::string_view detail) {
  if (role_ == role::leader) leave_office();
  role_ = role::follower;
  follow(k_nobody);
  waiting_.clear();
  out_.messages.clear();
  fenced_ = true;
  note(why, config_.self, detail);
}

void core::note(notice_kind kind, node_id node, std::string_view detail) {
  out_.notices.push_back({kind, node, detail});
}

void core::refuse(const message& m, std::string_view why) {
  note(notice_kind::message_refused, m.from, why);
}

void core::restart_election_timer() {
  election_elapsed_ticks_ = 0;
  election_timeout_ticks_ =
      config_.election_ticks + static_cast<std::uint32_t>(random_.next() % config_.election_ticks);
}

// A hung disk does not stop heartbeats, only progress: without this the group would follow such a
// leader for ever.
void core::tick_disk() {
  if (!persist_.in_flight()) return;
  if (++stall_ticks_ != config_.disk_stall_ticks) return;
  if (role_ == role::leader) return step_down(notice_kind::disk_stalled);
  note(notice_kind::disk_stalled, config_.self, "");
}

bool core::disk_stalled() const {
  return stall_ticks_ >= config_.disk_stall_ticks;
}

void core::append_to_log(entry e) {
  last_timestamp_ms_ = std::max(last_timestamp_ms_, e.timestamp_ms);
  unpersisted_bytes_ += e.size_bytes();
  log_.append(std::move(e));
}

void core::truncate_log(log_index first_removed, record_offset next_offset) {
  CAIRN_CHECK(first_removed > commit_, "truncation from {}, committed to {}", first_removed.value(),
              commit_.value());
  CAIRN_CHECK(role_ != role::leader, "a leader truncates its log");
  log_.truncate_from(first_removed, next_offset);
  persist_.truncated(first_removed);
  if (configs_.latest().index >= first_removed) configs_.truncate_from(first_removed);
}

void core::save_state() {
  persist_.state_changed({term_, vote_});
}

std::uint32_t core::voters_with(log_index index) const {
  if (role_ != role::leader) return 0;
  const auto has = [this, index](node_id node) { return match_of(node) >= index; };
  return static_cast<std::uint32_t>(
      std::count_if(members().voters.begin(), members().voters.end(), has));
}

core_status core::status() const {
  core_status s;
  s.self = config_.self;
  s.as = role_;
  s.term = term_;
  s.vote = vote_;
  s.leader = leader_;
  s.start = log_.start();
  s.last = log_.last();
  s.start_offset = log_.start_offset();
  s.next_offset = log_.next_offset();
  s.commit = commit_;
  s.visible = visible_;
  s.durable = persist_.durable();
  s.handed = persist_.handed();
  s.config_index = configs_.latest().index;
  s.config = configs_.latest().config;
  for (const auto& [node, peer] : peers_) {
    s.peers[node] = {peer.match(),
                     peer.next(),
                     peer.state(),
                     peer.window_bytes(),
                     peer.window_messages(),
                     peer.active || peer.was_active,
                     peer.active};
  }
  s.window_bytes = log_.window_bytes();
  s.uncommitted_bytes = uncommitted_bytes_;
  s.proposal_count = proposals_.size();
  s.read_count = reads_.size() + barred_reads_.size() + forwarded_reads_.size();
  s.waiting_message_count = waiting_.size();
  s.election_elapsed_ticks = election_elapsed_ticks_;
  s.election_timeout_ticks = election_timeout_ticks_;
  s.stall_ticks = stall_ticks_;
  s.votes = votes_;
  s.transferee = transferee_;
  s.quiesced = quiesced_;
  s.fenced = fenced_;
  return s;
}

}  // namespace cairn::raft
