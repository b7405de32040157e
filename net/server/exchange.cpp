#include "net/server/exchange.hpp"

#include "net/http/json_out.hpp"
#include "net/http/status.hpp"
#include "net/http/trace_context.hpp"

#include <fmt/format.h>

namespace cairn::net {

std::uint64_t worker_context::next_span_id() {
  // splitmix64: spans only need to differ.
  for (;;) {
    span_seed += 0x9e3779b97f4a7c15U;
    std::uint64_t z = span_seed;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    z ^= z >> 31U;
    if (z != 0) return z;
  }
}

void exchange::begin(exchange_owner& owner, worker_context& context) {
  owner_ = &owner;
  context_ = &context;
  started = context.now;
}

void exchange::release() {
  cancel_pending();
  // Strings keep their memory, unless an answer was unusually large.
  constexpr std::size_t k_kept_bytes = 16 * 1024;
  std::string kept_out = std::move(out);
  std::string kept_log = std::move(parameters.log);
  std::string kept_trace = std::move(traceparent_);
  if (kept_out.capacity() > k_kept_bytes) kept_out = {};
  kept_out.clear();
  kept_log.clear();
  kept_trace.clear();
  *this = exchange{};
  out = std::move(kept_out);
  parameters.log = std::move(kept_log);
  traceparent_ = std::move(kept_trace);
}

void exchange::take_traceparent(std::string_view value) {
  if (is_traceparent(value)) traceparent_ = value;
}

const std::string& exchange::trace_id() {
  if (!trace_id_.empty()) return trace_id_;
  if (traceparent_.empty()) {
    trace_id_ = fmt::format("{:016x}{:016x}", context_->next_span_id(), context_->next_span_id());
  } else {
    trace_id_ = trace_id_of(traceparent_);
  }
  return trace_id_;
}

void exchange::write_head(int answer_status, std::string_view content_type,
                          std::optional<std::uint64_t> length, std::string_view header_lines) {
  status = answer_status;
  out += status_line_of(answer_status);
  out += context_->common_lines;
  if (!parameters.log.empty()) {
    if (const auto next = context_->node->next_offset(parameters.log)) {
      out += "Cairn-Next-Offset: ";
      append_number(out, next->value());
      out += "\r\n";
    }
  }
  if (!traceparent_.empty()) {
    out += "traceparent: ";
    append_child_traceparent(out, traceparent_, context_->next_span_id());
    out += "\r\n";
  }
  out += header_lines;
  if (!content_type.empty()) {
    out += "Content-Type: ";
    out += content_type;
    out += "\r\n";
  }
  if (length) {
    out += "Content-Length: ";
    append_number(out, *length);
    out += "\r\n";
  } else if (minor_version >= 1) {
    out += "Transfer-Encoding: chunked\r\n";
  } else {
    keep_alive = false;
  }
  if (!keep_alive || context_->draining) {
    keep_alive = false;
    out += "Connection: close\r\n";
  } else if (minor_version == 0) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
}

void exchange::answer(int answer_status, std::string_view content_type, std::string_view body,
                      std::string_view header_lines) {
  CAIRN_CHECK(status == 0, "a request is answered twice: {} after {}", answer_status, status);
  if (body.size() >= k_accounted_bytes && method != http_method::head &&
      !owner_->reserve(*this, body.size())) {
    return fail(failure{.code = errc::overloaded,
                        .detail = "too many answers wait for their clients to read them"});
  }
  write_head(answer_status, content_type, body.size(), header_lines);
  if (method != http_method::head) out += body;
  waits = false;
  done = true;
  owner_->on_output(*this);
}

void exchange::fail(const problem& what) {
  cancel_pending();
  if (status != 0) return break_off();
  if (what.close) keep_alive = false;
  const write_outcome said =
      (what.status == 504 || what.may_be_stored) && outcome != write_outcome::not_a_write
          ? write_outcome::unknown
          : outcome;
  answered_outcome = said;
  problem_code = what.code;
  if (what.status == 429 || what.status >= 500) problem_detail = what.detail;
  answer(what.status, "application/problem+json", to_json(what, said, trace_id()),
         what.header_lines);
}

void exchange::begin_stream(int answer_status, std::string_view content_type,
                            std::string_view header_lines) {
  CAIRN_CHECK(status == 0, "a request is answered twice: {} after {}", answer_status, status);
  write_head(answer_status, content_type, std::nullopt, header_lines);
  if (method == http_method::head) {
    cancel_pending();
    waits = false;
    done = true;
  }
  owner_->on_output(*this);
}

void exchange::put(std::string_view piece) {
  if (done || piece.empty()) return;
  if (piece.size() >= k_accounted_bytes && !owner_->reserve(*this, piece.size())) {
    return break_off();
  }
  if (minor_version >= 1) {
    fmt::format_to(std::back_inserter(out), "{:x}\r\n", piece.size());
    out += piece;
    out += "\r\n";
  } else {
    out += piece;
  }
  owner_->on_output(*this);
}

void exchange::finish_stream() {
  if (done) return;
  if (minor_version >= 1) out += "0\r\n\r\n";
  waits = false;
  done = true;
  owner_->on_output(*this);
}

void exchange::break_off() {
  cancel_pending();
  owner_->on_broken(*this);
}

void exchange::cancel_pending() {
  if (pending != 0) context_->port->cancel(pending);
  settled();
}

void exchange::expire() {
  cancel_pending();
  if (outcome != write_outcome::not_a_write) {
    return fail(failure{.code = errc::outcome_unknown,
                        .detail = "it was not confirmed in time; it may have happened"});
  }
  fail(failure{.code = errc::unavailable, .detail = "the node did not answer in time"});
}

}  // namespace cairn::net
