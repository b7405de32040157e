#pragma once
// A node's time before it is a member: it serves nothing but says what it waits for.

#include "actors/inspect/inspect_actor.hpp"
#include "apps/data_directory.hpp"
#include "apps/end_signal.hpp"
#include "apps/node_config.hpp"
#include "apps/peer_hub.hpp"
#include "net/backend.hpp"
#include "net/gateway.hpp"
#include "proto/cluster_context.hpp"

#include <caf/actor_system.hpp>
#include <functional>

namespace cairn::apps {

struct join_parts {
  caf::actor_system& system;
  storage::env& env;
  node_peer_hub& hub;
  end_signal& end;
  proto::cluster_member
      self;  ///< as the cluster is to know it, with the addresses of its listeners
  net::member_info shown;
  /// As node_actors_config::inspect.
  actors::inspect_actor_config inspect;
  /// Has what `http` listens on; its port is set once that is known.
  net::gateway_config http;
  /// Told where the gateway listens, before anybody is waited for.
  std::function<void(std::uint16_t port)> on_listening;
};

/// What came of waiting.
struct join_outcome {
  bool member = false;  ///< cluster_id and number are set
  bool ended = false;   ///< a signal came, or something failed: end.wait() tells
  error refused;        ///< otherwise: for good, and what to do
  std::string cluster_id;
  std::uint64_t number = 0;
  std::uint16_t http_port = 0;  ///< where the gateway listened
};

/// Serves a gateway that says what is waited for until the node is let in, is refused for good, or
/// must end. Main thread. unavailable: the gateway cannot listen.
[[nodiscard]] result<join_outcome> join_cluster(const node_config& config, join_parts parts);

}  // namespace cairn::apps
