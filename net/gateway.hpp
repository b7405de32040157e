#pragma once
// The HTTP/1.1 gateway of a node: a few threads, each with its own event loop, its share of the
// connections and one backend_port. docs and tests speak of limits by the names in limits.hpp.

#include "net/backend.hpp"
#include "net/limits.hpp"
#include "storage/base/result.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace prometheus {
class Registry;
}

namespace cairn::net {

struct gateway_config {
  std::string address = "127.0.0.1";  ///< an IPv4 or IPv6 address, no name
  std::uint16_t port = 8080;          ///< 0 picks one
  std::uint32_t threads = 2;          ///< 1..64
  gateway_limits limits;
  /// What GET /metrics shows; the gateway registers its own metrics here. Not null.
  std::shared_ptr<prometheus::Registry> registry;
};

/// A running gateway. Made and stopped by one thread; the rest happens on its own threads.
class gateway {
public:
  gateway(const gateway&) = delete;
  gateway& operator=(const gateway&) = delete;
  /// Stops at once if stop() was not called.
  ~gateway();

  /// Binds, listens and serves. `node` outlives the gateway.
  /// Fails with invalid_argument (address, threads, registry) or unavailable (cannot bind: the
  /// detail names address and cause).
  [[nodiscard]] static result<std::unique_ptr<gateway>> start(gateway_config config, backend& node);

  /// The port that is listened on.
  [[nodiscard]] std::uint16_t port() const;

  /// Drains: accepts no more, closes idle connections, ends event streams and waiting reads, lets
  /// running requests finish, at most `deadline` long; then closes what is left and joins the
  /// threads. Later calls do nothing.
  void stop(std::chrono::milliseconds deadline);

private:
  struct impl;
  explicit gateway(std::unique_ptr<impl> parts);
  std::unique_ptr<impl> impl_;
};

}  // namespace cairn::net
