#include "actors/reader_actor.hpp"

#include "actors/log_store.hpp"

#include <fmt/format.h>

namespace cairn::actors {

namespace {

read_outcome failed(const storage::log_reader& reader, const error& cause) {
  read_outcome outcome;
  outcome.code = cause.code;
  outcome.detail = cause.detail;
  outcome.range = {.lowest = reader.lowest_offset(), .next = reader.end_offset()};
  return outcome;
}

}  // namespace

read_outcome read_log(const storage::log_reader& reader, const segment_read& request,
                      bool cached_only) {
  auto start = request.from;
  if (request.by_time) {
    auto found = reader.find_time(request.time_ms, cached_only);
    if (!found) return failed(reader, found.error());
    start = *found;
  }
  auto frames = reader.read(start, {.bytes_max = request.bytes_max,
                                    .records_max = request.records_max,
                                    .cached_only = cached_only});
  if (!frames) return failed(reader, frames.error());
  read_outcome outcome;
  outcome.start = start;
  outcome.frames.reserve(frames->size());
  for (auto& frame : *frames) {
    outcome.frames.push_back({.base_offset = frame.header.base_offset,
                              .record_count = frame.header.record_count,
                              .timestamp_ms = frame.header.timestamp_ms,
                              .term = frame.header.term,
                              .index = frame.header.index,
                              .payload = std::move(frame.payload)});
  }
  outcome.range = {.lowest = reader.lowest_offset(), .next = reader.end_offset()};
  return outcome;
}

reader_state::reader_state(caf::event_based_actor* self, reader_actor_config config)
    : self_(self),
      config_(std::move(config)),
      journal_(*config_.env, "reader", config_.name, config_.parent) {}

caf::behavior reader_state::make_behavior() {
  return {
      [this](const cold_read& work) { return read(work); },
      [this](const load_entries& work) { return load(work); },
      [this](describe) {
        const auto busy = journal_.enter();
        return journal_.report(
            self_->id(), self_->mailbox().size(),
            fmt::format("{} bytes read from the disk, {} faults", read_bytes_, faults_));
      },
  };
}

read_outcome reader_state::read(const cold_read& work) {
  const auto busy = journal_.enter();
  auto outcome = read_log(*config_.reader, work.request, false);
  cold_read_done done{.code = outcome.code, .detail = outcome.detail, .size_bytes = 0};
  for (const auto& frame : outcome.frames)
    done.size_bytes += frame.payload.size();
  read_bytes_ += done.size_bytes;
  if (outcome.code == errc::corruption || outcome.code == errc::io_error) {
    ++faults_;
    journal_.note(outcome.detail);
  }
  config_.gate->cold_reads.remove(1);
  config_.observer->cold_read(done.code, done.size_bytes);
  self_->send(work.segment, std::move(done));
  return outcome;
}

loaded load_answer(const raft::load_request& request, result<std::vector<raft::entry>> entries) {
  loaded answer;
  answer.peer = request.peer;
  answer.request = request.request;
  if (entries) {
    answer.entries = std::move(*entries);
  } else {
    answer.code = entries.code();
    answer.detail = entries.error().detail;
  }
  return answer;
}

loaded reader_state::load(const load_entries& work) {
  const auto busy = journal_.enter();
  const auto& wanted = work.request;
  auto answer = load_answer(wanted, read_raft_entries(*config_.reader, wanted.first, wanted.last,
                                                      wanted.bytes_max, true));
  for (const auto& entry : answer.entries)
    read_bytes_ += entry.payload.size();
  if (answer.code == errc::corruption || answer.code == errc::io_error) {
    ++faults_;
    journal_.note(answer.detail);
  }
  return answer;
}

}  // namespace cairn::actors
