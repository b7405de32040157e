#pragma once
// How actors reach other nodes. The real hub is made by apps/peer_hub.hpp; tests use
// tests/support/fake_hub.hpp.

#include "actors/peer_envelope.hpp"

#include <caf/actor.hpp>
#include <string>

namespace cairn::actors {

/// Tells a watcher that the link to a node came up or was lost. Up means that both lanes work. A
/// watcher gets one for each link that is up when it begins to watch. Envelopes and link_changed
/// come from different threads: an envelope of a link that was just lost may still follow.
struct link_changed {
  std::string node;
  bool up = false;
  std::string address;   ///< of the other end, "host:port"; where it listens if that is known
  std::string reason{};  ///< why it was lost; empty when it is up
};

template <class Inspector>
bool inspect(Inspector& f, link_changed& x) {
  return f.object(x).fields(f.field("node", x.node), f.field("up", x.up),
                            f.field("address", x.address), f.field("reason", x.reason));
}

/// One per node. All functions are thread-safe and none blocks.
///
/// There is at most one link to a node, whoever dialled; links that others dial come up without
/// connect(). What is sent while there is none is dropped: the sender hears of it from send() and
/// from link_changed. Receivers and watchers are kept alive until the hub ends, so the hub ends
/// before their actor system.
class peer_hub {
public:
  virtual ~peer_hub() = default;

  /// Hands `envelope` to the link to `node`. cluster_id and sender are filled in when they are
  /// empty. False: dropped, because there is no link, the lane has no room (a slow peer: see its
  /// limits) or the envelope is larger than a frame may be. True: on its way, and lost without
  /// notice if the link breaks.
  virtual bool send(const std::string& node, peer_lane lane, peer_envelope envelope) = 0;

  /// From now on, `receiver` gets what comes of this kind for this log, as `peer_envelope` messages
  /// without a sender. Replaces an earlier receiver; an empty handle removes it. What nobody takes
  /// is dropped and counted.
  virtual void route(peer_kind kind, const std::string& log, caf::actor receiver) = 0;

  /// `who` gets link_changed messages from now on.
  virtual void watch(caf::actor who) = 0;

  /// Keeps a link to `node`: dials `address` ("host:port") with backoff until forget(). A later
  /// call replaces the address. `node` empty: dial whoever listens there (joining); link_changed
  /// then tells its node id.
  virtual void connect(const std::string& node, const std::string& address) = 0;

  /// Stops dialling `node` and cuts the link to it (which comes back if the other side dials). For
  /// a connect() without a node id give the address: the dialling ends, a link stays.
  virtual void forget(const std::string& node) = 0;
};

}  // namespace cairn::actors
