#pragma once
// The other end of a peer connection for tests, sending exactly the bytes it is told to. Blocking,
// with a time limit on every wait.

#include "net/peer/hello.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::testing {

/// One TCP connection to 127.0.0.1.
class raw_peer {
public:
  /// Aborts if it cannot connect. `receive_buffer_bytes` 0: the system's.
  explicit raw_peer(std::uint16_t port, int receive_buffer_bytes = 0);
  ~raw_peer();
  raw_peer(raw_peer&& other) noexcept;
  raw_peer& operator=(raw_peer&&) = delete;

  /// False if the other side has closed, or does not take the bytes in time.
  bool send(std::string_view bytes);
  /// Exactly `size` bytes, or what came before the end.
  [[nodiscard]] std::string receive(std::size_t size);
  /// The other side closes within `most`; what it sends before is thrown away.
  [[nodiscard]] bool closed_within(std::chrono::milliseconds most);
  /// Ends with a reset instead of an orderly end.
  void reset();
  void close();

  struct frame {
    net::peer_frame_header header;
    std::string body;
  };
  /// nullopt: closed, or no frame.
  [[nodiscard]] std::optional<frame> receive_frame();
  /// Sends a hello and takes the welcome or refusal.
  struct answer {
    std::optional<net::peer_hello> welcome;
    net::peer_refusal_note refusal;
  };
  [[nodiscard]] answer greet(const net::peer_hello& hello);

private:
  friend class raw_listener;
  explicit raw_peer(std::nullptr_t, int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

/// A port of 127.0.0.1 that says what a test wants.
class raw_listener {
public:
  raw_listener();
  ~raw_listener();
  raw_listener(const raw_listener&) = delete;
  raw_listener& operator=(const raw_listener&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  /// The next connection; nullopt: none within a test's patience.
  [[nodiscard]] std::optional<raw_peer> accept();

private:
  int descriptor_ = -1;
  std::uint16_t port_ = 0;
};

/// A hello that a hub takes, with a transport that its CAF half takes.
[[nodiscard]] net::peer_hello right_hello(const std::string& node, const std::string& cluster);

/// The same of an observer.
[[nodiscard]] net::peer_hello observer_hello(const std::string& id);

/// A BASP header.
struct raw_header {
  std::uint8_t operation = 2;
  std::uint16_t padding = 0;
  std::uint8_t flags = 0;
  std::uint32_t payload_bytes = 0;
  std::uint64_t data = 0;
  std::uint64_t source = 0;
  std::uint64_t target = 0;

  [[nodiscard]] std::string bytes() const;
};

/// Big-endian.
template <class T>
void put_be(std::string& to, T value) {
  for (std::size_t i = sizeof(T); i-- > 0;)
    to.push_back(static_cast<char>((static_cast<std::uint64_t>(value) >> (8 * i)) & 0xff));
}

/// A peer envelope as a hub would put it on the wire, without a BASP header.
struct raw_envelope {
  std::uint8_t kind = 1;
  std::string cluster = "c1";
  std::string sender = "evil";
  std::string log = "default";
  std::string head = "head";
  std::string body = {};

  [[nodiscard]] std::string bytes(std::uint16_t type_id) const;
};

/// A whole peer: both lanes with their hello and the BASP handshake done.
class raw_node {
public:
  raw_node(std::uint16_t port, const std::string& node, const std::string& cluster,
           int receive_buffer_bytes = 0);
  raw_node(std::uint16_t port, net::peer_hello hello, int receive_buffer_bytes = 0);

  raw_peer control;
  raw_peer bulk;
  std::uint64_t control_actor = 0;  ///< what the hub has published
  std::uint64_t bulk_actor = 0;

private:
  static std::uint64_t join(raw_peer& lane, const net::peer_hello& hello);
  static void shake_hands(raw_peer& lane, const net::peer_hello& hello);
};

}  // namespace cairn::testing
