#include "net/server/request_log.hpp"

#include "net/http/status.hpp"
#include "storage/base/log_line.hpp"

namespace cairn::net {

namespace {

constexpr auto k_gateway = log_component::gateway;

bool is_probe(route_id route) {
  return route == route_id::livez || route == route_id::readyz;
}

/// What the node could not do, though the client asked for something possible.
bool is_trouble(const exchange& x) {
  const bool refused = x.status == 429 || (x.status >= 500 && x.status != 501);
  return refused && !is_probe(x.route);
}

std::string_view consequence(const exchange& x) {
  switch (x.answered_outcome) {
    case write_outcome::rejected:
      return "Certainly nothing was stored; the client may try again.";
    case write_outcome::unknown:
      return "It may or may not be stored; the client finds out by trying again with the same "
             "idempotency key.";
    case write_outcome::not_a_write:
      break;
  }
  return "The client may try again, here or at another node.";
}

void add_facts(log_line&& line, exchange& x, const std::string& client,
               std::chrono::nanoseconds took, std::string_view message) {
  std::move(line)
      .field("request_id", x.trace_id())
      .field("method", to_string(x.method))
      .field("route", label_of(x.route))
      .field("log", x.parameters.max_record_bytes == 0 ? std::string() : x.parameters.log)
      .field("status", x.status)
      .field("code", x.problem_code)
      .field("took_us", std::chrono::duration_cast<std::chrono::microseconds>(took).count())
      .field("client", client)
      .say("{}", message);
}

}  // namespace

bool wants_line(const exchange& x) {
  return log_enabled(k_gateway, log_level::debug) ||
         (is_trouble(x) && log_enabled(k_gateway, log_level::warning));
}

void log_answer(exchange& x, const std::string& client, std::chrono::nanoseconds took) {
  if (is_trouble(x)) {
    const auto kind = static_cast<std::uint64_t>(x.route) * 1'000 + static_cast<unsigned>(x.status);
    add_facts(
        log_warning(k_gateway).sparsely(kind), x, client, took,
        fmt::format("{} {} was answered with {} {}: {}. {}", to_string(x.method), label_of(x.route),
                    x.status, reason_of(x.status), x.problem_detail, consequence(x)));
    return;
  }
  add_facts(
      log_debug(k_gateway), x, client, took,
      fmt::format("{} {} was answered with {}", to_string(x.method), label_of(x.route), x.status));
}

void log_refusal(exchange& x, const std::string& client, const problem& what) {
  log_info(k_gateway)
      .sparsely()
      .field("request_id", x.trace_id())
      .field("status", what.status)
      .field("code", what.code)
      .field("client", client)
      .say("a request that is no HTTP was refused: {}. Its connection is closed.", what.detail);
}

}  // namespace cairn::net
