// What a ClusterActor does with operations: on the leader one after the other, elsewhere they
// travel to it. All of them may be tried again: a node that is let in twice is let in once, and one
// that is gone stays gone.
#include "actors/cluster/cluster_actor.hpp"
#include "storage/base/log_line.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::actors {

namespace {

constexpr std::uint64_t k_ns_per_ms = 1'000'000;
/// Operations at a time: those that wait here, and those that are on their way to the leader.
constexpr std::size_t k_operations_max = 256;
/// A learner that lacks no more entries than this may vote. The core has the last word.
constexpr std::uint64_t k_promote_lag_entries = 512;
constexpr std::uint64_t k_promotion_ns = 5'000'000'000;

}  // namespace

proto::cluster_answer cluster_state::refusal(errc code, std::string detail, bool final) {
  proto::cluster_answer answer;
  answer.code = code;
  answer.detail = std::move(detail);
  answer.final = final;
  return answer;
}

void cluster_state::submit(operation op) {
  const auto refuse = [&](errc code, std::string detail, bool final) {
    if (op.answer) op.answer(refusal(code, std::move(detail), final));
  };
  if (!removed_.empty()) {
    return refuse(errc::unavailable,
                  fmt::format("node {} was removed from the cluster", config_.self.node_id), false);
  }
  if (op.forwarded && !leads()) {
    return refuse(errc::unavailable, fmt::format("node {} does not lead", config_.self.node_id),
                  false);
  }
  if (waiting_.size() + requests_.open_count() >= k_operations_max) {
    return refuse(errc::overloaded, "too many changes wait already", false);
  }
  waiting_.push_back(std::move(op));
  run_waiting();
}

void cluster_state::run_waiting() {
  if (waiting_.empty()) return;
  if (leads()) {
    if (running_) return;
    running_ = std::move(waiting_.front());
    waiting_.pop_front();
    return execute();
  }
  const auto leader = leader_name();
  if (leader.empty() || !linked_.contains(leader)) return;
  for (auto& op : std::exchange(waiting_, {})) {
    if (std::holds_alternative<promotion_request>(op.what)) continue;  // the next leader sees to it
    forward(std::move(op));
  }
}

void cluster_state::forward(operation op) {
  const auto left_ns = op.deadline_ns - std::min(op.deadline_ns, now_ns());
  const auto pending = std::make_shared<operation>(std::move(op));
  peer_requests::question what;
  std::visit(
      [&](const auto& ask) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(ask)>, promotion_request>) what = ask;
      },
      pending->what);
  requests_.ask(leader_name(), std::move(what), true, now_ns(),
                std::chrono::milliseconds(left_ns / k_ns_per_ms),
                [this, pending](const proto::cluster_answer& answer) {
                  const bool again =
                      answer.code == errc::unavailable || answer.code == errc::outcome_unknown;
                  if (again && !answer.final && now_ns() < pending->deadline_ns) {
                    if (answer.code == errc::outcome_unknown) pending->maybe_done = true;
                    pending->last_reason = answer.detail;
                    waiting_.push_back(std::move(*pending));  // tried again with the next tick
                    return;
                  }
                  auto told = answer;
                  if (told.code == errc::not_found && pending->maybe_done &&
                      std::holds_alternative<proto::remove_request>(pending->what)) {
                    told = {};
                  }
                  if (pending->answer) pending->answer(told);
                });
}

// --- on the leader -------------------------------------------------------------------------------

void cluster_state::execute() {
  retry_ = false;
  self_->request(config_.raft, caf::infinite, ask_raft{})
      .then(
          [this](const raft_report& group) {
            if (running_) execute_on(group);
          },
          [this](const caf::error& why) {
            if (running_) failed(errc::unavailable, "the log has ended: " + caf::to_string(why));
          });
}

void cluster_state::execute_on(const raft_report& group) {
  if (group.lead.as != raft::role::leader) {
    waiting_.push_front(std::move(*running_));
    running_.reset();
    if (waiting_.front().forwarded) {
      // Its node finds the new leader itself.
      auto op = std::move(waiting_.front());
      waiting_.pop_front();
      if (op.answer) {
        op.answer(refusal(op.maybe_done ? errc::outcome_unknown : errc::unavailable,
                          fmt::format("node {} does not lead", config_.self.node_id), false));
      }
    }
    return;
  }
  if (group.members->joint() || group.members_index > group.commit) {
    return retry_later("another change is under way, or a quorum is missing");
  }
  if (const auto* ask = std::get_if<proto::announce_request>(&running_->what)) {
    admit_node(group, *ask);
  } else if (const auto* gone = std::get_if<proto::remove_request>(&running_->what)) {
    remove_node(group, *gone);
  } else if (const auto* lead = std::get_if<proto::transfer_request>(&running_->what)) {
    move_lead(group, *lead);
  } else {
    promote(group, std::get<promotion_request>(running_->what));
  }
}

void cluster_state::admit_node(const raft_report& group, const proto::announce_request& ask) {
  auto admitted = admit(*group.members, ask.node, ask.cluster_id);
  if (!admitted) {
    if (admitted.code() == errc::unavailable) return retry_later(admitted.error().detail);
    log_warning(log_component::cluster)
        .sparsely()
        .field("peer", ask.node.node_id)
        .field("address", ask.node.peer)
        .field("code", to_string(admitted.code()))
        .say("node {} is not let in: {}. It is told so and ends; nothing changes here.",
             ask.node.node_id, admitted.error().detail);
    return failed(admitted.code(), admitted.error().detail);
  }
  const auto number = admitted->number;
  if (!admitted->needed) return complete_ok(number);
  const auto what = admitted->known ? "has new addresses" : "joins as a learner";
  propose(std::move(admitted->change), [this, number, what, node = ask.node] {
    log_info(log_component::cluster)
        .field("peer", node.node_id)
        .field("number", number)
        .field("address", node.peer)
        .say("node {} {}", node.node_id, what);
    journal_.note(fmt::format("node {} {}", node.node_id, what));
    complete_ok(number);
  });
}

void cluster_state::remove_node(const raft_report& group, const proto::remove_request& ask) {
  auto change = removal(*group.members, ask.node_id);
  if (!change) {
    if (change.code() == errc::not_found && running_->maybe_done) return complete_ok();
    return failed(change.code(), change.error().detail);
  }
  if (change->changes.front().node == group.self) {
    const auto heir = best_heir(group);
    if (heir == raft::k_nobody) return retry_later("no other voter is there to take the lead over");
    return hand_over(group, heir, [this] {
      // The new leader does the rest.
      auto op = std::move(*running_);
      running_.reset();
      if (!op.forwarded) {
        waiting_.push_front(std::move(op));
      } else if (op.answer) {
        op.answer(refusal(errc::unavailable, "the lead was handed over first", false));
      }
    });
  }
  propose(*std::move(change), [this, node = ask.node_id] {
    log_info(log_component::cluster).field("peer", node).say("node {} is removed", node);
    journal_.note(fmt::format("node {} is removed", node));
    complete_ok();
  });
}

void cluster_state::move_lead(const raft_report& group, const proto::transfer_request& ask) {
  if (ask.log != config_.log) {
    return failed(errc::not_found, fmt::format("there is no log '{}'", ask.log));
  }
  raft::node_id target;
  if (ask.node_id.empty()) {
    target = best_heir(group);
    if (target == raft::k_nobody) {
      return complete(
          refusal(errc::unavailable, "no other voter is there to take the lead over", true));
    }
  } else {
    for (const auto& member : current_members(*group.members, context_)) {
      if (member.node_id == ask.node_id) target = raft::node_id(member.number);
    }
    if (target == raft::k_nobody) {
      return failed(errc::not_found, fmt::format("there is no member '{}'", ask.node_id));
    }
  }
  proto::cluster_answer done;
  done.leader = name_of(target);
  if (target == group.self) {
    done.number = target.value();  // which says that nothing has changed
    return complete(std::move(done));
  }
  if (!group.members->is_voter(target)) {
    return failed(errc::invalid_argument,
                  fmt::format("node {} is a learner: it can lead once it is a voter", done.leader));
  }
  hand_over(group, target, [this, done] { complete(done); });
}

void cluster_state::promote(const raft_report& group, const promotion_request& ask) {
  if (!raft::holds(group.members->learners, ask.number)) return complete_ok();
  auto change = promotion(*group.members, ask.number);
  if (!change) return failed(change.code(), change.error().detail);
  propose(*std::move(change), [this, node = name_of(ask.number)] {
    log_info(log_component::cluster)
        .field("peer", node)
        .say("node {} has caught up and is a voter now", node);
    journal_.note(fmt::format("node {} is a voter now", node));
    complete_ok();
  });
}

void cluster_state::propose(roster_change change, std::function<void()> done) {
  self_
      ->request(config_.raft, caf::infinite,
                change_members{.changes = std::move(change.changes),
                               .context = proto::encode(change.context)})
      .then(
          [this, done = std::move(done)](const raft_request_done& outcome) {
            if (!running_) return;
            switch (outcome.code) {
              case errc::none:
                return done();
              case errc::unavailable:
                return retry_later(outcome.detail);
              case errc::outcome_unknown:
                running_->maybe_done = true;
                return retry_later(outcome.detail);
              default:
                return failed(outcome.code, outcome.detail);
            }
          },
          [this](const caf::error& why) {
            if (running_)
              failed(errc::outcome_unknown, "the log has ended: " + caf::to_string(why));
          });
}

void cluster_state::hand_over(const raft_report& group, raft::node_id target,
                              std::function<void()> done) {
  log_info(log_component::cluster)
      .field("log", config_.log)
      .field("term", group.lead.term.value())
      .field("peer", name_of(target))
      .say("handing the lead over to node {}", name_of(target));
  self_->request(config_.raft, caf::infinite, transfer_lead{target})
      .then(
          [this, done = std::move(done)](const raft_request_done& outcome) {
            if (!running_) return;
            if (outcome.code == errc::none) return done();
            if (std::holds_alternative<proto::transfer_request>(running_->what)) {
              // Whoever asks may try again, or choose another one.
              return complete(refusal(outcome.code, outcome.detail, true));
            }
            retry_later(outcome.detail);
          },
          [this](const caf::error& why) {
            if (running_) failed(errc::unavailable, "the log has ended: " + caf::to_string(why));
          });
}

// The voter that lacks least.
raft::node_id cluster_state::best_heir(const raft_report& group) {
  raft::node_id best;
  log_index best_match;
  for (const auto& peer : group.peers) {
    if (!peer.active || !raft::holds(group.members->voters, peer.node)) continue;
    if (best != raft::k_nobody && peer.match <= best_match) continue;
    best = peer.node;
    best_match = peer.match;
  }
  return best;
}

void cluster_state::promote_learners() {
  if (!leads() || running_ || !waiting_.empty() || members_->joint() ||
      members_->learners.empty()) {
    return;
  }
  self_->request(config_.raft, caf::infinite, ask_raft{})
      .then(
          [this](const raft_report& group) {
            if (!leads() || group.lead.as != raft::role::leader || running_ || !waiting_.empty()) {
              return;
            }
            for (const auto& peer : group.peers) {
              // It must be there and its log agree with ours: one that never came stays a learner.
              const bool caught_up =
                  peer.active && peer.replicating && peer.match.value() != 0 &&
                  peer.match.value() + k_promote_lag_entries >= group.commit.value();
              if (!caught_up || !raft::holds(group.members->learners, peer.node)) continue;
              operation op{.what = promotion_request{peer.node}};
              op.deadline_ns = now_ns() + k_promotion_ns;
              return submit(std::move(op));
            }
          },
          [](const caf::error&) {});
}

// --- the end of an operation ---------------------------------------------------------------------

void cluster_state::complete(proto::cluster_answer answer) {
  auto op = std::move(*running_);
  running_.reset();
  retry_ = false;
  answer.cluster_id = config_.cluster_id;
  if (op.answer) op.answer(answer);
  run_waiting();
}

void cluster_state::complete_ok(std::uint64_t number) {
  proto::cluster_answer answer;
  // Only who announced itself is told a number.
  if (std::holds_alternative<proto::announce_request>(running_->what)) answer.number = number;
  answer.leader = leader_name();
  complete(std::move(answer));
}

void cluster_state::failed(errc code, const std::string& detail) {
  const bool final =
      code != errc::unavailable && code != errc::overloaded && code != errc::outcome_unknown;
  complete(refusal(code, detail, final));
}

void cluster_state::retry_later(const std::string& reason) {
  running_->last_reason = reason;
  retry_ = true;
}

void cluster_state::sweep_operations() {
  const auto expired = [this](const operation& op) { return now_ns() >= op.deadline_ns; };
  const auto too_late = [](operation& op, bool maybe_done) {
    if (!op.answer) return;
    const auto answer = std::exchange(op.answer, nullptr);
    answer(refusal(maybe_done ? errc::outcome_unknown : errc::unavailable,
                   op.last_reason.empty() ? "no leader is known" : op.last_reason, false));
  };
  std::list<operation> ended;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    const auto one = at++;
    if (expired(*one)) ended.splice(ended.end(), waiting_, one);
  }
  for (auto& op : ended)
    too_late(op, op.maybe_done);
  if (!running_ || !expired(*running_)) return;
  if (!retry_) return too_late(*running_, true);  // under way; its end is awaited all the same
  auto op = std::move(*running_);
  running_.reset();
  retry_ = false;
  too_late(op, op.maybe_done);
}

}  // namespace cairn::actors
