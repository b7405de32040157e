#include "actors/log_actor.hpp"

#include "actors/reader_actor.hpp"
#include "actors/segment_actor.hpp"
#include "storage/background_work.hpp"
#include "storage/base/log_line.hpp"

#include <algorithm>
#include <caf/send.hpp>
#include <fmt/format.h>

namespace cairn::actors {

log_state::log_state(caf::event_based_actor* self, std::unique_ptr<log_store> store,
                     log_actor_config config)
    : self_(self),
      store_(std::move(store)),
      config_(std::move(config)),
      journal_(store_->env(), "log", store_->config().name, config_.parent) {}

caf::behavior log_state::make_behavior() {
  self_->set_down_handler([this](const caf::down_msg& down) { segment_down(down); });
  self_->set_exit_handler([this](const caf::exit_msg& end) {
    for (auto& [base, segment] : segments_)
      self_->send_exit(segment.actor, end.reason);
    config_.directory->clear();
    self_->quit(end.reason);
  });
  journal_.note(fmt::format("opened with offsets [{}, {})", store_->range().lowest.value(),
                            store_->log().next_offset().value()));
  refresh_segments();
  opened_ = true;
  self_->send(config_.maintenance, watch_log{caf::actor{self_}});
  start_chores();
  return {
      [this](const persist& request) { write(request); },
      [this](const reserve_room& request) { reserve(request); },
      [this](const save_sessions& request) { save(request); },
      [this](load_entries& wanted) { return load(wanted); },
      [this](const attach_raft& attached) {
        const auto busy = journal_.enter();
        raft_ = attached.raft;
      },
      [this](chores_done) {
        const auto busy = journal_.enter();
        chores_running_ = false;
        start_chores();
      },
      [this](apply_retention) {
        const auto busy = journal_.enter();
        apply_retention_now();
        refresh_segments();
        fence_if_needed();
        start_chores();
      },
      [this](ask_log) {
        const auto busy = journal_.enter();
        return report();
      },
      [this](close_log) { return close(); },
      [this](describe) {
        const auto busy = journal_.enter();
        return journal_.report(self_->id(), self_->mailbox().size(), state_line());
      },
  };
}

// --- for the RaftActor ---------------------------------------------------------------------------

void log_state::write(const persist& request) {
  const auto busy = journal_.enter();
  auto promise = self_->make_response_promise<persisted>();
  persisted answer;
  answer.ticket = request.batch->ticket;
  if (closed_) {
    answer.code = errc::unavailable;
    answer.detail = "the log is closed";
  } else if (const auto written = store_->write(*request.batch); !written) {
    answer.code = written.code();
    answer.detail = written.error().detail;
  } else {
    answer.times = store_->last_write();
    answer.segment = store_->log().active_base_offset();
  }
  answer.room_bytes = store_->room_bytes();
  answer.room_frames = store_->room_frames();
  promise.deliver(std::move(answer));
  ++writes_;
  after_write();
}

void log_state::reserve(const reserve_room& request) {
  const auto busy = journal_.enter();
  auto promise = self_->make_response_promise<room_reserved>();
  room_reserved answer;
  if (const auto reserved = store_->reserve(request.bytes); !reserved) {
    answer.code = reserved.code();
    answer.detail = reserved.error().detail;
  }
  answer.room_bytes = store_->room_bytes();
  answer.room_frames = store_->room_frames();
  promise.deliver(std::move(answer));
  after_write();
}

void log_state::save(const save_sessions& request) {
  const auto busy = journal_.enter();
  auto promise = self_->make_response_promise<sessions_saved>();
  const auto saved = closed_ ? status(error{errc::unavailable, "the log is closed"})
                             : store_->save_sessions({request.index, request.state});
  if (!saved && !store_->fenced()) {
    log_warning(log_component::log)
        .sparsely()
        .field("log", store_->config().name)
        .field("code", to_string(saved.code()))
        .say(
            "saving what is known of idempotency keys and producers failed: {}. It is tried again "
            "by itself; until then retention keeps the segments that it needs. If this goes on, "
            "look at the disk's space.",
            saved.error().detail);
  }
  promise.deliver(sessions_saved{saved.code()});
  apply_retention_now();  // it may have waited for this
  after_write();
}

void log_state::after_write() {
  if (refresh_segments()) {
    apply_retention_now();
    refresh_segments();
  }
  fence_if_needed();
  start_chores();
}

void log_state::apply_retention_now() {
  const auto trimmed = store_->apply_retention();
  if (store_->take_sessions_wanted() && raft_) self_->send(raft_, sessions_wanted{});
  if (!trimmed) return;
  journal_.note(fmt::format("trimmed to offset {}", trimmed->lowest.value()));
  tell_trimmed(*trimmed);
  if (raft_) self_->send(raft_, *trimmed);
}

caf::result<caf::message> log_state::load(load_entries& wanted) {
  const auto busy = journal_.enter();
  ++loads_;
  const auto& request = wanted.request;
  if (request.first <= store_->publisher().published()) {
    const auto& reader = config_.readers[loads_ % config_.readers.size()];
    return self_->delegate(reader, std::move(wanted));
  }
  return caf::make_message(
      load_answer(request, store_->load(request.first, request.last, request.bytes_max)));
}

log_closed log_state::close() {
  const auto busy = journal_.enter();
  store_->gate().set_closing();
  if (closed_) return {};
  closed_ = true;
  const auto closed = store_->close();
  journal_.note(closed.ok() ? "closed" : "closed with an error: " + closed.error().detail);
  if (closed.ok()) return {};
  return {.code = closed.code(), .detail = closed.error().detail};
}

void log_state::fence_if_needed() {
  if (!store_->fenced() || fence_reported_) return;
  fence_reported_ = true;
  journal_.note(store_->fence_reason());
  self_->send(config_.node, log_fenced{store_->fence_reason()});
}

// --- segments ------------------------------------------------------------------------------------

bool log_state::refresh_segments() {
  const auto& log = store_->log();
  if (log.segment_count() == segments_.size() &&
      (segments_.empty() || log.active_base_offset() == segments_.rbegin()->first)) {
    return false;
  }
  bool rolled = false;
  const auto now = log.segments();
  std::vector<record_offset> gone;
  for (const auto& [base, segment] : segments_) {
    const auto found =
        std::lower_bound(now.begin(), now.end(), base,
                         [](const auto& known, record_offset b) { return known.base_offset < b; });
    if (found == now.end() || found->base_offset != base) gone.push_back(base);
  }
  for (const auto base : gone)
    stop_segment(base);
  for (const auto& segment : now) {
    const auto known = segments_.find(segment.base_offset);
    if (known == segments_.end()) {
      start_segment(segment, 0);
      rolled = true;
    } else if (&segment != &now.back() && !known->second.sealed) {
      known->second.sealed = true;
      self_->send(known->second.actor, segment_sealed{.next_offset = segment.next_offset,
                                                      .size_bytes = segment.size_bytes});
    }
  }
  store_->gate().segment_count.store(segments_.size(), std::memory_order_relaxed);
  if (rolled && opened_) tell_rolled(now.back());
  return rolled;
}

void log_state::start_segment(const storage::segment_summary& segment, std::uint64_t restarts) {
  // Storage seals in the background; for people a segment is sealed once it takes no more writes.
  const bool sealed = segment.sealed || segment.base_offset != store_->log().active_base_offset();
  segment_actor_config config{.env = &store_->env(),
                              .log = store_->config().name,
                              .parent = self_->id(),
                              .restarts = restarts,
                              .gate = store_->shared_gate(),
                              .reader = store_->log().reader(),
                              .readers = config_.readers,
                              .segment = {.base_offset = segment.base_offset,
                                          .next_offset = segment.next_offset,
                                          .size_bytes = segment.size_bytes,
                                          .sealed = sealed}};
  auto actor = self_->spawn<segment_actor, caf::monitored + caf::lazy_init>(std::move(config));
  config_.directory->put(segment.base_offset, actor);
  self_->send(config_.node, actor_started{.who = actor,
                                          .kind = "segment",
                                          .name = fmt::format("{}/{:020}", store_->config().name,
                                                              segment.base_offset.value()),
                                          .parent = self_->id()});
  segments_.insert_or_assign(segment.base_offset, child{std::move(actor), sealed, restarts});
}

void log_state::stop_segment(record_offset base_offset) {
  const auto found = segments_.find(base_offset);
  config_.directory->remove(base_offset);
  self_->send_exit(found->second.actor, caf::exit_reason::user_shutdown);
  segments_.erase(found);
}

void log_state::segment_down(const caf::down_msg& down) {
  const auto found = std::find_if(segments_.begin(), segments_.end(), [&](const auto& known) {
    return known.second.actor == down.source;
  });
  if (found == segments_.end()) return;  // trimmed
  const auto base = found->first;
  const auto restarts = found->second.restarts + 1;
  const auto now = store_->log().segments();
  const auto segment =
      std::find_if(now.begin(), now.end(), [&](const auto& s) { return s.base_offset == base; });
  segments_.erase(found);
  config_.directory->remove(base);
  if (segment == now.end()) return;
  journal_.note(fmt::format("restarting segment {} for the {}. time", base.value(), restarts));
  log_warning(log_component::log)
      .sparsely()
      .field("log", store_->config().name)
      .field("segment", base.value())
      .field("restarts", restarts)
      .say(
          "the actor of a segment ended after a failed read and is started again: reads of this "
          "segment that were under way have failed, later ones are tried anew. Its own line says "
          "what was wrong.");
  tell_restart(base, restarts, down.reason);
  store_->gate().segment_restarts.fetch_add(1, std::memory_order_relaxed);
  start_segment(*segment, restarts);
}

// --- the rest ------------------------------------------------------------------------------------

void log_state::start_chores() {
  if (chores_running_ || store_->log().background()->empty()) return;
  chores_running_ = true;
  self_->send(config_.maintenance, run_chores{});
}

log_report log_state::report() const {
  log_report report{.range = store_->range(),
                    .size_bytes = store_->log().size_bytes(),
                    .term = store_->term(),
                    .segments = {}};
  for (const auto& segment : store_->log().segments()) {
    report.segments.push_back({.base_offset = segment.base_offset,
                               .next_offset = segment.next_offset,
                               .size_bytes = segment.size_bytes,
                               .sealed = segment.sealed});
  }
  return report;
}

std::string log_state::state_line() const {
  const auto range = store_->range();
  const auto* state = closed_ ? "closed" : store_->fenced() ? "fenced" : "open";
  return fmt::format(
      "{} in term {}, offsets [{}, {}) of {}, {} bytes in {} segments, {} writes, {} loads", state,
      store_->term().value(), range.lowest.value(), range.next.value(),
      store_->log().next_offset().value(), store_->log().size_bytes(), segments_.size(), writes_,
      loads_);
}

}  // namespace cairn::actors
