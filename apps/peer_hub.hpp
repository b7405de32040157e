#pragma once
// The hub of a node: net/peer dials, accepts and exchanges hellos; actors/peer_plane carries
// envelopes over CAF.

#include "actors/peer_hub.hpp"
#include "storage/base/result.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <prometheus/registry.h>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::apps {

struct peer_hub_limits {
  /// An envelope with everything around it. Larger ones are refused by send(), and a peer that
  /// announces one is cut.
  std::size_t frame_bytes = std::size_t{24} << 20;
  /// What may wait for one slow peer; beyond it send() says false.
  std::size_t control_bytes = std::size_t{4} << 20;
  std::size_t bulk_bytes = std::size_t{64} << 20;
  /// Of observers: how many, an envelope of theirs with everything around it, what may wait for one
  /// on a lane, and how many envelopes of one may wait for whoever answers before more are dropped.
  std::size_t observers = 8;
  std::size_t observer_frame_bytes = std::size_t{64} << 10;
  std::size_t observer_waiting_bytes = std::size_t{8} << 20;
  std::size_t observer_unread = 64;
  /// Connections that have not finished their hello.
  std::size_t half_open = 64;
  std::chrono::milliseconds dial{3'000};   ///< until the connection stands
  std::chrono::milliseconds hello{5'000};  ///< from connected to the end of the hello
  std::chrono::milliseconds backoff_min{100};
  std::chrono::milliseconds backoff_max{2'000};
  std::chrono::milliseconds heartbeat{500};
  std::chrono::milliseconds silence{5'000};  ///< no frame, not even a heartbeat: the link is cut
};

/// Who is at the other end, as it says itself.
struct peer_identity {
  std::string node_id;
  std::string data_id;     ///< of its data directory
  std::string cluster_id;  ///< empty: it wants to join
  std::string address;     ///< where it listens
};

struct peer_hub_config {
  /// This process is no node: it looks at them (docs/protocol/peer.md). It listens nowhere, has an
  /// id that it makes up, and may send `inspect` and gets `inspect_answer` only. Of the rest,
  /// cluster_id, listen_host, listen_port, advertise and refuse mean nothing then.
  bool observes = false;
  std::string node_id;
  std::string data_id;
  /// The cluster this node belongs to; empty until it has joined. Called on any thread, cheap.
  std::function<std::string()> cluster_id;
  std::string listen_host = "127.0.0.1";
  std::uint16_t listen_port = 0;  ///< 0: any
  std::string advertise;          ///< "host:port" that others are told; empty: where we listen
  peer_hub_limits limits;
  /// A reason to refuse a peer whose hello is otherwise right (it is told and logged), or empty. On
  /// the hub's thread.
  std::function<std::string(const peer_identity&)> refuse;
  std::shared_ptr<prometheus::Registry> registry;  ///< may be null
  /// A dial of connect() came to nothing: the node (or the address, if it was dialled by that
  /// alone), the word for it that the metrics have ("not-a-peer"), and a sentence that says why. It
  /// goes on until forget(). May be null. On the hub's thread.
  std::function<void(const std::string& target, std::string_view why, const std::string& reason)>
      on_dial_failed;
  std::function<void(std::string_view)> log;  ///< few lines, limited; null: the process' log
};

/// A link as operators see it.
struct peer_link_facts {
  std::string node;
  std::string address;  ///< of the other end, "host:port"; empty for an observer
  bool observer = false;
  bool up = false;                              ///< both lanes work
  std::chrono::system_clock::time_point since;  ///< when it was begun
};

class node_peer_hub : public actors::peer_hub {
public:
  /// All links, also of observers and those that are about to come up, by node id. Thread-safe.
  [[nodiscard]] virtual std::vector<peer_link_facts> links() const = 0;
  /// Where it listens: the port that was given or found.
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  /// What others are told: `advertise`, or host and port of the listener.
  [[nodiscard]] virtual const std::string& address() const = 0;
  /// Cuts all links, ends the hub's threads and lets receivers and watchers go. Later calls of
  /// anything do nothing. The destructor does the same.
  virtual void stop() = 0;
};

/// Starts a hub with three threads of ours (dialling, two planes) and CAF's own. invalid_argument:
/// listen_host is no address, an id is empty or too long; unavailable: the system refuses to listen
/// there. The process has to ignore SIGPIPE: CAF writes to pipes of its own while it ends.
[[nodiscard]] result<std::unique_ptr<node_peer_hub>> make_peer_hub(peer_hub_config config);

}  // namespace cairn::apps
