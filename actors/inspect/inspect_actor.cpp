#include "actors/inspect/inspect_actor.hpp"

#include "actors/inspect/inspect_question.hpp"
#include "actors/wire/envelope_parts.hpp"
#include "storage/base/log_line.hpp"

#include <algorithm>
#include <caf/send.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cairn::actors {

inspect_state::inspect_state(caf::event_based_actor* self, inspect_actor_config config)
    : self_(self),
      config_(std::move(config)),
      journal_(*config_.env, "inspect", "inspect", config_.parent) {}

inspect_state::~inspect_state() {
  if (listener_ != 0) config_.events->unlisten(listener_);
}

caf::behavior inspect_state::make_behavior() {
  const auto me = caf::actor_cast<caf::actor>(self_);
  if (config_.hub != nullptr) {
    config_.hub->route(peer_kind::inspect, {}, me);
    config_.hub->route(peer_kind::inspect_answer, {}, me);
    config_.hub->watch(me);
  }
  if (config_.events) {
    listener_ = config_.events->listen(
        [weak = caf::actor_cast<caf::actor_addr>(self_), wanted = wake_wanted_] {
          if (!wanted->exchange(false)) return;
          if (const auto who = caf::actor_cast<caf::actor>(weak)) {
            caf::anon_send(who, inspect_wake{});
          }
        });
  }
  return {
      [this](const inspect_question& question) -> caf::result<inspect_reply> {
        const auto busy = journal_.enter();
        asker from;
        from.promise = self_->make_response_promise();
        auto promise = from.promise;
        take(*question.what, std::move(from));
        return promise;
      },
      [this](const peer_envelope& envelope) {
        const auto busy = journal_.enter();
        receive(envelope);
      },
      [this](const link_changed& change) {
        const auto busy = journal_.enter();
        link_told(change);
      },
      [this](const inspect_done& done) {
        const auto busy = journal_.enter();
        finish(done.ticket, *done.reply.what, done.reply.body);
      },
      [this](inspect_wake) {
        const auto busy = journal_.enter();
        wake_events();
      },
      [this](const inspect_alarm& rung) {
        const auto busy = journal_.enter();
        alarm(rung.generation);
      },
      [this](describe) {
        const auto busy = journal_.enter();
        return journal_.report(self_->id(), self_->mailbox().size(), state_line());
      },
  };
}

// --- other nodes ---------------------------------------------------------------------------------

void inspect_state::receive(const peer_envelope& envelope) {
  // A console belongs to no cluster; neither does a node that waits to join.
  const bool stranger = !envelope.cluster_id.empty() && !config_.cluster_id.empty() &&
                        envelope.cluster_id != config_.cluster_id;
  if (stranger) return refuse(envelope, "it is of another cluster");
  if (envelope.kind == peer_kind::inspect_answer) return receive_answer(envelope);
  auto question = decode_question(envelope.head);
  if (!question) return refuse(envelope, question.error().detail);
  asker from;
  from.node = envelope.sender;
  from.id = question->id();
  take(*std::move(question), std::move(from));
}

void inspect_state::receive_answer(const peer_envelope& envelope) {
  auto got = decode_answer(envelope.head);
  if (!got) return refuse(envelope, got.error().detail);
  const auto found = open_.find(got->id());
  if (found == open_.end()) {
    ++late_;
    return;
  }
  // Only whoever was asked may answer.
  if (found->second.passed_to != envelope.sender) {
    return refuse(envelope, "it answers what was asked of another node");
  }
  finish(found->first, *std::move(got), envelope.body);
}

// One line a power of two: a bad peer must not fill the disk.
void inspect_state::refuse(const peer_envelope& envelope, const std::string& why) {
  ++refused_;
  if ((refused_ & (refused_ - 1)) != 0) return;
  const auto text = fmt::format("an envelope of {} was dropped: {} ({} so far)",
                                wire::clean_text(envelope.sender), wire::clean_text(why), refused_);
  journal_.note(text);
  log_warning(log_component::inspect)
      .sparsely()
      .field("peer", wire::clean_text(envelope.sender))
      .say("{}. It is left out. See that all nodes and consoles run the same version.", text);
}

void inspect_state::link_told(const link_changed& change) {
  auto& known = links_[change.node];
  known.up = change.up;
  known.since_ms = config_.env->now_ms();
  if (!change.address.empty()) known.address = change.address;
  if (change.up) return;
  // Whoever may dial us can call itself anything: only so many that are gone are remembered.
  if (links_.size() > k_links_max) links_.erase(change.node);
  std::vector<std::uint64_t> lost;
  for (const auto& [ticket, question] : open_)
    if (question.passed_to == change.node) lost.push_back(ticket);
  for (const auto ticket : lost)
    fail(ticket, errc::unavailable, fmt::format("the link to node {} was lost", change.node));
}

// --- a question's way ----------------------------------------------------------------------------

void inspect_state::take(v1::InspectRequest question, asker from) {
  if (const auto checked = check_question(question); !checked) {
    return deliver(from, refused_answer(checked.code(), checked.error().detail), {});
  }
  if (open_.size() - waiting_ >= k_open_max) {
    ++overloaded_;
    return deliver(from,
                   refused_answer(errc::overloaded,
                                  fmt::format("{} questions are open already", open_.size())),
                   {});
  }
  const auto ticket = ++last_ticket_;
  auto& open = open_[ticket];
  open.from = std::move(from);
  open.give_up_ns = now_ns() + std::uint64_t{question.deadline_ms()} * 1'000'000;
  open.what = std::move(question);
  const auto give_up_ns = open.give_up_ns;
  const auto& node = open.what.node();
  if (node.empty() || node == config_.node_id) {
    answer_here(ticket);
  } else {
    pass_on(ticket);
  }
  if (open_.contains(ticket)) arm(give_up_ns);
}

void inspect_state::pass_on(std::uint64_t ticket) {
  auto& open = open_.at(ticket);
  const auto node = open.what.node();
  if (open.what.forwarded()) {
    return fail(ticket, errc::not_found,
                fmt::format("the question is for node {}, this is {}, and it has been passed on "
                            "once already",
                            wire::clean_text(node), config_.node_id));
  }
  const auto link = links_.find(node);
  const bool up = link != links_.end() && link->second.up;
  const auto group = cluster();
  const bool member = std::any_of(group->members.begin(), group->members.end(),
                                  [&](const auto& one) { return one.node == node; });
  if (!member && !up) {
    return fail(ticket, errc::not_found,
                fmt::format("there is no node '{}'; {}", wire::clean_text(node), members_line()));
  }
  auto question = open.what;
  question.set_id(ticket);
  question.set_forwarded(true);
  auto bytes = shared_bytes::copy_of(as_byte_span(question.SerializeAsString()));
  const bool sent = config_.hub != nullptr && config_.hub->send(node, peer_lane::control,
                                                                {.cluster_id = config_.cluster_id,
                                                                 .sender = {},
                                                                 .log = {},
                                                                 .kind = peer_kind::inspect,
                                                                 .head = std::move(bytes),
                                                                 .body = {}});
  if (!sent) {
    return fail(ticket, errc::unavailable,
                fmt::format("node {} is not linked to node {}", config_.node_id, node));
  }
  ++passed_on_;
  open.passed_to = node;
}

void inspect_state::finish(std::uint64_t ticket, answer what, shared_bytes body) {
  const auto found = open_.find(ticket);
  if (found == open_.end()) {
    ++late_;
    return;
  }
  const auto question = std::move(found->second);
  open_.erase(found);
  if (question.waits_for_events) --waiting_;
  if (question.passed_to.empty()) {
    what.set_node(config_.node_id);
  } else {
    what.set_node(question.passed_to);  // it has said so by its link, not by a text
  }
  ++answered_;
  deliver(question.from, std::move(what), std::move(body));
}

void inspect_state::fail(std::uint64_t ticket, errc code, std::string detail) {
  finish(ticket, refused_answer(code, std::move(detail)));
}

void inspect_state::deliver(const asker& to, answer what, shared_bytes body) {
  if (what.node().empty()) what.set_node(config_.node_id);
  what.set_id(to.id);
  if (!to.node.empty()) {
    cut_to_fit(what, k_inspect_answer_bytes_max);
    return send_answer(to, what, std::move(body));
  }
  cut_to_fit(what, k_inspect_local_bytes_max);
  auto promise = to.promise;
  promise.deliver(inspect_reply{.what = std::make_shared<const v1::InspectAnswer>(std::move(what)),
                                .body = std::move(body)});
}

void inspect_state::send_answer(const asker& to, const answer& what, shared_bytes body) {
  const auto send = [&](const answer& said, shared_bytes bytes) {
    auto head = shared_bytes::copy_of(as_byte_span(said.SerializeAsString()));
    const auto size = head.size() + bytes.size();
    const auto lane = size <= k_inspect_control_bytes_max ? peer_lane::control : peer_lane::bulk;
    const bool sent = config_.hub->send(to.node, lane,
                                        {.cluster_id = config_.cluster_id,
                                         .sender = {},
                                         .log = {},
                                         .kind = peer_kind::inspect_answer,
                                         .head = std::move(head),
                                         .body = std::move(bytes)});
    return sent ? 0 : size;
  };
  const auto unsent = send(what, std::move(body));
  if (unsent == 0) return;
  // Too much waits for the asker, or this alone is too much: it shall not wait for its deadline. A
  // link that is gone takes this as little, and needs no answer any more.
  auto instead = refused_answer(
      errc::overloaded,
      fmt::format("the answer of {} has {} bytes, and that is more than may wait on the link to {} "
                  "now: ask for less, or {} itself",
                  config_.node_id, unsent, to.node, config_.node_id));
  instead.set_id(what.id());
  instead.set_node(what.node());
  (void)send(instead, {});
}

// --- time ----------------------------------------------------------------------------------------

void inspect_state::alarm(std::uint64_t generation) {
  if (generation != alarm_generation_) return;
  alarm_ns_ = 0;
  const auto now = now_ns();
  std::vector<std::uint64_t> over;
  std::uint64_t next_ns = UINT64_MAX;
  for (const auto& [ticket, question] : open_) {
    if (question.give_up_ns <= now) {
      over.push_back(ticket);
    } else {
      next_ns = std::min(next_ns, question.give_up_ns);
    }
  }
  for (const auto ticket : over) {
    auto& question = open_.at(ticket);
    if (question.waits_for_events) {
      question.what.mutable_events()->set_wait_ms(0);
      events(ticket, question);
    } else if (!question.passed_to.empty()) {
      fail(ticket, errc::unavailable,
           fmt::format("node {} did not answer within {} ms", question.passed_to,
                       question.what.deadline_ms()));
    } else {
      fail(ticket, errc::unavailable,
           fmt::format("{} did not answer within {} ms", question.waits_for,
                       question.what.deadline_ms()));
    }
  }
  if (next_ns != UINT64_MAX) arm(next_ns);
}

// One alarm at a time is enough: if it goes off too early, it is set again.
void inspect_state::arm(std::uint64_t at_ns) {
  if (alarm_ns_ != 0 && alarm_ns_ <= at_ns) return;
  constexpr std::uint64_t k_alarm_ns_min = 1'000'000;
  const auto now = now_ns();
  const auto after_ns = std::max(k_alarm_ns_min, at_ns > now ? at_ns - now : 0);
  alarm_ns_ = now + after_ns;
  self_->delayed_send(self_, std::chrono::nanoseconds(after_ns),
                      inspect_alarm{++alarm_generation_});
}

// --- what is known -------------------------------------------------------------------------------

std::shared_ptr<const cluster_report> inspect_state::cluster() const {
  if (config_.cluster) return config_.cluster->get();
  return std::make_shared<const cluster_report>();
}

std::string inspect_state::not_member() const {
  if (config_.not_member) return config_.not_member();
  return fmt::format("node {} is not a member of a cluster yet", config_.node_id);
}

std::string inspect_state::members_line() const {
  const auto group = cluster();
  if (group->members.empty())
    return fmt::format("this is {}, which knows no other", config_.node_id);
  std::vector<std::string> names;
  for (const auto& member : group->members)
    names.push_back(member.node);
  return fmt::format("there are {}", fmt::join(names, ", "));
}

std::string inspect_state::state_line() const {
  return fmt::format(
      "{} questions open, {} of them wait for events; {} answered, {} passed on, {} refused as too "
      "many, {} answers too late, {} bad envelopes",
      open_.size(), waiting_, answered_, passed_on_, overloaded_, late_, refused_);
}

}  // namespace cairn::actors
