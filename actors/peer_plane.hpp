#pragma once
// The CAF half of a lane: an actor system of its own whose middleman carries the envelopes of this
// lane. One system a lane, because BASP keeps one connection to a node and heartbeats must not wait
// behind bulk data (docs/adr/0022). BASP listens on no port and dials nobody: connections come from
// net/peer with their hello done, see attach().

#include "actors/peer_envelope.hpp"
#include "actors/peer_frame.hpp"
#include "storage/base/result.hpp"

#include <array>
#include <atomic>
#include <caf/mailbox_element.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace cairn::actors {

struct peer_plane_config {
  std::chrono::milliseconds heartbeat{500};
  /// Without any frame for so long, not even a heartbeat, a connection is cut.
  std::chrono::milliseconds silence{5'000};
  std::size_t frame_bytes_max = 0;
  /// What may wait for one peer, in the mailbox and in the write buffer together.
  std::size_t waiting_bytes_max = 0;
  /// The same of an observer: what it may send, and what may wait for it.
  std::size_t observer_frame_bytes_max = std::size_t{64} << 10;
  std::size_t observer_waiting_bytes_max = std::size_t{8} << 20;
  std::function<std::string()> own_cluster;  ///< any thread
  /// Gets each envelope, on the middleman's thread: what it does must be short.
  std::function<void(caf::mailbox_element_ptr)> deliver;
};

/// One connection of a plane. Thread-safe.
class peer_channel {
public:
  virtual ~peer_channel() = default;
  /// Never blocks. False: not ready or no more, too large, or too much waits already.
  virtual bool send(peer_envelope envelope) = 0;
  /// Cuts the connection. `lost` is called, unless it was before.
  virtual void close(std::string reason) = 0;
};

struct peer_attachment {
  int descriptor = -1;  ///< connected; the plane owns it from now on
  bool dialled = false;
  peer_role role = peer_role::member;
  std::string node;                        ///< node id of the other side
  std::string transport;                   ///< what its plane calls itself
  std::function<void(frame_event)> noted;  ///< on the middleman's thread; may be null
  /// Both sides have shaken hands: send() works. On the middleman's thread.
  std::function<void()> ready;
  /// The connection is gone, with the reason. Once, on the middleman's thread, also after close().
  std::function<void(const std::string& reason)> lost;
};

class peer_plane {
public:
  [[nodiscard]] static std::unique_ptr<peer_plane> start(peer_plane_config config);
  virtual ~peer_plane() = default;

  /// What the other side has to know of this plane; goes into the hello.
  [[nodiscard]] virtual const std::string& transport() const = 0;
  /// Makes the descriptor a link. An earlier connection to the same plane over there is cut.
  [[nodiscard]] virtual std::shared_ptr<peer_channel> attach(peer_attachment what) = 0;
  /// Cuts everything; `lost` is called for what is open. Nothing is delivered afterwards.
  virtual void stop() = 0;
};

}  // namespace cairn::actors
