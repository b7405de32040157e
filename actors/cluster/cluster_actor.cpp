#include "actors/cluster/cluster_actor.hpp"

#include "actors/wire/envelope_parts.hpp"
#include "storage/base/log_line.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::actors {

namespace {

std::uint64_t to_ns(std::chrono::milliseconds ms) {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(ms).count());
}

constexpr std::chrono::milliseconds k_announce_pause{1'000};
constexpr std::size_t k_invitations_max = 256;

}  // namespace

cluster_state::cluster_state(caf::event_based_actor* self, cluster_actor_config config)
    : self_(self),
      config_(std::move(config)),
      journal_(*config_.env, "cluster", "cluster", config_.parent),
      requests_(*config_.hub),
      members_(std::make_shared<raft::configuration>()) {
  if (!config_.view) config_.view = std::make_shared<cluster_view>();
}

caf::behavior cluster_state::make_behavior() {
  auto& hub = *config_.hub;
  const auto me = caf::actor_cast<caf::actor>(self_);
  hub.route(peer_kind::request, {}, me);
  hub.route(peer_kind::answer, {}, me);
  hub.watch(me);
  leaderless_since_ns_ = std::max<std::uint64_t>(now_ns(), 1);
  publish();
  self_->send(config_.raft, watch_raft{me});
  self_->delayed_send(self_, config_.tick, cluster_tick{});
  return {
      [this](cluster_tick) {
        const auto busy = journal_.enter();
        tick();
        self_->delayed_send(self_, config_.tick, cluster_tick{});
      },
      [this](const raft_changed& told) {
        const auto busy = journal_.enter();
        raft_told(told);
      },
      [this](const link_changed& changed) {
        const auto busy = journal_.enter();
        link(changed);
      },
      [this](const peer_envelope& envelope) {
        const auto busy = journal_.enter();
        if (envelope.kind == peer_kind::answer) {
          requests_.receive(envelope);
        } else {
          asked(envelope);
        }
      },
      [this](const change_cluster& wish) {
        const auto busy = journal_.enter();
        return change(wish);
      },
      [this](const serves_clients& where) {
        const auto busy = journal_.enter();
        config_.self.http = where.http;
        announced_ = false;
        next_announce_ns_ = now_ns();
      },
      [this](ask_cluster) {
        const auto busy = journal_.enter();
        return report();
      },
      [this](describe) {
        const auto busy = journal_.enter();
        return journal_.report(
            self_->id(), self_->mailbox().size(),
            fmt::format("{} members, {} links, leader {}, {} operations{}",
                        current_members(*members_, context_).size(), linked_.size(),
                        leader_name().empty() ? "unknown" : leader_name(),
                        waiting_.size() + (running_ ? 1 : 0),
                        removed_.empty() ? "" : "; removed from the cluster"));
      },
  };
}

void cluster_state::tick() {
  requests_.tick(now_ns());
  sweep_operations();
  if (running_ && retry_) execute();
  run_waiting();
  tick_invitations();
  if (!removed_.empty()) return;
  const bool lonely =
      leaderless_since_ns_ != 0 && now_ns() >= leaderless_since_ns_ + to_ns(config_.leaderless);
  if (lonely) use_hints(true);
  tell_member();
  if ((!announced_ || lonely) && !announcing_ && now_ns() >= next_announce_ns_) announce();
  promote_learners();
}

void cluster_state::raft_told(const raft_changed& told) {
  const bool led = leads();
  const auto before = lead_.leader;
  lead_ = told.lead;
  // By its content: another leader's configuration may take the place of one at the same index.
  if (*told.members != *members_) {
    members_ = told.members;
    if (!members_->members().empty()) {
      auto context = context_of(*members_);
      if (context) {
        context_ = *std::move(context);
      } else {
        log_error(log_component::cluster)
            .sparsely()
            .field("log", config_.log)
            .say(
                "{}. The members known before stay in force for links and changes. See that all "
                "nodes run the same version.",
                context.error().detail);
      }
    }
    update_links();
  }
  if (lead_.leader != before) {
    journal_.note(lead_.leader == raft::k_nobody
                      ? fmt::format("no leader in term {}", lead_.term.value())
                      : fmt::format("node {} leads in term {}", leader_name(), lead_.term.value()));
    if (lead_.leader == raft::k_nobody) {
      leaderless_since_ns_ = std::max<std::uint64_t>(now_ns(), 1);
    } else {
      leaderless_since_ns_ = 0;
      next_announce_ns_ = now_ns();
      use_hints(false);
    }
  }
  publish();
  if (leads() && !led) promote_learners();
  run_waiting();
}

// Links to everybody in the configuration, in both halves of a joint one, and to nobody else.
void cluster_state::update_links() {
  std::map<std::string, std::string> wanted;
  for (const auto& member : current_members(*members_, context_)) {
    if (member.number != config_.self.number) wanted[member.node_id] = member.peer;
  }
  for (const auto& [node, address] : wanted) {
    const auto known = connected_.find(node);
    if (known == connected_.end() || known->second != address) config_.hub->connect(node, address);
  }
  for (const auto& [node, address] : connected_) {
    // An old member may have come back under its name with a new number.
    if (!wanted.contains(node)) {
      config_.hub->forget(node);
      journal_.note(fmt::format("node {} is no member any more", node));
    }
  }
  connected_ = std::move(wanted);
}

// Members are dialled anyway; these are only for a node that finds none of them.
void cluster_state::use_hints(bool use) {
  if (std::exchange(hints_used_, use) == use) return;
  for (const auto& address : config_.hints) {
    if (use) {
      config_.hub->connect({}, address);
    } else {
      stop_dialling(address);
    }
  }
}

/// Ends what connect() began without a node id, unless something else wants it; a link stays.
void cluster_state::stop_dialling(const std::string& address) {
  const auto wanted = [&](const invitation& one) { return one.peer == address; };
  if (std::any_of(invitations_.begin(), invitations_.end(), wanted)) return;
  const auto& hints = config_.hints;
  if (hints_used_ && std::find(hints.begin(), hints.end(), address) != hints.end()) return;
  config_.hub->forget(address);
}

void cluster_state::link(const link_changed& change) {
  if (change.up) {
    linked_[change.node] = change.address;
  } else {
    linked_.erase(change.node);
    requests_.link_down(change.node);
  }
  publish();
}

// --- this node -----------------------------------------------------------------------------------

void cluster_state::announce() {
  if (config_.self.http.empty()) return;  // serves_clients is on its way
  next_announce_ns_ = now_ns() + to_ns(k_announce_pause);
  const proto::announce_request ask{.node = config_.self, .cluster_id = config_.cluster_id};
  if (leads()) {
    announcing_ = true;
    operation op{.what = ask};
    op.deadline_ns = now_ns() + to_ns(config_.answer_timeout);
    op.answer = [this](const proto::cluster_answer& answer) { announced(answer); };
    return submit(std::move(op));
  }
  auto to = leader_name();
  if (to.empty() || !linked_.contains(to)) {
    // Somebody else may know more. In turn: one of them may be out of step as we are.
    if (linked_.empty()) return;
    auto next = linked_.upper_bound(last_asked_);
    if (next == linked_.end()) next = linked_.begin();
    to = last_asked_ = next->first;
  }
  announcing_ = true;
  requests_.ask(to, ask, false, now_ns(), config_.answer_timeout,
                [this](const proto::cluster_answer& answer) { announced(answer); });
}

void cluster_state::announced(const proto::cluster_answer& answer) {
  announcing_ = false;
  if (answer.code == errc::none) {
    announced_ = true;
    return;
  }
  log_debug(log_component::cluster).say("announcing this node: {}", answer.detail);
  if (!answer.final) return;
  if (answer.code == errc::not_found) return set_removed(answer.detail);
  const auto reason = "the cluster does not take this node for its member: " + answer.detail;
  if (config_.view->unready() == reason) return;
  log_error(log_component::cluster)
      .say(
          "{}. This node serves reads of what it has and says on /readyz that it is not ready; it "
          "goes on asking. If its data directory was replaced, join under a new --node-id.",
          reason);
  journal_.note(reason);
  config_.view->set_unready(reason);
}

// Once the configuration is durable here: whoever is told writes down that this log is not empty,
// and until then a crash may still leave it so.
void cluster_state::tell_member() {
  if (!announced_ || told_member_ || context_.members.empty()) return;
  self_->request(config_.raft, caf::infinite, ask_raft{})
      .then(
          [this](const raft_report& group) {
            if (told_member_ || group.durable < group.members_index) return;
            told_member_ = true;
            if (config_.on_member) config_.on_member();
          },
          [](const caf::error&) {});
}

void cluster_state::set_removed(const std::string& why) {
  removed_ = why;
  log_warning(log_component::cluster)
      .say(
          "this node was removed from its cluster. It answers reads of what it has, which will "
          "not grow any more, and stays up until it is stopped. {}",
          why);
  journal_.note("removed from the cluster");
  config_.view->set_unready("this node was removed from its cluster");
  for (const auto& [node, address] : connected_)
    config_.hub->forget(node);
  connected_.clear();
  use_hints(false);
}

// --- other nodes ---------------------------------------------------------------------------------

void cluster_state::asked(const peer_envelope& envelope) {
  const auto request = proto::decode_cluster_request(envelope.head.span());
  if (request) return take(envelope.sender, *request);
  if (request.code() != errc::unsupported) {
    log_warning(log_component::cluster)
        .sparsely()
        .field("peer", wire::clean_text(envelope.sender))
        .say(
            "another node's question cannot be read: {}. It gets no answer. See that all nodes run "
            "the same version.",
            request.error().detail);
  }
}

void cluster_state::take(const std::string& sender, const proto::cluster_request& request) {
  auto reply = [this, sender, id = request.id](proto::cluster_answer answer) {
    answer.id = id;
    answer.cluster_id = config_.cluster_id;
    requests_.answer(sender, std::move(answer));
  };
  if (const auto* invite = std::get_if<proto::invite_request>(&request.ask)) {
    const bool ours = invite->cluster_id == config_.cluster_id;
    if (ours && invite->node_id == config_.self.node_id) return reply({});
    return reply(refusal(errc::already_exists,
                         fmt::format("this is node {}, a member of cluster {}",
                                     config_.self.node_id, config_.cluster_id),
                         true));
  }
  operation op;
  std::visit(
      [&](const auto& ask) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(ask)>, proto::invite_request>) {
          op.what = ask;
        }
      },
      request.ask);
  op.forwarded = request.forwarded;
  op.deadline_ns = now_ns() + request.deadline_ms * std::uint64_t{1'000'000};
  op.answer = std::move(reply);
  submit(std::move(op));
}

// --- clients -------------------------------------------------------------------------------------

caf::result<cluster_change_done> cluster_state::change(const change_cluster& wish) {
  auto promise = self_->make_response_promise();
  if (wish.what == change_cluster::action::add_member) {
    add(wish, promise);
    return promise;
  }
  operation op;
  if (wish.what == change_cluster::action::remove_member) {
    op.what = proto::remove_request{wish.node};
  } else {
    op.what = proto::transfer_request{.log = wish.log, .node_id = wish.node};
  }
  op.deadline_ns = now_ns() + wish.timeout_ms * std::uint64_t{1'000'000};
  op.answer = [this, promise](const proto::cluster_answer& answer) mutable {
    promise.deliver(
        cluster_change_done{.code = answer.code,
                            .detail = answer.detail,
                            .changed = answer.number == 0,
                            .leader = answer.leader.empty() ? leader_name() : answer.leader,
                            .term = lead_.term});
  };
  submit(std::move(op));
  return promise;
}

void cluster_state::add(const change_cluster& wish, caf::response_promise promise) {
  if (invitations_.size() >= k_invitations_max) {
    return promise.deliver(cluster_change_done{.code = errc::overloaded,
                                               .detail = "too many nodes are being added",
                                               .leader = {},
                                               .term = {}});
  }
  invitations_.push_back({.node = wish.node,
                          .peer = wish.peer,
                          .deadline_ns = now_ns() + wish.timeout_ms * std::uint64_t{1'000'000},
                          .invited = false,
                          .last_reason = fmt::format("no waiting node answers at {}", wish.peer),
                          .promise = std::move(promise)});
  auto& added = invitations_.back();
  const auto members = current_members(*members_, context_);
  const auto known = std::find_if(members.begin(), members.end(),
                                  [&](const auto& member) { return member.node_id == wish.node; });
  if (known != members.end()) {
    cluster_change_done done{.changed = false, .leader = leader_name(), .term = lead_.term};
    if (known->peer != wish.peer) {
      done.code = errc::already_exists;
      done.detail = fmt::format("node {} is a member already, at {}", wish.node, known->peer);
    }
    added.promise.deliver(std::move(done));
    invitations_.pop_back();
    return;
  }
  config_.hub->connect({}, wish.peer);
  tick_invitations();
}

void cluster_state::tick_invitations() {
  for (auto at = invitations_.begin(); at != invitations_.end();) {
    auto& one = *at;
    const auto finish = [&](cluster_change_done done) {
      one.promise.deliver(std::move(done));
      const auto address = std::move(one.peer);
      at = invitations_.erase(at);
      stop_dialling(address);
    };
    const auto members = current_members(*members_, context_);
    const bool is_member = std::any_of(members.begin(), members.end(), [&](const auto& member) {
      return member.node_id == one.node;
    });
    if (is_member) {
      finish({.changed = true, .leader = leader_name(), .term = lead_.term});
      continue;
    }
    if (now_ns() >= one.deadline_ns) {
      finish({.code = one.invited ? errc::outcome_unknown : errc::unavailable,
              .detail = one.last_reason,
              .leader = leader_name(),
              .term = lead_.term});
      continue;
    }
    if (!one.invited && linked_.contains(one.node)) {
      one.invited = true;
      one.last_reason = fmt::format("node {} was told to join but is no member yet", one.node);
      proto::invite_request invite{
          .node_id = one.node, .cluster_id = config_.cluster_id, .peers = {config_.self.peer}};
      requests_.ask(one.node, std::move(invite), false, now_ns(), config_.answer_timeout,
                    [this, node = one.node](const proto::cluster_answer& answer) {
                      if (answer.code == errc::none) return;
                      for (auto& waiting : invitations_) {
                        if (waiting.node != node) continue;
                        waiting.last_reason = fmt::format("node {}: {}", node, answer.detail);
                        waiting.invited = false;
                        if (answer.final) waiting.deadline_ns = 0;
                      }
                    });
    }
    ++at;
  }
}

// --- what others see -----------------------------------------------------------------------------

std::string cluster_state::name_of(raft::node_id number) const {
  const auto* member = context_.by_number(number.value());
  return member == nullptr ? std::string() : member->node_id;
}

cluster_report cluster_state::report() const {
  cluster_report out;
  out.cluster_id = config_.cluster_id;
  out.node = config_.self.node_id;
  out.number = config_.self.number;
  out.leader = leader_name();
  out.term = lead_.term;
  auto members = current_members(*members_, context_);
  if (members.empty()) members.push_back(config_.self);
  std::sort(members.begin(), members.end(),
            [](const auto& a, const auto& b) { return a.node_id < b.node_id; });
  for (const auto& member : members) {
    const raft::node_id number(member.number);
    out.members.push_back(
        {.number = member.number,
         .node = member.node_id,
         .peer = member.peer,
         .http = member.http,
         .grpc = member.grpc,
         .zone = member.zone,
         .role = members_->is_voter(number) ? "voter" : "learner",
         .linked = member.number == config_.self.number || linked_.contains(member.node_id)});
  }
  return out;
}

void cluster_state::publish() {
  config_.view->set(report());
}

}  // namespace cairn::actors
