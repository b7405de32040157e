#pragma once
// The handlers of the routes, a pair of functions each: check_... judges the head and fills in
// x.parameters, run_... answers. See dispatch.hpp for when they are called.

#include "net/http/query.hpp"
#include "net/http/request.hpp"
#include "net/server/exchange.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace cairn::net {

/// What a check_... function looks at.
struct check_input {
  const request_head& head;
  query_reader& query;    ///< parameters that nobody takes are refused afterwards
  std::string_view item;  ///< the path's {offset} or {id}
};

using check_function = std::optional<problem> (*)(exchange&, check_input&);
using run_function = void (*)(exchange&, const request_head&, std::string_view body);

inline constexpr std::string_view k_json_type = "application/json";

// append.cpp
std::optional<problem> check_append(exchange& x, check_input& in);
void run_append(exchange& x, const request_head& head, std::string_view body);
std::optional<problem> check_proglog_produce(exchange& x, check_input& in);
void run_proglog_produce(exchange& x, const request_head& head, std::string_view body);

// read.cpp
std::optional<problem> check_read_range(exchange& x, check_input& in);
void run_read_range(exchange& x, const request_head& head, std::string_view body);
std::optional<problem> check_read_record(exchange& x, check_input& in);
void run_read_record(exchange& x, const request_head& head, std::string_view body);
std::optional<problem> check_proglog_consume(exchange& x, check_input& in);
void run_proglog_consume(exchange& x, const request_head& head, std::string_view body);

// describe.cpp
std::optional<problem> check_json_only(exchange& x, check_input& in);
void run_list_logs(exchange& x, const request_head& head, std::string_view body);
void run_describe_log(exchange& x, const request_head& head, std::string_view body);
std::optional<problem> check_inspection(exchange& x, check_input& in);
void run_describe_cluster(exchange& x, const request_head& head, std::string_view body);
void run_describe_node(exchange& x, const request_head& head, std::string_view body);
std::optional<problem> check_recorder(exchange& x, check_input& in);
void run_recorder(exchange& x, const request_head& head, std::string_view body);
void run_describe_raft(exchange& x, const request_head& head, std::string_view body);
std::optional<problem> check_actor(exchange& x, check_input& in);
void run_show_log_levels(exchange& x, const request_head& head, std::string_view body);
std::optional<problem> check_set_log_level(exchange& x, check_input& in);
void run_set_log_level(exchange& x, const request_head& head, std::string_view body);
void run_list_actors(exchange& x, const request_head& head, std::string_view body);
void run_describe_actor(exchange& x, const request_head& head, std::string_view body);

// events.cpp
std::optional<problem> check_events(exchange& x, check_input& in);
void run_events(exchange& x, const request_head& head, std::string_view body);

// change.cpp
std::optional<problem> check_add_member(exchange& x, check_input& in);
void run_add_member(exchange& x, const request_head& head, std::string_view body);
std::optional<problem> check_remove_member(exchange& x, check_input& in);
void run_remove_member(exchange& x, const request_head& head, std::string_view body);
std::optional<problem> check_move_leader(exchange& x, check_input& in);
void run_move_leader(exchange& x, const request_head& head, std::string_view body);

// health.cpp
std::optional<problem> check_health(exchange& x, check_input& in);
void run_livez(exchange& x, const request_head& head, std::string_view body);
void run_readyz(exchange& x, const request_head& head, std::string_view body);
std::optional<problem> check_metrics(exchange& x, check_input& in);
void run_metrics(exchange& x, const request_head& head, std::string_view body);
void run_openapi(exchange& x, const request_head& head, std::string_view body);

/// 406 unless one of `offers` is acceptable; its position goes to `chosen`.
[[nodiscard]] std::optional<problem> negotiate_or_refuse(const request_head& head,
                                                         std::span<const std::string_view> offers,
                                                         std::size_t& chosen);

/// The text of net/openapi.json, embedded at build time.
[[nodiscard]] std::string_view openapi_text();

}  // namespace cairn::net
