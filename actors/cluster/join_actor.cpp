#include "actors/cluster/join_actor.hpp"

#include "actors/wire/envelope_parts.hpp"
#include "storage/base/log_line.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cairn::actors {

join_state::join_state(caf::event_based_actor* self, join_actor_config config)
    : self_(self),
      config_(std::move(config)),
      journal_(*config_.env, "join", "join", config_.parent),
      requests_(*config_.hub) {}

caf::behavior join_state::make_behavior() {
  auto& hub = *config_.hub;
  const auto me = caf::actor_cast<caf::actor>(self_);
  hub.route(peer_kind::request, {}, me);
  hub.route(peer_kind::answer, {}, me);
  hub.watch(me);
  for (const auto& address : config_.addresses)
    hub.connect({}, address);
  progress(config_.addresses.empty()
               ? fmt::format("waiting to be added: cairn cluster add {} {}", config_.self.node_id,
                             config_.self.peer)
               : fmt::format("no member answers at {}", fmt::join(config_.addresses, ", ")));
  self_->delayed_send(self_, config_.tick, cluster_tick{});
  return {
      [this](cluster_tick) {
        const auto busy = journal_.enter();
        if (done_) return;
        tick();
        self_->delayed_send(self_, config_.tick, cluster_tick{});
      },
      [this](const link_changed& link) {
        const auto busy = journal_.enter();
        if (link.up) {
          if (linked_.insert(link.node).second) to_ask_.push_front(link.node);
        } else {
          linked_.erase(link.node);
          requests_.link_down(link.node);
        }
      },
      [this](const peer_envelope& envelope) {
        const auto busy = journal_.enter();
        if (envelope.kind == peer_kind::answer) {
          requests_.receive(envelope);
        } else {
          asked(envelope);
        }
      },
      [this](describe) {
        const auto busy = journal_.enter();
        return journal_.report(self_->id(), self_->mailbox().size(), progress_);
      },
  };
}

void join_state::tick() {
  requests_.tick(now_ns());
  if (asking_) return;
  while (!to_ask_.empty()) {
    const auto node = std::move(to_ask_.front());
    to_ask_.pop_front();
    if (linked_.contains(node)) return announce(node);
  }
  if (now_ns() < next_round_ns_) return;
  next_round_ns_ =
      now_ns() + static_cast<std::uint64_t>(std::chrono::nanoseconds(config_.pause).count());
  to_ask_.assign(linked_.begin(), linked_.end());
}

void join_state::announce(const std::string& node) {
  asking_ = true;
  progress(fmt::format("asking node {} to be let in", node));
  requests_.ask(node, proto::announce_request{.node = config_.self, .cluster_id = {}}, false,
                now_ns(), config_.answer_timeout,
                [this, node](const proto::cluster_answer& answer) { answered(node, answer); });
}

void join_state::answered(const std::string& node, const proto::cluster_answer& answer) {
  asking_ = false;
  if (done_) return;
  if (answer.code == errc::none && answer.number != 0 && !answer.cluster_id.empty()) {
    return finish({.code = errc::none,
                   .detail = {},
                   .cluster_id = answer.cluster_id,
                   .number = answer.number});
  }
  const auto why = answer.code == errc::none ? "its answer makes no sense" : answer.detail;
  journal_.note(fmt::format("{}: {}", node, why));
  if (answer.final) {
    return finish({.code = answer.code, .detail = why, .cluster_id = {}, .number = 0});
  }
  progress(fmt::format("node {} cannot let this one in now: {}", node, why));
}

void join_state::asked(const peer_envelope& envelope) {
  const auto request = proto::decode_cluster_request(envelope.head.span());
  if (!request) return;
  proto::cluster_answer answer;
  answer.id = request->id;
  const auto* invite = std::get_if<proto::invite_request>(&request->ask);
  if (invite == nullptr) {
    answer.code = errc::unavailable;
    answer.detail = fmt::format("node {} is no member itself yet", config_.self.node_id);
  } else if (invite->node_id != config_.self.node_id) {
    answer.code = errc::invalid_argument;
    answer.detail = fmt::format("this is node {}", config_.self.node_id);
    answer.final = true;
  } else {
    // Whoever knows the way to this port may say so as often as it likes: once is enough.
    const bool first = std::find(to_ask_.begin(), to_ask_.end(), envelope.sender) == to_ask_.end();
    if (first) {
      const auto sender = wire::clean_text(envelope.sender);
      log_info(log_component::cluster).field("peer", sender).say("invited by node {}", sender);
      to_ask_.push_front(envelope.sender);
      linked_.insert(envelope.sender);
    }
  }
  requests_.answer(envelope.sender, std::move(answer));
}

void join_state::progress(const std::string& what) {
  if (what == progress_) return;
  // Rounds repeat themselves; one line of each kind is enough for people.
  if (what.starts_with("asking")) {
    log_debug(log_component::cluster).say("joining: {}", what);
  } else {
    log_info(log_component::cluster).sparsely().say("joining: {}", what);
    journal_.note(what);
    progress_ = what;
    if (config_.on_progress) config_.on_progress(what);
  }
}

void join_state::finish(const joined& outcome) {
  done_ = true;
  const auto nobody = caf::actor{};
  config_.hub->route(peer_kind::request, {}, nobody);
  config_.hub->route(peer_kind::answer, {}, nobody);
  for (const auto& address : config_.addresses)
    config_.hub->forget(address);
  if (config_.on_done) config_.on_done(outcome);
  self_->quit();
}

}  // namespace cairn::actors
