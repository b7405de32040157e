#include "apps/node_parts.hpp"

#include "apps/version.hpp"

#include <utility>

namespace cairn::apps {

proto::cluster_member member_of(const node_config& config, const data_directory& data,
                                const node_peer_hub& hub, const listen_address& http) {
  return {.number = data.identity().number,
          .node_id = config.node_id,
          .data_id = data.identity().data_id,
          .peer = hub.address(),
          .http = http.port == 0 ? "" : advertised(config, http),  // told later: serves_clients
          .grpc = "",                                              // nothing listens there yet
          .zone = config.zone};
}

net::log_settings settings_of(const node_config& config) {
  net::log_settings settings;
  settings.segment_bytes = config.log.segment_bytes;
  settings.segment_ms = config.retention.segment_ms;
  settings.retention_bytes = config.retention.bytes;
  settings.retention_ms = config.retention.ms;
  settings.max_record_bytes = config.max_record_bytes;
  return settings;
}

net::member_info shown_of(const proto::cluster_member& self) {
  net::member_info shown;
  shown.id = self.node_id;
  shown.state = "alive";
  shown.http = self.http;
  shown.grpc = self.grpc;
  shown.peer = self.peer;
  shown.version = k_version;
  shown.incarnation = 1;
  shown.zone = self.zone;
  return shown;
}

net::gateway_config gateway_of(const node_config& config,
                               std::shared_ptr<prometheus::Registry> registry) {
  net::gateway_config http;
  http.address = config.http.host;
  http.port = config.http.port;
  http.threads = config.http_threads;
  http.limits = config.http_limits;
  http.registry = std::move(registry);
  return http;
}

v1::MemberState member_state_of(const net::member_info& shown) {
  v1::MemberState out;
  out.set_id(shown.id);
  out.set_state(shown.state);
  out.set_incarnation(shown.incarnation);
  out.set_linked(true);
  out.set_peer(shown.peer);
  out.set_http(shown.http);
  out.set_grpc(shown.grpc);
  out.set_version(shown.version);
  out.set_zone(shown.zone);
  return out;
}

v1::LogState log_limits_of(const node_config& config) {
  v1::LogState out;
  out.set_segment_bytes(config.log.segment_bytes);
  out.set_segment_ms(config.retention.segment_ms);
  out.set_retention_bytes(config.retention.bytes);
  out.set_retention_ms(config.retention.ms);
  out.set_max_record_bytes(config.max_record_bytes);
  return out;
}

}  // namespace cairn::apps
