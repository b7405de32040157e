// Reads of a port: from the page cache, from the disk by way of a SegmentActor, or later.

#include "actors/reader_actor.hpp"
#include "apps/actor_port.hpp"
#include "apps/port_failure.hpp"

#include <caf/send.hpp>
#include <fmt/format.h>

namespace cairn::apps {

namespace {

/// How long a linearizable read waits for a leader's word.
constexpr std::uint64_t k_barrier_ns = 10'000'000'000;

net::read_reply reply_of(actors::read_outcome outcome) {
  net::read_reply reply{.start = outcome.start,
                        .frames = {},
                        .bounds = {.lowest = outcome.range.lowest, .next = outcome.range.next}};
  reply.frames.reserve(outcome.frames.size());
  for (auto& frame : outcome.frames) {
    reply.frames.push_back({.base_offset = frame.base_offset,
                            .record_count = frame.record_count,
                            .timestamp_ms = frame.timestamp_ms,
                            .term = frame.term,
                            .index = frame.index,
                            .payload = std::move(frame.payload)});
  }
  return reply;
}

net::failure failure_of(const actors::read_outcome& outcome, const actors::log_range& range) {
  auto failure = make_failure(outcome.code, outcome.detail);
  failure.bounds = bounds_of(range);
  return failure;
}

bool same_question(const actors::segment_read& a, const actors::segment_read& b) {
  return a.by_time == b.by_time && a.time_ms == b.time_ms && a.from == b.from &&
         a.bytes_max == b.bytes_max && a.records_max == b.records_max;
}

}  // namespace

net::request_id actor_port::read(net::read_request request, net::completion<net::read_reply> done) {
  const auto id = next_id_++;
  if (!serves(request.log)) {
    answer_later<net::read_reply>(id, std::move(done), unknown_log(request.log));
    return id;
  }
  open_read read;
  read.wait = request.wait;
  read.done = std::move(done);
  read.request.bytes_max = request.max_bytes;
  read.request.records_max = request.max_records;
  const auto now = range();
  switch (request.start) {
    case net::read_start::at_offset:
      read.request.from = request.offset;
      break;
    case net::read_start::earliest:
      read.request.from = now.lowest;
      break;
    case net::read_start::latest:
      read.request.from = now.next;
      break;
    case net::read_start::at_time:
      read.request.by_time = true;
      read.request.time_ms = request.time_ms;
      break;
  }
  if (request.linearizable) {
    read_after_barrier(id, std::move(read), request.start == net::read_start::latest);
  } else {
    start_read(id, std::move(read));
  }
  return id;
}

// Asks the group where the log ends now: what was acknowledged before this read is visible then.
void actor_port::read_after_barrier(net::request_id id, open_read read, bool from_end) {
  const actors::read_barrier barrier{backend_.actors().env().monotonic_ns() + k_barrier_ns};
  reads_.emplace(id, std::move(read));
  ask(backend_.actors().writer(), caf::make_message(barrier), id,
      [this, id, from_end](caf::message& message) {
        auto found = reads_.extract(id);
        if (found.empty()) return;  // cancelled
        auto response = response_of<actors::barrier_passed>(message);
        auto* failure = std::get_if<net::failure>(&response);
        if (failure == nullptr) {
          const auto& passed = *std::get<actors::barrier_passed*>(response);
          if (passed.code == errc::none) {
            if (from_end) found.mapped().request.from = passed.end;
            return start_read(id, std::move(found.mapped()));
          }
          response = make_failure(passed.code, passed.detail);
          failure = std::get_if<net::failure>(&response);
        }
        failure->leader = backend_.leader();
        answer_later<net::read_reply>(id, std::move(found.mapped().done), std::move(*failure));
      });
}

void actor_port::start_read(net::request_id id, open_read read) {
  auto outcome = actors::read_log(*backend_.actors().reader(), read.request, true);
  if (outcome.code == errc::would_block) {
    read_cold(id, std::move(read));
  } else {
    if (!outcome.frames.empty()) {
      std::uint64_t bytes = 0;
      for (const auto& frame : outcome.frames)
        bytes += frame.payload.size();
      backend_.actors().observer().cached_read(bytes);
    }
    finish_read(id, std::move(read), std::move(outcome));
  }
}

void actor_port::finish_read(net::request_id id, open_read read, actors::read_outcome outcome) {
  if (outcome.code != errc::none) {
    answer_later<net::read_reply>(id, std::move(read.done), failure_of(outcome, range()));
  } else if (outcome.frames.empty() && read.wait.count() > 0) {
    if (!read.waiting && !backend_.actors().gate()->waiting_readers.try_add(1)) {
      outcome.code = errc::overloaded;
      outcome.detail = fmt::format("{} reads wait for new records already",
                                   backend_.actors().gate()->waiting_readers.max());
      answer_later<net::read_reply>(id, std::move(read.done), failure_of(outcome, range()));
      return;
    }
    wait_for_records(id, std::move(read), outcome.start);
  } else {
    answer_later<net::read_reply>(id, std::move(read.done), reply_of(std::move(outcome)));
  }
}

void actor_port::read_cold(net::request_id id, open_read read) {
  // A search by time begins wherever the index says; the lowest segment bounds and counts it.
  const auto segment = backend_.actors().directory()->find(
      read.request.by_time ? record_offset{} : read.request.from);
  if (!segment) {
    actors::read_outcome outcome;
    outcome.code = errc::unavailable;
    outcome.detail = "no segment of the log can be asked: it is ending";
    answer_later<net::read_reply>(id, std::move(read.done), failure_of(outcome, range()));
    return;
  }
  auto question = caf::make_message(read.request);
  reads_.emplace(id, std::move(read));
  ask(segment, std::move(question), id, [this, id](caf::message& message) {
    auto found = reads_.extract(id);
    if (found.empty()) return;  // cancelled
    actors::read_outcome outcome;
    if (message.match_elements<actors::read_outcome>()) {
      outcome = std::move(message.get_mutable_as<actors::read_outcome>(0));
    } else {
      // The segment failed while this read stood in its mailbox, or was trimmed.
      outcome.code = errc::unavailable;
      outcome.detail = "the segment's actor ended before it could read";
    }
    finish_read(id, std::move(found.mapped()), std::move(outcome));
  });
}

// --- waiting -------------------------------------------------------------------------------------

void actor_port::wait_for_records(net::request_id id, open_read read, record_offset end) {
  if (!read.waiting) {
    read.waiting = true;
    read.deadline = backend_.actors().system().clock().now() + read.wait;
  }
  if (!read.request.by_time) read.request.from = end;
  waiting_.emplace(read.deadline, id);
  reads_.insert_or_assign(id, std::move(read));
  if (!awaiting_beyond_) {
    awaiting_beyond_ = end;
    caf::anon_send(backend_.actors().writer(),
                   actors::await_commit{.port = companion_, .beyond = end});
  }
  set_alarm();
}

void actor_port::log_grew(const actors::log_range& grown) {
  // The writer forgets what it was asked by the same rule.
  if (awaiting_beyond_ && grown.next > *awaiting_beyond_) awaiting_beyond_.reset();
  if (waiting_.empty()) return;
  // Many clients follow the same end: the last answer serves all that ask the same.
  std::optional<std::pair<actors::segment_read, actors::read_outcome>> last;
  std::vector<net::request_id> woken;
  for (const auto& [deadline, id] : waiting_) {
    const auto& request = reads_.at(id).request;
    if (request.by_time || request.from < grown.next) woken.push_back(id);
  }
  for (const auto id : woken) {
    auto read = std::move(reads_.extract(id).mapped());
    waiting_.erase({read.deadline, id});
    if (!last || !same_question(last->first, read.request)) {
      last.emplace(read.request, actors::read_log(*backend_.actors().reader(), read.request, true));
    }
    auto outcome = last->second;
    const bool still_nothing = outcome.code == errc::none && outcome.frames.empty();
    if (!still_nothing) {
      backend_.actors().gate()->waiting_readers.remove(1);
      read.waiting = false;
    }
    if (outcome.code == errc::would_block) {
      read_cold(id, std::move(read));
    } else {
      finish_read(id, std::move(read), std::move(outcome));
    }
  }
}

void actor_port::set_alarm() {
  if (waiting_.empty()) return;
  const auto first = waiting_.begin()->first;
  if (alarm_at_ && *alarm_at_ <= first) return;
  alarm_at_ = first;
  auto& clock = backend_.actors().system().clock();
  clock.schedule_message(first, caf::actor_cast<caf::weak_actor_ptr>(companion_),
                         caf::make_mailbox_element(nullptr, caf::make_message_id(), {},
                                                   actors::wait_alarm{++alarm_generation_}));
}

void actor_port::alarm(std::uint64_t generation) {
  if (generation != alarm_generation_) return;  // an earlier one has been set since
  alarm_at_.reset();
  const auto now = backend_.actors().system().clock().now();
  while (!waiting_.empty() && waiting_.begin()->first <= now) {
    const auto id = waiting_.begin()->second;
    auto read = std::move(reads_.extract(id).mapped());
    stop_waiting(id, read);
    actors::read_outcome nothing;
    nothing.range = range();
    nothing.start = read.request.by_time ? nothing.range.next : read.request.from;
    answer_later<net::read_reply>(id, std::move(read.done), reply_of(std::move(nothing)));
  }
  set_alarm();
}

void actor_port::stop_waiting(net::request_id id, open_read& read) {
  if (!read.waiting) return;
  read.waiting = false;
  waiting_.erase({read.deadline, id});
  backend_.actors().gate()->waiting_readers.remove(1);
}

}  // namespace cairn::apps
