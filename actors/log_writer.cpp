#include "actors/log_writer.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace cairn::actors {

namespace {

constexpr term_id k_first_term{1};

/// A full disk counts as full until there is room for a few large groups.
constexpr std::uint64_t k_free_again_bytes = 32 * k_mib_bytes;

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
  return std::unique_ptr<log_writer>(new log_writer(env, std::move(config), std::move(gate),
                                                    std::move(observer), std::move(*hard_state),
                                                    std::move(*log)));
}

log_writer::log_writer(storage::env& env, log_writer_config config, std::shared_ptr<log_gate> gate,
                       std::shared_ptr<log_observer> observer, storage::hard_state_file hard_state,
                       std::unique_ptr<storage::segmented_log> log)
    : env_(env),
      config_(std::move(config)),
      gate_(std::move(gate)),
      observer_(std::move(observer)),
      hard_state_(std::move(hard_state)),
      log_(std::move(log)),
      reader_(log_->reader()) {
  gate_->size_bytes.store(log_->size_bytes(), std::memory_order_relaxed);
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
    fence("sync", synced.error());
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
    fence("append", cause);
    plan.fail(errc::outcome_unknown, fence_reason_, log_->next_offset());
    return;
  }
  if (cause.code == errc::disk_full && !gate_->disk_full()) {
    spdlog::error(
        "log {}: the disk is full, so {} appends were refused; reads go on and appends are taken "
        "again as soon as there is room ({})",
        config_.name, plan.accepted(), cause.detail);
    gate_->set_disk_full(true);
  }
  // Whatever else storage refuses, no client could have known better.
  const auto code = cause.code == errc::disk_full ? errc::disk_full : errc::internal;
  plan.fail(code, cause.detail, log_->next_offset());
}

void log_writer::fence(const char* attempted, const error& cause) {
  if (!fence_reason_.empty()) return;
  fence_reason_ = fmt::format("log {} is fenced: a failed {} leaves unknown what is on disk ({})",
                              config_.name, attempted, cause.detail);
  gate_->fence(fence_reason_);
  spdlog::critical(
      "log {}: {} failed: {}. Nobody can say which of the last writes are on disk, so it is not "
      "tried again: waiting appends are answered as unknown, later ones refused, and this node "
      "ends. What was acknowledged before is safe. Check the disk (dmesg, smartctl), then start "
      "the node again: it recovers by scanning the log.",
      config_.name, attempted, cause.detail);
}

void log_writer::trim(const char* attempted, const status& outcome) {
  if (outcome.ok()) return;
  if (fenced()) {
    fence(attempted, outcome.error());
    return;
  }
  spdlog::warn("log {}: {} did not work and will be tried again: {}", config_.name, attempted,
               outcome.error().detail);
}

void log_writer::apply_retention() {
  if (fenced() || gate_->closing()) return;
  const auto& keep = config_.retention;
  const auto now = std::max(env_.now_ms(), log_->last_timestamp_ms());
  if (keep.segment_ms != 0) {
    const auto segments = log_->segments();
    if (!segments.empty() && !segments.back().sealed &&
        segments.back().next_offset > segments.back().base_offset &&
        now - segments.back().first_timestamp_ms >= static_cast<unix_ms>(keep.segment_ms)) {
      trim("rolling by age", log_->roll());
    }
  }
  if (keep.ms != 0) {
    trim("trimming by age", log_->trim_older_than(now - static_cast<unix_ms>(keep.ms)));
  }
  if (keep.bytes != 0) trim("trimming by size", log_->trim_to_bytes(keep.bytes));
  gate_->size_bytes.store(log_->size_bytes(), std::memory_order_relaxed);
}

void log_writer::check_disk_space() {
  if (!gate_->disk_full()) return;
  const auto free = env_.free_bytes(config_.directory);
  if (free && *free >= k_free_again_bytes) {
    spdlog::info("log {}: the disk has room again ({} MiB)", config_.name, *free / k_mib_bytes);
    gate_->set_disk_full(false);
  }
}

status log_writer::close() {
  return log_->close();
}

log_range log_writer::range() const {
  return {.lowest = reader_->lowest_offset(), .next = reader_->end_offset()};
}

}  // namespace cairn::actors
