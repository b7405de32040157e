#pragma once
// A node's configuration as its parts want it. Pure.

#include "apps/data_directory.hpp"
#include "apps/node_config.hpp"
#include "apps/peer_hub.hpp"
#include "net/backend.hpp"
#include "net/gateway.hpp"
#include "proto/cairn/v1/inspect.pb.h"
#include "proto/cluster_context.hpp"

#include <memory>
#include <prometheus/registry.h>

namespace cairn::apps {

/// This node as its cluster is to know it; `http` with port 0: where it listens is told later.
[[nodiscard]] proto::cluster_member member_of(const node_config& config, const data_directory& data,
                                              const node_peer_hub& hub, const listen_address& http);
/// The same for clients of a node that is alone so far, and for the console.
[[nodiscard]] net::member_info shown_of(const proto::cluster_member& self);
[[nodiscard]] v1::MemberState member_state_of(const net::member_info& shown);

[[nodiscard]] net::gateway_config gateway_of(const node_config& config,
                                             std::shared_ptr<prometheus::Registry> registry);

/// The settings of the log for clients, and for the console.
[[nodiscard]] net::log_settings settings_of(const node_config& config);
[[nodiscard]] v1::LogState log_limits_of(const node_config& config);

}  // namespace cairn::apps
