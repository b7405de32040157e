#include "actors/raft_actor.hpp"

#include "storage/base/log_line.hpp"

#include <algorithm>
#include <caf/send.hpp>
#include <fmt/format.h>

namespace cairn::actors {
raft_state::raft_state(caf::event_based_actor* self, raft_actor_config config)
    : self_(self),
      config_(std::move(config)),
      journal_(*config_.env, "raft", config_.log_name, config_.parent),
      replica_(config_.replica, config_.boot, *config_.random),
      chronicle_(*config_.env, config_.events, peers_, config_.log_name, config_.replica.core.self,
                 config_.node_id),
      times_(config_.observer->times()) {
  replica_.set_time({config_.env->monotonic_ns(), config_.env->now_ms()});
  members_ = std::make_shared<const raft::configuration>(replica_.members());
  peers_.update(*members_);
}

caf::behavior raft_state::make_behavior() {
  journal_.own_thread();
  self_->monitor(config_.log);
  self_->set_down_handler([this](const caf::down_msg& message) { down(message); });
  self_->set_exit_handler([this](const caf::exit_msg& end) { self_->quit(end.reason); });
  self_->send(config_.log, attach_raft{caf::actor{self_}});
  if (config_.hub != nullptr) {
    const caf::actor me{self_};
    config_.hub->route(peer_kind::raft, config_.log_name, me);
    config_.hub->route(peer_kind::append, config_.log_name, me);
    config_.hub->route(peer_kind::append_outcomes, config_.log_name, me);
    config_.hub->watch(me);
  }
  next_tick_ = self_->clock().now();
  schedule_tick();
  flush();  // what the replica wants at its start, before anybody can ask what is there
  return client_handlers()
      .or_else(storage_handlers())
      .or_else(group_handlers())
      .or_else(times_handlers())
      .or_else(peer_handlers());
}

// --- what comes in -------------------------------------------------------------------------------

// Before every input: the time it is judged by, and one flush for all that is in the mailbox.
void raft_state::entered() {
  journal_.count();
  now_ns_ = config_.env->monotonic_ns();
  replica_.set_time({now_ns_, config_.env->now_ms()});
  if (flush_queued_) return;
  flush_queued_ = true;
  self_->send(self_, flush_group{});
}

caf::message_handler raft_state::client_handlers() {
  return {
      [this](append_batch& batch) {
        entered();
        replica_.append(token_of(batch.port), std::move(batch.items));
      },
      [this](const await_commit& request) {
        entered();
        replica_.await(token_of(request.port), request.beyond);
      },
      [this](const read_barrier& request) -> caf::result<barrier_passed> {
        entered();
        auto promise = self_->make_response_promise<barrier_passed>();
        barriers_.emplace(++last_request_, promise);
        replica_.barrier(self_->id(), last_request_, request.deadline_ns);
        return promise;
      },
      [this](ask_log) { return self_->delegate(config_.log, ask_log{}); },
      [this](close_log) { return close(); },
      [this](describe) {
        journal_.count();
        return journal_.report(self_->id(), self_->mailbox().size(), state_line());
      },
      [this](flush_group) { flush(); },
      [this](raft_tick) { tick(); },
  };
}

caf::message_handler raft_state::storage_handlers() {
  return {
      [this](const persisted& done) {
        entered();
        time_written(done);
        replica_.persisted(done.ticket, done.code, done.detail,
                           {done.room_bytes, done.room_frames});
      },
      [this](const room_reserved& room) {
        entered();
        replica_.room_reserved(room.code, room.detail, {room.room_bytes, room.room_frames});
      },
      [this](loaded& read) {
        entered();
        if (read.code != errc::none) report_failed_load(read);
        replica_.loaded(read.peer, read.request, std::move(read.entries));
      },
      [this](const log_trimmed& trimmed) {
        entered();
        replica_.log_trimmed(trimmed.start.index, trimmed.start_offset, trimmed.start_timestamp_ms);
      },
      [this](const sessions_saved& saved) {
        entered();
        replica_.checkpointed(saved.code);
      },
      [this](sessions_wanted) {
        entered();
        replica_.want_checkpoint();
      },
  };
}

caf::message_handler raft_state::group_handlers() {
  return {
      [this](const watch_raft& request) {
        journal_.count();
        watchers_.push_back(request.who);
        self_->send(request.who, changed());
      },
      [this](const change_members& wanted) { return change(wanted); },
      [this](const transfer_lead& wanted) { return transfer(wanted); },
      [this](ask_raft) {
        journal_.count();
        return report();
      },
  };
}

void raft_state::tick() {
  entered();
  replica_.tick();
  chronicle_.backpressure(config_.gate->refused_appends(), config_.gate->queued_bytes(),
                          config_.gate->queued_bytes_max());
  config_.view->set_report(std::make_shared<const raft_report>(report()));
  if (closing_ && !log_closing_ && config_.env->monotonic_ns() >= close_by_ns_) {
    replica_.abandon("the node is shutting down");
  }
  schedule_tick();
}

// Ticks that were missed are not made up for: a node that did not run must not count the time of
// others.
void raft_state::schedule_tick() {
  const std::chrono::nanoseconds length(config_.replica.tick_ns);
  next_tick_ = std::max(next_tick_, self_->clock().now() - length) + length;
  self_->scheduled_send<caf::message_priority::high>(self_, next_tick_, raft_tick{});
}

client_token raft_state::token_of(const caf::actor& port) {
  const auto [known, added] = ports_.try_emplace(port.id(), port.address());
  if (added) self_->monitor(port);
  return known->first;
}

void raft_state::down(const caf::down_msg& message) {
  if (message.source == config_.log.address()) {
    self_->quit(message.reason ? message.reason : caf::exit_reason::user_shutdown);
    return;
  }
  if (ports_.erase(message.source.id()) > 0) replica_.forget(message.source.id());
}

// --- what goes out -------------------------------------------------------------------------------

void raft_state::flush() {
  flush_queued_ = false;
  now_ns_ = config_.env->monotonic_ns();
  replica_.set_time({now_ns_, config_.env->now_ms()});
  replica_effects out = replica_.take();
  time_taken(out, now_ns_);
  carry_out(out);
  count_sessions();
  report_fence();
  finish_close();
}

void raft_state::carry_out(replica_effects& out) {
  if (!publish(out)) return;
  if (out.persist) {
    ++groups_;
    self_->send(config_.log, persist{std::move(out.persist)});
  }
  if (out.checkpoint) save(*out.checkpoint);
  time_sent(out.messages);
  send_messages(out.messages);
  send_appends(out.appends);
  send_outcomes(out.remote_outcomes);
  answer_clients(out);
  time_answered(out);
  if (out.reserve_bytes) self_->send(config_.log, reserve_room{*out.reserve_bytes});
  for (const raft::load_request& load : out.loads)
    self_->send(config_.log, load_entries{load});
  answer_requests(out);
  take_notices(out.notices);
  take_changes(out);
}

void raft_state::save(const session_checkpoint& checkpoint) {
  self_->send(config_.log, save_sessions{checkpoint.index, checkpoint.state});
}

// Readers first: an answer must not be ahead of them.
bool raft_state::publish(const replica_effects& out) {
  if (!out.publish) return true;
  const auto end = config_.publish(out.publish_last);
  if (end.ok() && *end == *out.publish) return true;
  const std::string why =
      end.ok() ? fmt::format("entry {} ends at offset {} on disk, and at {} in the group",
                             out.publish_last.value(), end->value(), out.publish->value())
               : end.error().detail;
  fence_reported_ = true;
  config_.gate->fence(why);
  self_->send(config_.node, log_fenced{why});
  return false;
}

void raft_state::answer_clients(replica_effects& out) {
  if (out.proposed_appends > 0) config_.observer->proposed(out.proposed_appends);
  if (out.released_appends > 0) {
    config_.gate->release_appends(out.released_appends, out.released_bytes);
  }
  if (out.disk_full) {
    if (*out.disk_full) {
      log_error(log_component::log)
          .sparsely()
          .field("log", config_.log_name)
          .say(
              "the disk is full ({}), so appends are refused here. Reads go on, and appends are "
              "taken again as soon as there is room: free some, add some, or trim the log.",
              replica_.no_room());
    } else {
      log_info(log_component::log)
          .sparsely()
          .field("log", config_.log_name)
          .say("the disk has room again: appends are taken");
    }
    config_.gate->set_disk_full(*out.disk_full);
    chronicle_.disk_full(*out.disk_full, replica_.no_room());
  }
  for (client_outcomes& answers : out.outcomes) {
    for (const append_outcome& outcome : answers.outcomes.items) {
      if (outcome.code != errc::none) config_.observer->append_failed(outcome.code, 1);
      if (outcome.code == errc::overloaded) config_.gate->count_refused();
    }
    const auto port = ports_.find(answers.client);
    if (port == ports_.end()) continue;
    if (const auto to = caf::actor_cast<caf::actor>(port->second)) {
      caf::anon_send(to, std::move(answers.outcomes));
    }
  }
  for (const client_token client : out.advanced) {
    const auto port = ports_.find(client);
    if (port == ports_.end()) continue;
    if (const auto to = caf::actor_cast<caf::actor>(port->second)) {
      caf::anon_send(to, log_advanced{out.range});
    }
  }
}

void raft_state::answer_requests(const replica_effects& out) {
  for (const barrier_answer& answer : out.barriers) {
    auto found = barriers_.extract(answer.id);
    if (found.empty()) continue;
    found.mapped().deliver(
        barrier_passed{.code = answer.code, .detail = answer.detail, .end = answer.end});
  }
  for (const request_answer& answer : out.requests) {
    auto found = requests_.extract(answer.id);
    if (found.empty()) continue;
    found.mapped().deliver(raft_request_done{.code = answer.code, .detail = answer.detail});
  }
}

void raft_state::take_changes(const replica_effects& out) {
  chronicle_.elections(out.elections);
  if (!out.lead && !out.members_changed) return;
  if (out.members_changed) {
    const auto before =
        std::exchange(members_, std::make_shared<const raft::configuration>(replica_.members()));
    if (!peers_.update(*members_)) {
      log_error(log_component::raft)
          .sparsely()
          .field("log", config_.log_name)
          .say(
              "the names in the group's configuration cannot be read, so nodes that it adds cannot "
              "be reached from here. See that all nodes run the same version.");
    }
    chronicle_.members(*before, *members_);
  }
  if (out.lead) {
    lead_ = *out.lead;
    chronicle_.lead(lead_);
    log_lead();
    journal_.note(lead_line());
  }
  config_.view->set({lead_, peers_.name_of(lead_.leader)});
  for (const caf::actor& who : watchers_)
    self_->send(who, changed());
}

void raft_state::count_sessions() {
  const session_counts counts = replica_.sessions().counts();
  config_.gate->session_keys.store(counts.keys, std::memory_order_relaxed);
  config_.gate->session_producers.store(counts.producers, std::memory_order_relaxed);
  config_.gate->replayed_appends.store(counts.replays, std::memory_order_relaxed);
}

void raft_state::report_fence() {
  if (fence_reported_ || replica_.fence_reason().empty()) return;
  fence_reported_ = true;
  journal_.note(replica_.fence_reason());
  config_.gate->fence(replica_.fence_reason());
  self_->send(config_.node, log_fenced{replica_.fence_reason()});
}

// --- the group -----------------------------------------------------------------------------------

caf::result<raft_request_done> raft_state::change(const change_members& wanted) {
  entered();
  auto promise = self_->make_response_promise<raft_request_done>();
  requests_.emplace(++last_request_, promise);
  replica_.change_membership(last_request_, wanted.changes, wanted.context);
  return promise;
}

caf::result<raft_request_done> raft_state::transfer(const transfer_lead& wanted) {
  entered();
  auto promise = self_->make_response_promise<raft_request_done>();
  requests_.emplace(++last_request_, promise);
  replica_.transfer(last_request_, wanted.target);
  return promise;
}

raft_changed raft_state::changed() const {
  return {.lead = lead_, .members = members_};
}

// --- the end -------------------------------------------------------------------------------------

caf::result<log_closed> raft_state::close() {
  entered();
  config_.gate->set_closing();
  if (closed_) return *closed_;
  auto promise = self_->make_response_promise<log_closed>();
  closers_.push_back(promise);
  if (!closing_) {
    closing_ = true;
    const auto drain_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(config_.drain);
    close_by_ns_ = config_.env->monotonic_ns() + static_cast<std::uint64_t>(drain_ns.count());
    replica_.close("the node is shutting down");
  }
  return promise;
}

void raft_state::finish_close() {
  if (!closing_ || log_closing_ || !(replica_.drained() || replica_.core().fenced())) return;
  log_closing_ = true;
  journal_.note("closing");
  if (const auto last = replica_.last_checkpoint()) save(*last);
  const auto tell = [this](const log_closed& closed) {
    closed_ = closed;
    for (auto& closer : std::exchange(closers_, {}))
      closer.deliver(closed);
  };
  self_->request(config_.log, caf::infinite, close_log{}).then(tell, [tell](const caf::error& why) {
    tell({.code = errc::unavailable, .detail = "the log has ended: " + caf::to_string(why)});
  });
}

}  // namespace cairn::actors
