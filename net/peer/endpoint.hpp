#pragma once
// The peer port: dials other nodes and lets them in, until two connections (one a lane) stand and
// both sides know whom they talk to. Then it hands the descriptors over and has nothing more to do
// with them.

#include "net/peer/connection.hpp"
#include "net/peer/hello.hpp"
#include "storage/base/result.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace cairn::net {

/// Two connected, non-blocking descriptors that the receiver owns, and who is at their other end.
struct peer_link {
  peer_hello hello;  ///< of the control lane; `address` is never empty if the other side listens
  bool dialled = false;  ///< by us
  std::array<int, k_peer_lane_count> descriptors{-1, -1};
  std::array<std::string, k_peer_lane_count> transports;
};

struct peer_endpoint_limits {
  std::size_t half_open = 64;
  std::size_t observers = 8;               ///< that are linked, or about to be
  std::chrono::milliseconds dial{3'000};   ///< name lookup and connect
  std::chrono::milliseconds hello{5'000};  ///< from connected to handed over
  std::chrono::milliseconds backoff_min{100};
  std::chrono::milliseconds backoff_max{2'000};
  std::chrono::milliseconds settle{2'000};    ///< see link_table
  std::chrono::milliseconds silence{10'000};  ///< TCP's own limit, above that of the heartbeats
};

struct peer_endpoint_config {
  std::string listen_host;  ///< empty: nobody is let in, as an observer has it
  std::uint16_t listen_port = 0;
  peer_endpoint_limits limits;
  /// node_id, data_id, address (empty: where we listen) and capabilities of ours; the rest is
  /// filled in. With k_peer_observer, cluster_id() has to be empty.
  peer_hello self;
  std::array<std::string, k_peer_lane_count> transports;  ///< ours
  std::function<std::string()> cluster_id;                ///< any thread
  /// A reason not to link with a node whose hello is right otherwise; may be null.
  std::function<std::string(const peer_hello&)> refuse;
  /// A link stands. An earlier one to the same node is dead, or one of an observer that took a
  /// node's id, and the receiver lets it go. On the endpoint's thread.
  std::function<void(peer_link)> on_link;
  /// A connection was refused by us (`inbound`) or by the other side. May be null. On the
  /// endpoint's thread.
  std::function<void(peer_refusal why, bool inbound)> on_refused;
  /// A dial of connect() came to nothing, with a sentence that says why; it goes on with backoff.
  /// `target`: the node, or the address of a target without one. Not for what is in order (another
  /// dial goes first). May be null. On the endpoint's thread.
  std::function<void(const std::string& target, peer_refusal why, const std::string& reason)>
      on_dial_failed;
  std::function<void(std::string_view)> log;
};

/// One thread of its own. Functions may be called from any thread and do not wait, except start()
/// and stop().
class peer_endpoint {
public:
  /// invalid_argument: listen_host is no address; unavailable: the system refuses to listen there.
  [[nodiscard]] static result<std::unique_ptr<peer_endpoint>> open(peer_endpoint_config config);
  ~peer_endpoint();
  peer_endpoint(const peer_endpoint&) = delete;
  peer_endpoint& operator=(const peer_endpoint&) = delete;

  /// Starts the thread. Before that nobody is accepted or dialled, and nothing called. Once.
  void run();

  [[nodiscard]] std::uint16_t port() const;
  /// Where others are told to dial.
  [[nodiscard]] const std::string& address() const;

  /// Dials `address` until there is a link to `node`, and again when it is lost. Empty node:
  /// whoever answers.
  void connect(const std::string& node, const std::string& address);
  /// Ends what connect() began, for a node or an address. A link that stands is the caller's to
  /// close.
  void forget(const std::string& node_or_address);
  /// The link that was handed over is no more: dial again if it is wanted.
  void link_lost(const std::string& node, std::uint64_t session);
  /// Closes everything that was not handed over and ends the thread. Nothing is called afterwards.
  void stop();

private:
  class impl;
  explicit peer_endpoint(std::unique_ptr<impl> state);
  std::unique_ptr<impl> impl_;
};

}  // namespace cairn::net
