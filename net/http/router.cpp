#include "net/http/router.hpp"

#include <algorithm>
#include <array>

namespace cairn::net {

namespace {

constexpr std::uint32_t k_get = method_bit(http_method::get) | method_bit(http_method::head);
constexpr std::uint32_t k_post = method_bit(http_method::post);
constexpr std::uint32_t k_put = method_bit(http_method::put);
constexpr std::uint32_t k_patch = method_bit(http_method::patch);
constexpr std::uint32_t k_delete = method_bit(http_method::del);

constexpr std::array<route, k_route_count - 1> k_routes{{
    {route_id::proglog, "/", k_get | k_post, 0},
    {route_id::records, "/v1/logs/{log}/records", k_get | k_post, 0},
    {route_id::record, "/v1/logs/{log}/records/{offset}", k_get, 0},
    {route_id::logs, "/v1/logs", k_get, 0},
    {route_id::log, "/v1/logs/{log}", k_get, k_put | k_patch | k_delete},
    {route_id::log_trim, "/v1/logs/{log}/trim", 0, k_post},
    {route_id::log_backup, "/v1/logs/{log}/backup", 0, k_get},
    {route_id::log_restore, "/v1/logs/{log}/restore", 0, k_post},
    {route_id::log_leader, "/v1/logs/{log}/leader", k_post, 0},
    {route_id::log_raft, "/v1/logs/{log}/raft", k_get, 0},
    {route_id::cluster, "/v1/cluster", k_get, 0},
    {route_id::cluster_members, "/v1/cluster/members", k_post, 0},
    {route_id::cluster_member, "/v1/cluster/members/{id}", k_delete, 0},
    {route_id::actors, "/v1/actors", k_get, 0},
    {route_id::actor, "/v1/actors/{id}", k_get, 0},
    {route_id::node, "/v1/node", k_get, 0},
    {route_id::log_levels, "/v1/log-levels", k_get, 0},
    {route_id::log_level, "/v1/log-levels/{component}", k_put, 0},
    {route_id::recorder, "/v1/recorder", k_get, 0},
    {route_id::events, "/v1/events", k_get, 0},
    {route_id::livez, "/livez", k_get, 0},
    {route_id::readyz, "/readyz", k_get, 0},
    {route_id::metrics, "/metrics", k_get, 0},
    {route_id::openapi, "/openapi.json", k_get, 0},
    {route_id::ui, "/ui/", 0, k_get},
}};

constexpr bool in_id_order() {
  for (std::size_t i = 0; i < k_routes.size(); ++i) {
    if (static_cast<std::size_t>(k_routes[i].id) != i) return false;
  }
  return true;
}
static_assert(in_id_order(), "routes are found by their id");

/// Compares segment by segment; `{name}` matches any one segment.
bool matches(const route& candidate, const request_target& target, route_match& match) {
  std::string_view pattern = candidate.pattern.substr(1);
  if (pattern.ends_with('/') != target.trailing_slash) return false;
  match = {&candidate, {}, {}};
  for (std::size_t i = 0; i < target.segment_count; ++i) {
    if (pattern.empty()) return false;
    const auto end = std::min(pattern.find('/'), pattern.size());
    const std::string_view part = pattern.substr(0, end);
    const std::string_view segment = target.segments[i];
    if (part == "{log}") {
      match.log = segment;
    } else if (part.starts_with('{')) {
      match.item = segment;
    } else if (part != segment) {
      return false;
    }
    pattern.remove_prefix(std::min(end + 1, pattern.size()));
  }
  return pattern.empty();
}

}  // namespace

std::span<const route> all_routes() {
  return k_routes;
}

std::string_view label_of(route_id id) {
  return id == route_id::none ? std::string_view("none")
                              : k_routes.at(static_cast<std::size_t>(id)).pattern;
}

route_match find_route(const request_target& target) {
  if (target.too_deep || target.asterisk) return {};
  route_match match;
  for (const route& candidate : k_routes) {
    if (matches(candidate, target, match)) return match;
  }
  return {};
}

std::string allow_of(const route& found) {
  std::string out;
  for (std::size_t i = 0; i < k_method_count; ++i) {
    const auto method = static_cast<http_method>(i);
    if (((found.methods | found.later) & method_bit(method)) == 0) continue;
    if (!out.empty()) out += ", ";
    out += to_string(method);
  }
  return out;
}

bool is_log_name(std::string_view name) {
  if (name.empty() || name.size() > 128 || name[0] == '.' || name[0] == '_') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
           c == '_' || c == '-';
  });
}

}  // namespace cairn::net
