#include "actors/node_actor.hpp"

#include "storage/base/log_line.hpp"

#include <fmt/format.h>

namespace cairn::actors {

namespace {

/// The node cannot work without these; segments are restarted by their log, ports come and go.
bool must_live(const std::string& kind) {
  return kind == "log" || kind == "raft" || kind == "cluster" || kind == "reader" ||
         kind == "maintenance";
}

}  // namespace

node_state::node_state(caf::event_based_actor* self, node_actor_config config)
    : self_(self), config_(std::move(config)), journal_(*config_.env, "node", config_.node_id, 0) {}

caf::behavior node_state::make_behavior() {
  self_->set_down_handler([this](const caf::down_msg& message) { down(message); });
  self_->set_exit_handler([this](const caf::exit_msg& end) {
    ending_ = true;
    self_->quit(end.reason);
  });
  journal_.note("started");
  return {
      [this](const actor_started& facts) { started(facts); },
      [this](const actor_stopped& stopped) {
        const auto busy = journal_.enter();
        actors_.erase(stopped.id);
      },
      [this](const list_actors& request) { return list(request); },
      [this](const list_alarm& alarm) { finish(alarm.list); },
      [this](const log_fenced& fenced) {
        const auto busy = journal_.enter();
        fatal(fenced.reason);
      },
      [this](describe) {
        const auto busy = journal_.enter();
        return own_report();
      },
  };
}

void node_state::started(const actor_started& facts) {
  const auto busy = journal_.enter();
  self_->monitor(facts.who);
  // Ten thousand segments at a start would push out everything else.
  if (facts.kind != "segment") journal_.note(fmt::format("{} {} started", facts.kind, facts.name));
  actors_.insert_or_assign(facts.who.id(), known_actor{facts.who, facts});
}

void node_state::down(const caf::down_msg& message) {
  const auto found = actors_.find(message.source.id());
  if (found == actors_.end()) return;
  const auto facts = std::move(found->second.facts);
  actors_.erase(found);
  if (!message.reason || message.reason == caf::exit_reason::user_shutdown) return;
  journal_.note(
      fmt::format("{} {} ended: {}", facts.kind, facts.name, caf::to_string(message.reason)));
  if (must_live(facts.kind)) {
    fatal(fmt::format("{} {} ended: {}", facts.kind, facts.name, caf::to_string(message.reason)));
  }
}

void node_state::fatal(const std::string& reason) {
  if (ending_) return;
  ending_ = true;
  journal_.note("the node must end: " + reason);
  if (config_.events) {
    config_.events->add(event_kind::fault, event_severity::error, "node " + config_.node_id,
                        "this node must end: " + reason, {{"reason", reason}});
  }
  log_critical(log_component::node).say("the node must end: {}", reason);
  if (config_.on_fatal) config_.on_fatal(reason);
}

// --- describing ----------------------------------------------------------------------------------

actor_report node_state::own_report() {
  return journal_.report(
      self_->id(), self_->mailbox().size(),
      fmt::format("{}, {} actors", ending_ ? "ending" : "running", actors_.size() + 1));
}

caf::result<actor_list> node_state::list(const list_actors& request) {
  const auto busy = journal_.enter();
  actor_list answer;
  if (request.actor == self_->id()) {
    answer.actors.push_back(own_report());
    return answer;
  }
  const auto one = actors_.find(request.actor);
  if (request.actor != 0 && one == actors_.end()) {
    answer.code = errc::not_found;
    answer.detail = fmt::format("there is no actor {} (any more)", request.actor);
    return answer;
  }
  const auto promise = self_->make_response_promise();
  if (request.actor == 0 && full_gathering_ != 0) {
    gatherings_[full_gathering_].promises.push_back(promise);
    return promise;
  }
  const auto id = next_gathering_++;
  auto& gathering = gatherings_[id];
  gathering.promises.push_back(promise);
  gathering.with_events = request.actor != 0;
  if (request.actor == 0) full_gathering_ = id;
  if (request.actor == 0) {
    gathering.reports.emplace(self_->id(), own_report());
    gathering.missing = actors_.size();
    for (const auto& [actor_id, actor] : actors_)
      ask(id, actor_id, actor);
  } else {
    gathering.missing = 1;
    ask(id, one->first, one->second);
  }
  if (gathering.missing == 0) {
    finish(id);
  } else {
    self_->delayed_send(self_, config_.list_timeout, list_alarm{id});
  }
  return promise;
}

void node_state::ask(std::uint64_t gathering_id, std::uint64_t actor_id, const known_actor& actor) {
  auto& placeholder = gatherings_[gathering_id].reports[actor_id];
  placeholder.id = actor_id;
  placeholder.kind = actor.facts.kind;
  placeholder.name = actor.facts.name;
  placeholder.parent = actor.facts.parent;
  placeholder.state = fmt::format("busy: no answer within {} ms", config_.list_timeout.count());
  // Ahead of its other work, so that a busy actor still says what it is busy with, and how much
  // waits.
  self_->request<caf::message_priority::high>(actor.who, caf::infinite, describe{})
      .then(
          [this, gathering_id, actor_id](actor_report& report) {
            const auto busy = journal_.enter();
            const auto found = gatherings_.find(gathering_id);
            if (found == gatherings_.end()) return;  // too late
            found->second.reports[actor_id] = std::move(report);
            received(gathering_id);
          },
          [this, gathering_id, actor_id](const caf::error&) {
            const auto found = gatherings_.find(gathering_id);
            if (found == gatherings_.end()) return;
            found->second.reports.erase(actor_id);  // it has ended
            received(gathering_id);
          });
}

void node_state::received(std::uint64_t gathering_id) {
  if (--gatherings_[gathering_id].missing == 0) finish(gathering_id);
}

void node_state::finish(std::uint64_t gathering_id) {
  const auto found = gatherings_.find(gathering_id);
  if (found == gatherings_.end()) return;  // done before its alarm
  pending_list gathering = std::move(found->second);
  gatherings_.erase(found);
  if (gathering_id == full_gathering_) full_gathering_ = 0;
  actor_list answer;
  answer.actors.reserve(gathering.reports.size());
  for (auto& [id, report] : gathering.reports) {
    if (!gathering.with_events) report.events.clear();
    answer.actors.push_back(std::move(report));
  }
  if (answer.actors.empty()) {
    answer.code = errc::not_found;
    answer.detail = "the actor has just ended";
  }
  for (auto& promise : gathering.promises)
    promise.deliver(answer);
}

}  // namespace cairn::actors
