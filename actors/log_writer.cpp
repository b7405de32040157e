#include "actors/log_writer.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::actors {

namespace {

constexpr term_id k_first_term{1};

}  // namespace

result<std::unique_ptr<log_writer>> log_writer::open(storage::env& env, log_writer_config config,
                                                     std::shared_ptr<log_gate> gate,
                                                     std::shared_ptr<log_observer> observer,
                                                     storage::recovery_report& report) {
  if (auto made = env.make_directories(config.directory); !made) return made.error();
  auto hard_state = storage::hard_state_file::open(env, config.directory + "/hard_state");
  if (!hard_state) return hard_state.error();
  if (hard_state->current().term < k_first_term) {
    // One voter needs no election, but its frames need a term that a later, replicated life of this
    // log will never give out again.
    auto saved = hard_state->save({.term = k_first_term, .voted_for = config.node_id});
    if (!saved) return saved.error();
  }
  auto log = storage::segmented_log::open(env, config.directory, config.log, report);
  if (!log) return log.error();
  if ((*log)->last_term() > hard_state->current().term) {
    return error{errc::corruption,
                 fmt::format("{}/hard_state: term {} is lower than the term {} of the last frame",
                             config.directory, hard_state->current().term.value(),
                             (*log)->last_term().value())};
  }
  log_store_config store{.name = std::move(config.name),
                         .directory = std::move(config.directory),
                         .log = config.log,
                         .retention = config.retention};
  return std::unique_ptr<log_writer>(new log_writer(env, std::move(store), std::move(gate),
                                                    std::move(observer), std::move(*hard_state),
                                                    std::move(*log)));
}

append_position log_writer::next_position() {
  return {.next_offset = log_->next_offset(),
          .next_index = log_->next_index(),
          .term = term(),
          .timestamp_ms = std::max(env_.now_ms(), log_->last_timestamp_ms()),
          .now_ns = env_.monotonic_ns()};
}

void log_writer::commit(append_plan& plan) {
  if (fenced()) {
    plan.fail(errc::unavailable, fence_reason_, log_->next_offset());
    return;
  }
  if (plan.frames().empty()) return;
  const auto begun = env_.monotonic_ns();
  gate_->write_begins(begun);
  const auto appended = log_->append(plan.frames());
  const auto written = env_.monotonic_ns();
  if (!appended) {
    gate_->write_ended();
    refuse(plan, appended.error());
    return;
  }
  const auto synced = log_->sync();
  const auto ended = env_.monotonic_ns();
  gate_->write_ended();
  if (!synced) {
    static_cast<void>(fence("sync", synced.error()));
    plan.fail(errc::outcome_unknown, fence_reason_, log_->next_offset());
    return;
  }
  log_->publish(plan.end());
  if (gate_->disk_full()) gate_->set_disk_full(false);
  gate_->size_bytes.store(log_->size_bytes(), std::memory_order_relaxed);
  observer_->committed({.appends = plan.accepted(),
                        .records = plan.records(),
                        .payload_bytes = plan.payload_bytes(),
                        .frames = plan.frames().size(),
                        .write_ns = written - begun,
                        .sync_ns = ended - written});
}

void log_writer::refuse(append_plan& plan, const error& cause) {
  if (fenced()) {
    static_cast<void>(fence("append", cause));
    plan.fail(errc::outcome_unknown, fence_reason_, log_->next_offset());
    return;
  }
  if (cause.code == errc::disk_full) disk_is_full(cause);
  // Whatever else storage refuses, no client could have known better.
  const auto code = cause.code == errc::disk_full ? errc::disk_full : errc::internal;
  plan.fail(code, cause.detail, log_->next_offset());
}

}  // namespace cairn::actors
