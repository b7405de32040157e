#include "apps/cairn/identity_session.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::cli {

std::string check_identity(const std::string& name) {
  constexpr std::size_t k_characters_max = 255;
  const bool visible =
      std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!name.empty() && name.size() <= k_characters_max && visible) return {};
  return fmt::format("'{}' is not 1 to {} visible ASCII characters", name, k_characters_max);
}

identity_session::identity_session(net::log_client& client, line_source& source,
                                   identity_settings settings)
    : client_(client),
      source_(source),
      settings_(std::move(settings)),
      retries_(settings_.retry_s, settings_.first_pause) {
  outcome_.next_line = source_.next_line();
}

bool identity_session::fail(const error& why, int code) {
  outcome_.failure = why;
  outcome_.code = code;
  return false;
}

bool identity_session::fail_call(const error& why) {
  return fail(why, exit_code_of(client_.failure()));
}

bool identity_session::start() {
  while (true) {
    const auto log = client_.describe(settings_.log);
    if (log) {
      retries_.succeeded();
      outcome_.next_offset = log->next_offset;
      if (const auto known = client_.learn_servers(); known && *known > 1) {
        retries_.allow_at_least(retry_budget::k_failover_s);
      }
      return true;
    }
    if (!retries_.wait(client_.failure())) return fail_call(log.error());
  }
}

append_outcome identity_session::run(const append_session::observer& progressed) {
  if (!start()) return outcome_;
  for (;; ++seq_) {
    auto batch = source_.next(true);
    if (!batch) {
      fail(batch.error(), interrupted().load() ? exit_interrupted : exit_failed);
      break;
    }
    if (!*batch) break;
    // Only its last known append is sent, to see that the input is still the same.
    if (seq_ + 1 < known_below_) {
      count_found(**batch);
      progressed(outcome_);
      continue;
    }
    if (settings_.producer.empty() && !check_end()) break;
    if (!store(**batch)) break;
    progressed(outcome_);
  }
  return outcome_;
}

// An idempotency key stands for one append: the batch at hand must be all there is.
bool identity_session::check_end() {
  const auto more = source_.next(true);
  if (!more) return fail(more.error(), interrupted().load() ? exit_interrupted : exit_failed);
  if (!*more) return true;
  return fail({errc::too_large,
               "the input does not fit one append, which is what an idempotency key stands for; "
               "nothing was stored (--producer ID appends in batches)"},
              exit_failed);
}

bool identity_session::store(const line_batch& batch) {
  net::append_call call;
  call.log = settings_.log;
  call.content_type = "application/x-ndjson";
  call.body = batch.body;
  call.idempotency_key = settings_.idempotency_key;
  if (!settings_.producer.empty()) {
    call.producer = net::producer_place{settings_.producer, settings_.epoch, seq_};
  }
  may_be_stored_ = false;
  while (true) {
    const auto stored = client_.append(call);
    if (stored) {
      retries_.succeeded();
      if (stored->count == batch.line_count) {
        count(batch, *stored);
        return true;
      }
      return fail({errc::corruption, fmt::format("the node confirmed {} records, expected {}",
                                                 stored->count, batch.line_count)},
                  exit_failed);
    }
    const auto& failure = client_.failure();
    if (stored.code() == errc::sequence_too_old) {
      count_found(batch);
      if (failure.refused) known_below_ = failure.refused->expected_seq.value_or(0);
      return true;
    }
    may_be_stored_ = may_be_stored_ || failure.outcome_unknown();
    if (!interrupted().load() && retries_.wait(failure)) continue;
    return on_refused(batch, stored.error());
  }
}

bool identity_session::on_refused(const line_batch& batch, const error& why) {
  const auto lines =
      fmt::format("lines {} to {}", batch.first_line, batch.first_line + batch.line_count - 1);
  switch (why.code) {
    case errc::key_reused:
      return fail(
          {why.code, fmt::format("{} are not what was stored under this {} first: {}", lines,
                                 settings_.producer.empty() ? "key" : "producer", why.detail)},
          exit_failed);
    case errc::sequence_gap:
      return fail(
          {why.code, fmt::format("{} cannot be append number {} of the producer {} in "
                                 "epoch {}: {}",
                                 lines, seq_, settings_.producer, settings_.epoch, why.detail)},
          exit_failed);
    case errc::invalid_argument:
    case errc::too_large:  // the node counts lines within the batch
      fail_call({why.code, fmt::format("batch of {}: {}", lines, why.detail)});
      break;
    default:
      fail_call(why);
  }
  if (may_be_stored_) {
    outcome_.unknown_count = batch.line_count;
    outcome_.code = exit_unknown;
  }
  return false;
}

void identity_session::count(const line_batch& batch, const net::receipt& receipt) {
  if (!outcome_.first_offset) outcome_.first_offset = receipt.offset;
  outcome_.next_offset = receipt.offset + receipt.count;
  if (receipt.replayed) return count_found(batch);
  outcome_.stored_count += batch.line_count;
  outcome_.stored_bytes += batch.input_bytes;
  outcome_.next_line = batch.first_line + batch.line_count;
}

void identity_session::count_found(const line_batch& batch) {
  outcome_.found_count += batch.line_count;
  outcome_.found_bytes += batch.input_bytes;
  outcome_.next_line = batch.first_line + batch.line_count;
}

}  // namespace cairn::cli
