#include "net/http/problem.hpp"

#include "net/http/json_out.hpp"
#include "net/http/status.hpp"

#include <fmt/format.h>

namespace cairn::net {

namespace {

// Whether an append that failed like this, or an earlier attempt at it, may be stored.
bool leaves_open(const failure& what) {
  switch (what.code) {
    case errc::outcome_unknown:
    case errc::sequence_too_old:  // it was, in all likelihood
    case errc::producer_fenced:   // what the older epoch has stored is forgotten
      return true;
    case errc::sequence_gap:
      // 0: the producer is not known, or not any more.
      return what.expected_seq == std::uint64_t{0};
    default:
      return false;
  }
}

}  // namespace

problem problem::with_fact(std::string_view name, std::uint64_t value) && {
  append_json_key(facts, name);
  append_number(facts, value);
  return std::move(*this);
}

problem problem::with_fact(std::string_view name, std::string_view value) && {
  append_json_key(facts, name);
  append_json_lossy(facts, value);
  return std::move(*this);
}

problem problem::with_header(std::string_view name, std::string_view value) && {
  header_lines.append(name).append(": ").append(value).append("\r\n");
  return std::move(*this);
}

problem problem::closing() && {
  close = true;
  return std::move(*this);
}

problem make_problem(int status, std::string_view code, std::string detail) {
  problem made;
  made.status = status;
  made.code = code;
  made.detail = std::move(detail);
  return made;
}

problem bad_argument(std::string detail) {
  return make_problem(400, to_string(errc::invalid_argument), std::move(detail));
}

problem bad_framing(std::string detail) {
  return make_problem(400, "bad-request", std::move(detail)).closing();
}

int status_of(errc code) {
  switch (code) {
    case errc::none:
      return 200;
    case errc::invalid_argument:
      return 400;
    case errc::too_large:
      return 413;
    case errc::not_found:
      return 404;
    case errc::already_exists:
      return 409;
    case errc::offset_not_written:
      return 404;
    case errc::offset_trimmed:
      return 410;
    case errc::expected_offset_missed:
      return 412;
    case errc::unsupported:
      return 501;
    case errc::overloaded:
      return 429;
    case errc::unavailable:
    case errc::disk_full:
    case errc::would_block:
    case errc::locked:
      return 503;
    case errc::outcome_unknown:
      return 504;
    case errc::key_reused:
      return 422;
    case errc::sequence_gap:
    case errc::producer_fenced:
    case errc::sequence_too_old:
      return 409;
    case errc::corruption:
    case errc::io_error:
    case errc::internal:
      return 500;
  }
  return 500;
}

problem problem_of(const failure& what, std::string_view log) {
  const int status = status_of(what.code);
  problem made = make_problem(status, to_string(what.code), what.detail);
  if (!log.empty()) made = std::move(made).with_fact("log", log);
  if (what.bounds) {
    made = std::move(made)
               .with_fact("lowest_offset", what.bounds->lowest.value())
               .with_fact("next_offset", what.bounds->next.value());
  }
  if (!what.leader.empty()) made = std::move(made).with_fact("leader", what.leader);
  if (what.expected_seq) {
    made = std::move(made).with_fact("expected_seq", *what.expected_seq);
  }
  made.may_be_stored = leaves_open(what);
  if (status == 429 || status == 503) {
    // Retry-After counts whole seconds; the exact hint is in the body.
    const std::uint64_t wait_ms = what.retry_after_ms == 0 ? 1000 : what.retry_after_ms;
    made = std::move(made)
               .with_fact("retry_after_ms", wait_ms)
               .with_header("Retry-After", fmt::to_string((wait_ms + 999) / 1000));
  }
  return made;
}

std::string to_json(const problem& what, write_outcome outcome, std::string_view trace_id) {
  std::string out = "{\"type\":";
  append_json_lossy(out, "urn:cairn:problem:" + what.code);
  append_json_key(out, "title");
  append_json_lossy(out, reason_of(what.status));
  append_json_key(out, "status");
  append_number(out, static_cast<std::uint64_t>(what.status));
  append_json_key(out, "detail");
  append_json_lossy(out, what.detail);
  append_json_key(out, "code");
  append_json_lossy(out, what.code);
  out += what.facts;
  if (outcome != write_outcome::not_a_write) {
    append_json_key(out, "outcome");
    append_json_lossy(out, outcome == write_outcome::unknown ? "unknown" : "rejected");
  }
  if (!trace_id.empty()) {
    append_json_key(out, "request_id");
    append_json_lossy(out, trace_id);
  }
  out += "}\n";
  return out;
}

}  // namespace cairn::net
