#include "net/handlers/dispatch.hpp"

#include "net/handlers/handlers.hpp"
#include "net/http/accept.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cairn::net {

namespace {

struct handler {
  check_function check = nullptr;
  run_function run = nullptr;
};

handler handler_of(route_id route, http_method method) {
  const bool post = method == http_method::post;
  switch (route) {
    case route_id::proglog:
      if (post) return {check_proglog_produce, run_proglog_produce};
      return {check_proglog_consume, run_proglog_consume};
    case route_id::records:
      if (post) return {check_append, run_append};
      return {check_read_range, run_read_range};
    case route_id::record:
      return {check_read_record, run_read_record};
    case route_id::logs:
      return {check_json_only, run_list_logs};
    case route_id::log:
      return {check_json_only, run_describe_log};
    case route_id::cluster:
      return {check_inspection, run_describe_cluster};
    case route_id::cluster_members:
      return {check_add_member, run_add_member};
    case route_id::cluster_member:
      return {check_remove_member, run_remove_member};
    case route_id::log_leader:
      return {check_move_leader, run_move_leader};
    case route_id::actors:
      return {check_inspection, run_list_actors};
    case route_id::actor:
      return {check_actor, run_describe_actor};
    case route_id::node:
      return {check_inspection, run_describe_node};
    case route_id::recorder:
      return {check_recorder, run_recorder};
    case route_id::log_raft:
      return {check_inspection, run_describe_raft};
    case route_id::events:
      return {check_events, run_events};
    case route_id::log_levels:
      return {check_inspection, run_show_log_levels};
    case route_id::log_level:
      return {check_set_log_level, run_set_log_level};
    case route_id::livez:
      return {check_health, run_livez};
    case route_id::readyz:
      return {check_health, run_readyz};
    case route_id::metrics:
      return {check_metrics, run_metrics};
    case route_id::openapi:
      return {check_json_only, run_openapi};
    default:
      return {};
  }
}

std::optional<problem> check_method(exchange& x, const request_head& head, const route& found) {
  if (head.method == http_method::other) {
    return make_problem(501, to_string(errc::unsupported),
                        fmt::format("the method '{}' is not known", head.method_text));
  }
  const std::uint32_t bit = method_bit(head.method);
  if ((found.later & bit) != 0) {
    if (head.method != http_method::get && head.method != http_method::head) {
      x.outcome = write_outcome::rejected;
    }
    return make_problem(
        501, to_string(errc::unsupported),
        fmt::format("{} {} is not supported by this version", head.method_text, found.pattern));
  }
  if ((found.methods & bit) == 0) {
    return make_problem(405, "method-not-allowed",
                        fmt::format("{} is not allowed on {}", head.method_text, found.pattern))
        .with_header("Allow", allow_of(found));
  }
  return std::nullopt;
}

/// The log's name goes to the parameters, once it is one.
std::optional<problem> take_log(exchange& x, std::string_view name) {
  if (!is_log_name(name)) {
    return bad_argument(fmt::format(
        "'{}' is no log name: 1-128 of A-Z a-z 0-9 . _ -, not starting with . or _", name));
  }
  x.parameters.log = name;
  const auto max_record_bytes = x.context().node->max_record_bytes(name);
  if (!max_record_bytes) {
    return problem_of(
        {.code = errc::not_found, .detail = fmt::format("there is no log '{}'", name)}, name);
  }
  x.parameters.max_record_bytes = *max_record_bytes;
  return std::nullopt;
}

}  // namespace

std::optional<problem> negotiate_or_refuse(const request_head& head,
                                           std::span<const std::string_view> offers,
                                           std::size_t& chosen) {
  const auto best = negotiate(head.accept, offers);
  if (!best) {
    return make_problem(
        406, "not-acceptable",
        fmt::format("'{}' accepts none of {}", head.accept, fmt::join(offers, ", ")));
  }
  chosen = *best;
  return std::nullopt;
}

std::optional<problem> check_request(exchange& x, const request_head& head,
                                     const request_target& target) {
  const route_match match = find_route(target);
  if (match.found == nullptr) {
    if (head.method == http_method::other) {
      return make_problem(501, to_string(errc::unsupported),
                          fmt::format("the method '{}' is not known", head.method_text));
    }
    return make_problem(404, to_string(errc::not_found),
                        fmt::format("there is nothing at '{}'", head.target));
  }
  x.route = match.found->id;
  if (auto wrong = check_method(x, head, *match.found)) return wrong;
  if (head.method == http_method::post || head.method == http_method::del) {
    x.outcome = write_outcome::rejected;
  }
  if (x.route == route_id::proglog) {
    if (auto wrong = take_log(x, "default")) return wrong;
  } else if (match.found->pattern.find("{log}") != std::string_view::npos) {
    if (auto wrong = take_log(x, match.log)) return wrong;
  }
  query_reader query;
  if (auto wrong = query.parse(target.query)) return wrong;
  check_input in{head, query, match.item};
  if (auto wrong = handler_of(x.route, x.method).check(x, in)) return wrong;
  return query.refuse_unknown();
}

void run_request(exchange& x, const request_head& head, std::string_view body) {
  handler_of(x.route, x.method).run(x, head, body);
}

}  // namespace cairn::net
