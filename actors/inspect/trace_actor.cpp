#include "actors/inspect/trace_actor.hpp"

#include "actors/inspect/inspect_question.hpp"
#include "proto/record_codec.hpp"

#include <algorithm>
#include <caf/send.hpp>
#include <fmt/format.h>

namespace cairn::actors {

namespace {

/// What happens after the answer, such as the last acknowledgement, is waited for so long.
constexpr std::uint64_t k_look_ns = 300'000'000;
constexpr std::chrono::milliseconds k_look_again{5};
/// What is left of a question's time for everything but the append.
constexpr std::uint64_t k_rest_ns = 500'000'000;

shared_bytes record_of(std::uint64_t id) {
  const std::string value = fmt::format(R"({{"cairn_trace":"{:016x}"}})", id);
  proto::batch_encoder encoder;
  encoder.append(as_byte_span(value), proto::value_kind::json);
  return encoder.finish().payload;
}

}  // namespace

trace_state::trace_state(caf::event_based_actor* self, trace_actor_config config)
    : self_(self),
      config_(std::move(config)),
      journal_(*config_.env, "trace", config_.log, config_.parent) {}

caf::behavior trace_state::make_behavior() {
  return {
      [this](const trace_question& question) {
        journal_.count();
        take(question);
      },
      [this](const trace_through& way) {
        journal_.count();
        inspect_ = way.inspect;
      },
      [this](const append_outcomes& outcomes) {
        journal_.count();
        appended(outcomes);
      },
      [this](const log_advanced&) { journal_.count(); },
      [this](const trace_alarm& alarm) {
        journal_.count();
        if (open_.contains(alarm.ticket)) look(alarm.ticket);
      },
      [this](describe) {
        journal_.count();
        return journal_.report(self_->id(), self_->mailbox().size(), state_line());
      },
  };
}

void trace_state::take(const trace_question& question) {
  const auto now_ns = config_.env->monotonic_ns();
  const auto ticket = ++last_ticket_;
  if (open_.size() >= k_open_max) {
    return question.asker->done(
        refused_answer(errc::overloaded, fmt::format("{} traces are open already", open_.size())),
        {});
  }
  open_trace& open = open_[ticket];
  open.done = question.asker->done;
  open.give_up_ns = now_ns + std::uint64_t{question.what->deadline_ms()} * 1'000'000;
  const v1::AskTrace& ask = question.what->trace();
  if (ask.index() == 0) return append(ticket);
  open.here = false;
  open.trace.set_index(ask.index());
  open.trace.set_term(ask.term());
  open.look_until_ns = now_ns + k_look_ns;
  look(ticket);
}

// As actor_port does it.
void trace_state::append(std::uint64_t ticket) {
  open_trace& open = open_.at(ticket);
  log_gate& gate = *config_.gate;
  if (const auto closed = gate.closed_reason(); !closed.empty()) {
    return fail(ticket, errc::unavailable, closed);
  }
  auto payload = record_of(config_.env->random_u64());
  if (!gate.admit_append(payload.size())) {
    return fail(ticket, errc::overloaded,
                fmt::format("{} appends with {} bytes wait for the disk already",
                            gate.queued_appends(), gate.queued_bytes()));
  }
  open.ends.node = config_.node_id;
  open.ends.received_ns = config_.env->monotonic_ns();
  const auto left_ns = open.give_up_ns - std::min(open.give_up_ns, open.ends.received_ns);
  append_batch batch{.port = caf::actor{self_}, .items = {}};
  batch.items.push_back(
      {.id = ticket,
       .payload = std::move(payload),
       .record_count = 1,
       .expected_offset = {},
       .deadline_ns = open.ends.received_ns + left_ns - std::min(left_ns / 2, k_rest_ns),
       .received_ns = open.ends.received_ns});
  self_->send(config_.raft, std::move(batch));
}

void trace_state::appended(const append_outcomes& outcomes) {
  const auto now_ns = config_.env->monotonic_ns();
  for (const append_outcome& outcome : outcomes.items) {
    const auto found = open_.find(outcome.id);
    if (found == open_.end()) continue;
    if (outcome.code != errc::none) {
      fail(outcome.id, outcome.code, outcome.detail);
      continue;
    }
    open_trace& open = found->second;
    open.ends.answered_ns = now_ns;
    open.look_until_ns = now_ns + k_look_ns;
    v1::Trace& trace = open.trace;
    trace.set_offset(outcome.offset.value());
    trace.set_index(outcome.index.value());
    trace.set_term(outcome.term.value());
    trace.set_entry_node(config_.node_id);
    trace.set_total_ns(now_ns - open.ends.received_ns);
    trace.set_durable_on(outcomes.durable_on);
    trace.set_replicas(outcomes.replicas);
    look(outcome.id);
  }
}

void trace_state::look(std::uint64_t ticket) {
  const v1::Trace& trace = open_.at(ticket).trace;
  self_
      ->request(config_.raft, std::chrono::seconds(5),
                ask_timeline{log_index(trace.index()), term_id(trace.term())})
      .then([this, ticket](const entry_timeline& timeline) { seen(ticket, timeline); },
            [this, ticket](const caf::error&) {
              fail(ticket, errc::unavailable, "the RaftActor does not answer");
            });
}

void trace_state::seen(std::uint64_t ticket, const entry_timeline& timeline) {
  const auto found = open_.find(ticket);
  if (found == open_.end()) return;
  open_trace& open = found->second;
  if (timeline.code != errc::none) {
    if (!open.here) return fail(ticket, timeline.code, timeline.detail);
    return ask_leader(ticket);
  }
  if (!complete(timeline) && config_.env->monotonic_ns() < open.look_until_ns) {
    self_->delayed_send(self_, k_look_again, trace_alarm{ticket});
    return;
  }
  open.trace.set_leader(config_.node_id);
  add_leader_steps(timeline, config_.node_id, open.trace);
  if (open.here) add_local_ends(open.ends, timeline, open.trace);
  finish(ticket);
}

// The record is stored; without the leader's word the trace has fewer steps.
void trace_state::ask_leader(std::uint64_t ticket) {
  open_trace& open = open_.at(ticket);
  const std::string leader = config_.view->get().leader;
  const auto now_ns = config_.env->monotonic_ns();
  const auto left_ms = (open.give_up_ns - std::min(open.give_up_ns, now_ns)) / 1'000'000;
  const auto merge = [this, ticket, leader](const v1::InspectAnswer* answer,
                                            const std::string& why) {
    const auto still = open_.find(ticket);
    if (still == open_.end()) return;
    v1::Trace& trace = still->second.trace;
    trace.set_leader(leader);
    if (answer != nullptr && answer->has_trace()) {
      *trace.mutable_steps() = answer->trace().steps();
    } else {
      v1::TraceStep& step = *trace.add_steps();
      step.set_node(leader);
      step.set_actor("raft");
      step.set_what(fmt::format("its steps are not known: {}", why));
    }
    add_remote_ends(still->second.ends, leader.empty() ? "the leader" : leader, trace);
    finish(ticket);
  };
  if (!inspect_ || leader.empty() || left_ms == 0) {
    return merge(nullptr, leader.empty() ? "nobody is known to lead" : "no time is left");
  }
  auto question = std::make_shared<v1::InspectRequest>();
  question->set_node(leader);
  question->set_log(config_.log);
  question->set_deadline_ms(static_cast<std::uint32_t>(left_ms - left_ms / 10));
  question->mutable_trace()->set_index(open.trace.index());
  question->mutable_trace()->set_term(open.trace.term());
  self_
      ->request(inspect_, std::chrono::milliseconds(left_ms), inspect_question{std::move(question)})
      .then([merge](const inspect_reply& reply) { merge(reply.what.get(), reply.what->detail()); },
            [merge](const caf::error&) { merge(nullptr, "it did not answer in time"); });
}

void trace_state::finish(std::uint64_t ticket) {
  auto open = open_.extract(ticket);
  ++traced_;
  v1::InspectAnswer answer;
  *answer.mutable_trace() = std::move(open.mapped().trace);
  open.mapped().done(std::move(answer), {});
}

void trace_state::fail(std::uint64_t ticket, errc code, std::string detail) {
  auto open = open_.extract(ticket);
  if (open.empty()) return;
  open.mapped().done(refused_answer(code, std::move(detail)), {});
}

std::string trace_state::state_line() const {
  return fmt::format("{} traces open, {} done", open_.size(), traced_);
}

inspect_handler trace_hook(const caf::actor& tracer) {
  return [tracer](const v1::InspectRequest& what, inspect_done_fn done) {
    caf::anon_send(
        tracer, trace_question{std::make_shared<const v1::InspectRequest>(what),
                               std::make_shared<const trace_asker>(trace_asker{std::move(done)})});
  };
}

}  // namespace cairn::actors
