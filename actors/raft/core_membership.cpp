// Membership changes by joint consensus (paper section 6; dissertation 4.3) and handing over the
// lead (dissertation 3.10).

#include "actors/raft/core.hpp"

#include <algorithm>
#include <utility>

namespace cairn::raft {

void core::on(change_membership& in) {
  const auto refused = [this, &in](errc reason, std::string_view why) {
    out_.proposals.push_back({in.id, proposal_outcome::not_done, {}, reason, why});
  };
  if (const std::string_view why = refusal(in); !why.empty()) {
    return refused(errc::unavailable, why);
  }
  if (in.context.size() > k_config_context_bytes_max) {
    return refused(errc::too_large, "the configuration's context is too large");
  }
  auto next = changed(members(), in.changes);
  if (!next) return refused(errc::invalid_argument, "no such change is possible here");
  wake_up();
  next->context = std::move(in.context);
  append_configuration(*next);
  membership_ = membership_proposal{in.id, log_.last_index()};
}

std::string_view core::refusal(const change_membership& in) const {
  if (fenced_) return "this replica is fenced";
  if (role_ != role::leader) return "not the leader";
  if (transferee_ != k_nobody) return "the lead is being handed over";
  // Without an entry of our own term committed, two leaders could each commit a change that the
  // other does not know of (Ongaro, raft-dev 2015-07, on single-server changes).
  if (!committed_in_term()) return "the leader has not committed anything in its term yet";
  if (members().joint() || configs_.latest().index > commit_) return "a change is under way";
  for (const member_change& change : in.changes) {
    if (change.what != member_change::action::add_voter || members().is_voter(change.node))
      continue;
    // A voter that lags could hold up every commit (dissertation 4.2.1).
    const auto peer = peers_.find(change.node);
    if (peer == peers_.end()) return "a new voter must be a learner first";
    if (log_.last_index().since(peer->second.match()) > config_.promote_lag_entries_max) {
      return "the learner has not caught up";
    }
  }
  return {};
}

void core::append_configuration(const configuration& next) {
  append_internal(entry_kind::config, encode(next));
  configs_.append(log_.last_index(), next);
  config_changed();
}

// Peers follow the configuration in force, which is the last one in the log.
void core::config_changed() {
  if (role_ != role::leader) return;
  std::erase_if(peers_, [this](const auto& item) { return !members().contains(item.first); });
  for (const node_id node : members().members()) {
    if (node == config_.self) continue;
    const auto [peer, added] = peers_.try_emplace(node, log_.last_index().next());
    if (added) peer->second.active = true;  // time to answer until the next quorum check
  }
  if (transferee_ != k_nobody && !members().is_voter(transferee_)) {
    abort_transfer("the target is no voter any more");
  }
}

// Once a joint configuration is committed, the final one follows; once that is, the change is done
// and a leader that is not part of it retires (paper section 6).
void core::continue_membership_change() {
  const config_history::item& latest = configs_.latest();
  if (role_ != role::leader || latest.index > commit_) return;
  if (latest.config.joint()) {
    append_configuration(joint_left(latest.config));
    if (membership_) membership_->index = log_.last_index();
    return;
  }
  if (membership_ && membership_->index <= commit_) {
    const log_position position{membership_->index, *log_.term_of(membership_->index)};
    out_.proposals.push_back({membership_->id, proposal_outcome::ok, position, errc::none, {}});
    membership_.reset();
  }
  if (members().is_voter(config_.self)) return;
  for (auto& [node, peer] : peers_)
    tell_commit(node, peer);
  step_down(notice_kind::removed_from_group);
}

void core::on(const transfer_leadership& in) {
  const auto refuse_transfer = [this, &in](std::string_view why) {
    note(notice_kind::transfer_aborted, in.target, why);
  };
  if (fenced_ || role_ != role::leader) return refuse_transfer("not the leader");
  if (transferee_ != k_nobody) return refuse_transfer("the lead is being handed over already");
  if (in.target == config_.self) return refuse_transfer("the target leads already");
  if (!members().is_voter(in.target)) return refuse_transfer("the target is no voter");
  wake_up();
  transferee_ = in.target;
  transfer_ticks_ = 0;
  continue_transfer(in.target);
}

void core::tick_transfer() {
  if (transferee_ == k_nobody) return;
  // A dead or slow target must not stop writes for longer than an election would.
  if (++transfer_ticks_ >= config_.election_ticks) abort_transfer("the target did not take over");
}

void core::continue_transfer(node_id acknowledged_by) {
  if (transferee_ == k_nobody || acknowledged_by != transferee_) return;
  if (peers_.at(transferee_).match() == log_.last_index()) send(transferee_, timeout_now_request{});
}

void core::abort_transfer(std::string_view why) {
  note(notice_kind::transfer_aborted, transferee_, why);
  transferee_ = k_nobody;
}

void core::handle(const message& m, const timeout_now_request&) {
  if (leader_ != m.from || role_ == role::leader) return;
  if (members().is_voter(config_.self) && !disk_stalled()) campaign(false, true);
}

}  // namespace cairn::raft
