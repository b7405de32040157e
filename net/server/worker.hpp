#pragma once
// A gateway thread: an event loop of its own, its connections, its backend_port. Nothing here is
// locked: everything but adopt(), drain() and stop() belongs to the thread that is in run().

#include "net/backend.hpp"
#include "net/gateway.hpp"
#include "net/server/exchange.hpp"
#include "net/server/http_metrics.hpp"

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cairn::net {

class session;

/// Sockets and timers with the one executor there is: any_io_executor, the default, would go
/// through an indirection with every operation.
using loop_executor = boost::asio::io_context::executor_type;
using loop_socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, loop_executor>;
using loop_acceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, loop_executor>;
using loop_timer = boost::asio::basic_waitable_timer<
    std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, loop_executor>;

/// What the threads of one gateway share.
struct gateway_shared {
  gateway_shared(const gateway_config& settings, backend& the_node)
      : config(settings), node(the_node), metrics(*settings.registry) {}

  const gateway_config config;
  backend& node;
  http_metrics metrics;
  std::atomic<std::size_t> connections{0};   ///< open, of all threads
  std::atomic<std::uint64_t> held_bytes{0};  ///< bodies and answers in memory, of all threads
};

class worker {
public:
  worker(gateway_shared& shared, std::uint64_t seed);
  ~worker();
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  /// The loop; returns after stop(). Called once, on a thread of its own.
  void run();

  // --- from any thread ---------------------------------------------------------------------------
  /// Takes over a connected socket. It counts in `shared.connections` already. `overflow`: it is
  /// one too many, so only probes are answered.
  void adopt(int descriptor, bool overflow);
  /// False: it has not looked yet at so many that it was given. Ask before adopt(), which takes one
  /// all the same.
  [[nodiscard]] bool takes_more() const {
    return arriving_.load(std::memory_order_relaxed) < k_arriving_max;
  }
  /// Accepts no more requests; `idle` is called, on this worker's thread, when no connection is
  /// left.
  void drain(std::function<void()> idle);
  /// Closes what is left and ends run().
  void stop();

  // --- from this thread --------------------------------------------------------------------------
  [[nodiscard]] boost::asio::io_context& io() { return io_; }
  [[nodiscard]] worker_context& context() { return context_; }
  [[nodiscard]] const gateway_limits& limits() const { return shared_.config.limits; }
  [[nodiscard]] worker_metrics& metrics() { return metrics_; }
  [[nodiscard]] gateway_shared& shared() { return shared_; }

  [[nodiscard]] exchange* take_exchange();
  void give_back(exchange* used);

  /// Answers go out before anything else is done.
  void end_round() { round_over_ = true; }
  /// `s` has output: it is written at the end of this round.
  void mark_dirty(session& s);
  /// `s` has closed.
  void forget(session& s);

private:
  static constexpr std::size_t k_arriving_max = 16;

  void run_round();
  void write_dirty();
  void refresh_clock();
  void arm_tick();
  void tick();
  void add(int descriptor, bool overflow);

  gateway_shared& shared_;
  boost::asio::io_context io_;
  loop_timer ticker_;
  std::chrono::milliseconds tick_every_;
  bool ticking_ = false;
  bool round_over_ = false;
  std::unique_ptr<backend_port> port_;
  std::atomic<bool> woken_{false};
  std::atomic<std::size_t> arriving_{0};  // adopted, not added yet
  std::atomic<bool> stopped_{false};
  worker_context context_;
  worker_metrics metrics_;
  std::vector<boost::intrusive_ptr<session>> sessions_;  // each knows its place
  std::vector<boost::intrusive_ptr<session>> dirty_;
  std::vector<boost::intrusive_ptr<session>> writing_;
  std::vector<std::unique_ptr<exchange>> exchanges_;
  std::vector<exchange*> free_exchanges_;
  std::function<void()> when_idle_;
  std::int64_t date_second_ = -1;
};

}  // namespace cairn::net
