#pragma once
// Accepts connections and hands them to the workers in turn, so that each has as many as the
// others; a worker that does not get on is passed over. A few at a time: a flood of connections
// waits in the kernel's queue, not before those who are served.

#include "net/server/worker.hpp"

#include <memory>
#include <vector>

namespace cairn::net {

/// Lives on the loop of the first worker.
class listener {
public:
  listener(gateway_shared& shared, const std::vector<std::unique_ptr<worker>>& workers);

  /// Binds and listens. invalid_argument: the address is none; unavailable: the system refuses.
  /// Called before the workers run.
  [[nodiscard]] status open();
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// Accepts no more. From any thread; the worker must be running or never run again.
  void close();

private:
  void wait();
  void accept_ready();
  void pause(std::chrono::milliseconds span);
  [[nodiscard]] worker* choose_home();
  void place(int descriptor, worker& home);

  gateway_shared& shared_;
  const std::vector<std::unique_ptr<worker>>& workers_;
  loop_acceptor acceptor_;
  loop_timer pause_;
  std::size_t turn_ = 0;
  std::uint16_t port_ = 0;
};

}  // namespace cairn::net
