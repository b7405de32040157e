// livez, readyz, metrics, openapi.json.
#include "net/handlers/handlers.hpp"
#include "net/http/json_out.hpp"
#include "net/server/http_metrics.hpp"

#include <array>
#include <vector>

namespace cairn::net {

namespace {

// Probes ask for all kinds of types and want to know only the status.
constexpr std::string_view k_metrics_type = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace

std::optional<problem> check_health(exchange&, check_input&) {
  return std::nullopt;
}

void run_livez(exchange& x, const request_head&, std::string_view) {
  x.answer(200, k_json_type, "{\"status\":\"ok\"}\n");
}

void run_readyz(exchange& x, const request_head&, std::string_view) {
  std::vector<std::string> reasons = x.context().node->unready_reasons();
  if (x.context().draining) reasons.emplace_back("the gateway is stopping");
  if (reasons.empty()) return x.answer(200, k_json_type, "{\"status\":\"ready\"}\n");
  std::string facts = ",\"reasons\":[";
  std::string detail;
  for (const std::string& reason : reasons) {
    if (!detail.empty()) {
      facts += ',';
      detail += "; ";
    }
    append_json_lossy(facts, reason);
    detail += reason;
  }
  facts += ']';
  problem unready = problem_of({.code = errc::unavailable, .detail = std::move(detail)}, {});
  unready.facts += facts;
  x.fail(unready);
}

std::optional<problem> check_metrics(exchange&, check_input& in) {
  constexpr std::array<std::string_view, 1> offers{"text/plain"};
  std::size_t chosen = 0;
  return negotiate_or_refuse(in.head, offers, chosen);
}

void run_metrics(exchange& x, const request_head&, std::string_view) {
  x.context().flush_metrics();
  x.answer(200, k_metrics_type, format_metrics(*x.context().registry));
}

void run_openapi(exchange& x, const request_head&, std::string_view) {
  x.answer(200, k_json_type, openapi_text());
}

}  // namespace cairn::net
