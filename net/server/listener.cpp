#include "net/server/listener.hpp"

#include "storage/base/log_line.hpp"

#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

namespace cairn::net {

namespace {

constexpr int k_backlog = 4096;  // the kernel cuts it to net.core.somaxconn
// Few, and then the round ends: a flood of connections does not hold up those who are served.
constexpr int k_accepted_per_round = 8;
constexpr std::chrono::milliseconds k_pause{50};  // after the system had no descriptor left
constexpr std::chrono::milliseconds k_breath{1};  // until a worker has taken what it was given

constexpr std::string_view k_refusal_text =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
    "Retry-After: 1\r\nConnection: close\r\nContent-Length: 135\r\n\r\n"
    "{\"type\":\"urn:cairn:problem:overloaded\",\"title\":\"Service Unavailable\",\"status\":503,"
    "\"detail\":\"too many connections\",\"code\":\"overloaded\"}\n";
constexpr std::size_t k_refusal_body = k_refusal_text.find("\r\n\r\n") + 4;
static_assert(k_refusal_text.size() - k_refusal_body == 135, "Content-Length of the refusal");

/// Answers and closes without looking at what is asked. The answer may be lost if the client has
/// sent already: at this point that is the lesser harm.
void turn_away(int descriptor) {
  [[maybe_unused]] const auto sent =
      ::send(descriptor, k_refusal_text.data(), k_refusal_text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  ::shutdown(descriptor, SHUT_WR);
  std::array<char, 4096> unread;
  [[maybe_unused]] const auto read = ::recv(descriptor, unread.data(), unread.size(), MSG_DONTWAIT);
  ::close(descriptor);
}

}  // namespace

listener::listener(gateway_shared& shared, const std::vector<std::unique_ptr<worker>>& workers)
    : shared_(shared),
      workers_(workers),
      acceptor_(workers.front()->io()),
      pause_(workers.front()->io()) {}

status listener::open() {
  using boost::asio::ip::tcp;
  boost::system::error_code ec;
  const gateway_config& config = shared_.config;
  const auto address = boost::asio::ip::make_address(config.address, ec);
  if (ec) {
    return error{errc::invalid_argument, fmt::format("'{}' is not an IP address", config.address)};
  }
  const tcp::endpoint endpoint(address, config.port);
  acceptor_.open(endpoint.protocol(), ec);
  if (!ec) acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) acceptor_.bind(endpoint, ec);
  if (!ec) acceptor_.listen(k_backlog, ec);
  if (!ec) acceptor_.non_blocking(true, ec);
  if (!ec) port_ = acceptor_.local_endpoint(ec).port();
  if (ec) {
    return error{errc::unavailable, fmt::format("cannot listen on {} port {}: {}", config.address,
                                                config.port, ec.message())};
  }
  wait();
  return {};
}

void listener::close() {
  boost::asio::post(acceptor_.get_executor(), [this] {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
  });
}

void listener::wait() {
  acceptor_.async_wait(loop_acceptor::wait_read, [this](const boost::system::error_code& ec) {
    if (!ec) accept_ready();
  });
}

void listener::accept_ready() {
  workers_.front()->end_round();
  for (int i = 0; i < k_accepted_per_round; ++i) {
    worker* const home = choose_home();
    if (home == nullptr) return pause(k_breath);
    const int descriptor =
        ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      place(descriptor, *home);
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    if (errno == EINTR || errno == ECONNABORTED) continue;
    // No descriptors or memory: waiting at once again would spin.
    log_warning(log_component::gateway)
        .sparsely()
        .say(
            "accepting a connection failed: {}. Clients wait in the kernel's queue; it is tried "
            "again in {} ms. If files have run out, raise the limit of open files, or lower "
            "--max-connections.",
            std::strerror(errno), k_pause.count());
    return pause(k_pause);
  }
  wait();
}

void listener::pause(std::chrono::milliseconds span) {
  pause_.expires_after(span);
  pause_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec && acceptor_.is_open()) wait();
  });
}

// In turn; one that is behind is passed over. What nobody can take stays in the kernel's queue.
worker* listener::choose_home() {
  for (std::size_t i = 0; i < workers_.size(); ++i, ++turn_) {
    worker& next = *workers_[turn_ % workers_.size()];
    if (next.takes_more()) return &next;
  }
  return nullptr;
}

void listener::place(int descriptor, worker& home) {
  const gateway_limits& limits = shared_.config.limits;
  const std::size_t before = shared_.connections.fetch_add(1, std::memory_order_relaxed);
  if (before >= limits.max_connections + limits.overflow_connections) {
    shared_.connections.fetch_sub(1, std::memory_order_relaxed);
    workers_.front()->metrics().count_refused(refusal::too_many_connections);
    return turn_away(descriptor);
  }
  ++turn_;
  home.adopt(descriptor, before >= limits.max_connections);
}

}  // namespace cairn::net
