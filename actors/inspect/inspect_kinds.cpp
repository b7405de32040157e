// What an InspectActor does for each kind of question about its own node.
#include "actors/inspect/inspect_actor.hpp"
#include "actors/inspect/inspect_facts.hpp"
#include "actors/inspect/inspect_question.hpp"
#include "actors/wire/envelope_parts.hpp"

#include <caf/send.hpp>
#include <fmt/format.h>

namespace cairn::actors {

void inspect_state::answer_here(std::uint64_t ticket) {
  auto& open = open_.at(ticket);
  switch (open.what.ask_case()) {
    case v1::InspectRequest::kNodeFacts:
      return node_facts(ticket);
    case v1::InspectRequest::kActors:
      return actors(ticket, open.what.actors());
    case v1::InspectRequest::kMembers:
      return members(ticket);
    case v1::InspectRequest::kRaft:
      return raft(ticket);
    case v1::InspectRequest::kLogState:
      return log_state(ticket);
    case v1::InspectRequest::kEvents:
      return events(ticket, open);
    case v1::InspectRequest::kMetrics:
      return hook(ticket, config_.hooks.metrics, "metrics");
    case v1::InspectRequest::kTrace:
      if (needs_log(ticket)) return;
      return hook(ticket, config_.hooks.trace, "trace");
    case v1::InspectRequest::kLogLevel:
      return hook(ticket, config_.hooks.log_level, "log levels");
    case v1::InspectRequest::kRecorder:
      if (needs_log(ticket)) return;
      return hook(ticket, config_.hooks.recorder, "recorder");
    case v1::InspectRequest::ASK_NOT_SET:
      break;
  }
  fail(ticket, errc::unsupported, "this node does not know what is asked");
}

bool inspect_state::needs_log(std::uint64_t ticket) {
  const auto& log = open_.at(ticket).what.log();
  if (!log.empty() && log != config_.log) {
    fail(ticket, errc::not_found, fmt::format("there is no log '{}'", wire::clean_text(log)));
    return true;
  }
  if (config_.raft) return false;
  fail(ticket, errc::unavailable, not_member());
  return true;
}

template <class Report, class Ask, class Then>
void inspect_state::ask_actor(std::uint64_t ticket, const caf::actor& whom, const char* kind,
                              Ask what, Then then) {
  open_.at(ticket).waits_for = kind;
  // Ahead of its other work, so that a busy node still says what it is busy with.
  self_->request<caf::message_priority::high>(whom, caf::infinite, std::move(what))
      .then([this, ticket, then](Report& report) { finish(ticket, then(report)); },
            [this, ticket, kind](const caf::error& why) {
              fail(ticket, errc::unavailable,
                   fmt::format("{} has ended: {}", kind, caf::to_string(why)));
            });
}

// --- known here ----------------------------------------------------------------------------------

void inspect_state::node_facts(std::uint64_t ticket) {
  answer what;
  auto& facts = *what.mutable_node_facts();
  if (config_.hooks.node_facts) config_.hooks.node_facts(facts);
  facts.set_node(config_.node_id);
  facts.set_cluster_id(config_.cluster_id);
  facts.set_now_ms(config_.env->now_ms());
  if (!config_.raft) facts.add_unready(not_member());
  if (config_.gate) {
    for (auto& why : config_.gate->unready_reasons(now_ns()))
      facts.add_unready(std::move(why));
  }
  if (auto why = config_.cluster ? config_.cluster->unready() : std::string(); !why.empty()) {
    facts.add_unready(std::move(why));
  }
  for (const auto& [node, link] : links_) {
    auto& one = *facts.add_links();
    one.set_node(wire::clean_text(node));
    one.set_up(link.up);
    one.set_address(link.address);
    one.set_since_ms(link.since_ms);
  }
  finish(ticket, std::move(what));
}

void inspect_state::members(std::uint64_t ticket) {
  answer what;
  const auto gossip =
      config_.membership ? config_.membership->get() : std::make_shared<const membership_report>();
  fill_members(*cluster(), *gossip, config_.self, *what.mutable_members());
  finish(ticket, std::move(what));
}

void inspect_state::events(std::uint64_t ticket, open_question& question) {
  if (!config_.events) return fail(ticket, errc::unsupported, "this node keeps no events");
  const auto& ask = question.what.events();
  answer what;
  auto& page = *what.mutable_events();
  fill_events(*config_.events, ask.after(), ask.limit(), page);
  // An id that is yet to come is of an earlier run of this node: the asker has to begin anew.
  const bool other_run = ask.after() > config_.events->last_id();
  if (!page.events().empty() || page.lost() > 0 || ask.wait_ms() == 0 || other_run) {
    return finish(ticket, std::move(what));
  }
  if (question.waits_for_events) return;
  if (waiting_ >= k_waiting_max) {
    ++overloaded_;
    return fail(ticket, errc::overloaded,
                fmt::format("{} questions wait for events already", waiting_));
  }
  ++waiting_;
  question.waits_for_events = true;
  question.give_up_ns = now_ns() + std::uint64_t{ask.wait_ms()} * 1'000'000;
  arm(question.give_up_ns);
  wake_wanted_->store(true);
  // One may have come before the flag was up.
  if (config_.events->last_id() > ask.after()) self_->send(self_, inspect_wake{});
}

void inspect_state::wake_events() {
  if (waiting_ == 0) return;
  wake_wanted_->store(true);
  std::vector<std::uint64_t> tickets;
  for (const auto& [ticket, question] : open_)
    if (question.waits_for_events) tickets.push_back(ticket);
  for (const auto ticket : tickets)
    events(ticket, open_.at(ticket));
}

// --- known to others -----------------------------------------------------------------------------

void inspect_state::actors(std::uint64_t ticket, const v1::AskActors& ask) {
  if (!config_.node) return fail(ticket, errc::unavailable, not_member());
  ask_actor<actor_list>(ticket, config_.node, "the NodeActor", list_actors{ask.actor()},
                        [after = ask.after()](actor_list& list) {
                          if (list.code != errc::none) {
                            return refused_answer(list.code, list.detail);
                          }
                          answer what;
                          fill_actors(list.actors, after, *what.mutable_actors());
                          return what;
                        });
}

void inspect_state::raft(std::uint64_t ticket) {
  if (needs_log(ticket)) return;
  ask_actor<raft_report>(ticket, config_.raft, "the RaftActor", ask_raft{},
                         [this](const raft_report& report) {
                           answer what;
                           auto& state = *what.mutable_raft();
                           state.set_log(config_.log);
                           fill_raft(report, *cluster(), config_.gate.get(), now_ns(), state);
                           if (state.node().empty()) state.set_node(config_.node_id);
                           return what;
                         });
}

void inspect_state::log_state(std::uint64_t ticket) {
  if (needs_log(ticket)) return;
  ask_actor<log_report>(ticket, config_.raft, "the log", ask_log{},
                        [this](const log_report& report) {
                          answer what;
                          auto& state = *what.mutable_log_state();
                          state = config_.log_limits;
                          state.set_log(config_.log);
                          fill_log(report, config_.segments.get(), state);
                          return what;
                        });
}

void inspect_state::hook(std::uint64_t ticket, const inspect_handler& handler, const char* what) {
  if (!handler) {
    return fail(ticket, errc::unsupported, fmt::format("{}: this node does not tell", what));
  }
  auto& open = open_.at(ticket);
  open.waits_for = what;
  const auto question = open.what;
  handler(question, [weak = caf::actor_cast<caf::actor_addr>(self_), ticket](answer done,
                                                                             shared_bytes body) {
    const auto who = caf::actor_cast<caf::actor>(weak);
    if (!who) return;
    caf::anon_send(
        who,
        inspect_done{.ticket = ticket,
                     .reply = {.what = std::make_shared<const v1::InspectAnswer>(std::move(done)),
                               .body = std::move(body)}});
  });
}

}  // namespace cairn::actors
