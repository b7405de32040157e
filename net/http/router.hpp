#pragma once
// Which paths and methods there are. One table: the router, the metrics' labels, `Allow` and the
// check of openapi.json against the code all read it.

#include "net/http/request.hpp"
#include "net/http/target.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace cairn::net {

enum class route_id : std::uint8_t {
  proglog,
  records,
  record,
  logs,
  log,
  log_trim,
  log_backup,
  log_restore,
  log_leader,
  log_raft,
  cluster,
  cluster_members,
  cluster_member,
  actors,
  actor,
  node,
  log_levels,
  log_level,
  recorder,
  events,
  livez,
  readyz,
  metrics,
  openapi,
  ui,
  none,  ///< no such path; also everything refused before its path was known
};
inline constexpr std::size_t k_route_count = static_cast<std::size_t>(route_id::none) + 1;

struct route {
  route_id id = route_id::none;
  std::string_view pattern;   ///< as in openapi.json: "/v1/logs/{log}"
  std::uint32_t methods = 0;  ///< bits (1 << http_method) that are served
  std::uint32_t later = 0;    ///< bits of methods that are part of the API but not served yet: 501
};

/// All routes, in the order of route_id, without `none`.
[[nodiscard]] std::span<const route> all_routes();

/// "/v1/logs/{log}", or "none": a label for metrics, so bounded.
[[nodiscard]] std::string_view label_of(route_id id);

/// A path that was found. `log` is the segment that stands for {log}, `item` the one for any other
/// parameter.
struct route_match {
  const route* found = nullptr;  ///< null: 404
  std::string_view log;
  std::string_view item;
};

[[nodiscard]] route_match find_route(const request_target& target);

[[nodiscard]] constexpr std::uint32_t method_bit(http_method method) {
  return 1U << static_cast<unsigned>(method);
}

/// The value of `Allow` for a route: what is served or will be.
[[nodiscard]] std::string allow_of(const route& found);

/// True for 1-128 of A-Z a-z 0-9 . _ -, not starting with '.' or '_'.
[[nodiscard]] bool is_log_name(std::string_view name);

}  // namespace cairn::net
