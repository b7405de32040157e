#include "apps/cairn/append_session.hpp"

#include "apps/cairn/stored_lines.hpp"

#include <fmt/format.h>
#include <thread>

namespace cairn::cli {

namespace {

constexpr std::string_view k_content_type = "application/x-ndjson";
constexpr int k_misses_max = 1000;

}  // namespace

append_session::append_session(net::log_client& client, line_source& source,
                               append_settings settings)
    : client_(client),
      source_(source),
      settings_(std::move(settings)),
      retries_(settings_.retry_s, settings_.first_pause) {
  outcome_.next_line = source_.next_line();
}

bool append_session::fail(const error& why, int code) {
  outcome_.failure = why;
  outcome_.code = code;
  return false;
}

bool append_session::fail_call(const error& why) {
  return fail(why, exit_code_of(client_.failure()));
}

bool append_session::start() {
  while (true) {
    const auto log = client_.describe(settings_.log);
    if (log) {
      retries_.succeeded();
      expected_ = settings_.at_offset.value_or(log->next_offset);
      outcome_.next_offset = expected_;
      if (const auto known = client_.learn_servers(); known && *known > 1) {
        retries_.allow_at_least(retry_budget::k_failover_s);
      }
      return check_place(*log);
    }
    if (!retries_.wait(client_.failure())) return fail_call(log.error());
  }
}

// A node that is behind may know a lower end than the log has.
bool append_session::check_place(const net::log_summary& log) {
  auto next = log.next_offset;
  while (expected_ > next) {
    net::read_call call;
    call.log = settings_.log;
    call.from.offset = expected_;
    call.limit = 1;
    call.linearizable = true;
    const auto found = client_.read(call, [](std::string_view) { return true; });
    if (found) return true;
    if (found.code() == errc::offset_not_written) {
      next = client_.failure().refused->next_offset.value_or(next);
      break;
    }
    if (!retries_.wait(client_.failure())) return fail_call(found.error());
  }
  if (expected_ <= next && expected_ >= log.lowest_offset) return true;
  return fail({errc::invalid_argument, fmt::format("--at {}: the log {} holds {} to {}", expected_,
                                                   settings_.log, log.lowest_offset, next)},
              exit_failed);
}

// Makes `prepared_` the next batch if there is one.
void append_session::load_next(bool wait) {
  if (prepared_ || input_ended_ || input_failure_) return;
  auto batch = source_.next(wait);
  if (!batch) {
    input_failure_ = batch.error();
  } else if (!*batch) {
    input_ended_ = true;
  } else if ((*batch)->line_count > 0) {
    prepared_ = *std::move(*batch);
  }
}

append_outcome append_session::run(const observer& progressed) {
  if (!start()) return outcome_;
  while (true) {
    load_next(true);
    if (!prepared_ && input_failure_) {
      fail(*input_failure_, interrupted().load() ? exit_interrupted : exit_failed);
      break;
    }
    if (!prepared_ && input_ended_) break;
    if (!prepared_) continue;
    if (interrupted().load()) {
      fail({errc::unavailable, "interrupted"}, exit_interrupted);
      break;
    }
    current_ = std::exchange(prepared_, std::nullopt);
    if (!skip_what_is_there() || (current_->line_count > 0 && !store_current())) break;
    progressed(outcome_);
  }
  return outcome_;
}

// With at_offset: passes over the lines of the current batch that the log has already.
bool append_session::skip_what_is_there() {
  while (settings_.at_offset) {
    const auto found = compare_with_log(client_, settings_.log, expected_, *current_);
    if (!found) {
      if (retries_.wait(client_.failure())) continue;
      return fail_call(found.error());
    }
    retries_.succeeded();
    outcome_.found_count += found->equal_count;
    expected_ += found->equal_count;
    current_->drop_front(found->equal_count);
    outcome_.next_line = current_->first_line;
    outcome_.next_offset = expected_;
    if (found->differs) {
      return fail({errc::expected_offset_missed,
                   fmt::format("offset {} of the log {} holds something else than line {}",
                               expected_, settings_.log, current_->first_line)},
                  exit_failed);
    }
    // From here on the log ends: everything else is new.
    if (current_->line_count > 0) {
      settings_.at_offset.reset();
    } else {
      outcome_.found_bytes += current_->input_bytes;
    }
    return true;
  }
  return true;
}

bool append_session::store_current() {
  may_be_stored_ = false;
  looked_again_ = false;
  misses_ = 0;
  bool first = true;
  while (true) {
    const auto done = try_once(first);
    first = false;
    if (done == attempt::stored) {
      retries_.succeeded();
      return true;
    }
    if (done == attempt::give_up) return false;
  }
}

append_session::attempt append_session::try_once(bool first) {
  net::append_call call;
  call.log = settings_.log;
  call.content_type = k_content_type;
  call.body = current_->body;
  if (!settings_.unconditional) call.expected_offset = expected_;
  if (auto sent = client_.send_append(call); !sent) return on_failure(sent.error());
  // The node works on this batch: time to read the next one, as far as it is there.
  if (first) load_next(false);
  const auto stored = client_.receive_append();
  if (!stored) return on_failure(stored.error());
  if (stored->count != current_->line_count ||
      (!settings_.unconditional && stored->offset != expected_)) {
    fail({errc::corruption,
          fmt::format("the node confirmed {} records at offset {}, expected {} at {}",
                      stored->count, stored->offset, current_->line_count, expected_)},
         exit_failed);
    return attempt::give_up;
  }
  count_stored(*current_, stored->offset);
  return attempt::stored;
}

void append_session::count_stored(const line_batch& batch, std::uint64_t offset) {
  if (!outcome_.first_offset) outcome_.first_offset = offset;
  expected_ = offset + batch.line_count;
  outcome_.next_offset = expected_;
  outcome_.stored_count += batch.line_count;
  outcome_.stored_bytes += batch.input_bytes;
  outcome_.next_line = batch.first_line + batch.line_count;
}

append_session::attempt append_session::on_failure(const error& why) {
  const auto failure = client_.failure();
  if (why.code == errc::expected_offset_missed) return on_offset_missed(why);
  may_be_stored_ = may_be_stored_ || failure.outcome_unknown();
  // A second attempt finds out what became of the first one: that much is always tried.
  const bool look_again = failure.outcome_unknown() && !looked_again_ && !settings_.unconditional;
  if (look_again && !interrupted().load()) {
    looked_again_ = true;
    return attempt::again;
  }
  const bool repeatable = !settings_.unconditional || !may_be_stored_;
  if (repeatable && retries_.wait(failure)) return attempt::again;
  // The node counts lines within the batch.
  const bool names_lines = why.code == errc::invalid_argument || why.code == errc::too_large;
  fail_call(names_lines
                ? error{why.code,
                        fmt::format("batch of lines {} to {}: {}", current_->first_line,
                                    current_->first_line + current_->line_count - 1, why.detail)}
                : why);
  if (may_be_stored_) {
    outcome_.unknown_count = current_->line_count;
    outcome_.code = exit_unknown;
  }
  return attempt::give_up;
}

// Certain: this attempt was not stored. An earlier one may have been, and then stands at
// `expected_`.
append_session::attempt append_session::on_offset_missed(const error& why) {
  const auto next = client_.failure().refused->next_offset;
  if (may_be_stored_) {
    if (const auto decided = find_earlier_attempt(next.value_or(0))) return *decided;
    may_be_stored_ = false;
  }
  ++outcome_.other_writer_count;
  if (!next || ++misses_ > k_misses_max || interrupted().load()) {
    fail_call(why);
    return attempt::give_up;
  }
  expected_ = *next;
  return attempt::again;
}

// Whether an earlier attempt has been stored. Nothing: certainly not.
std::optional<append_session::attempt> append_session::find_earlier_attempt(std::uint64_t next) {
  const auto found = compare_with_log(client_, settings_.log, expected_, *current_);
  const bool settled = found && (found->differs || next <= expected_ + found->equal_count);
  if (found && found->equal_count == current_->line_count) {
    count_stored(*current_, expected_);
    return attempt::stored;
  }
  if (settled) return std::nullopt;
  // Or the node knows of more than is committed yet: it may be ours, and may still go either way.
  const bool once_more =
      found ? ++misses_ <= k_misses_max && !interrupted().load() : retries_.wait(client_.failure());
  if (once_more) {
    if (found) std::this_thread::sleep_for(settings_.first_pause);
    return attempt::again;
  }
  fail_call(found ? error{errc::outcome_unknown, "the end of the log does not settle"}
                  : found.error());
  outcome_.unknown_count = current_->line_count;
  outcome_.code = exit_unknown;
  return attempt::give_up;
}

}  // namespace cairn::cli
