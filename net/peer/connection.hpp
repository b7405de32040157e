#pragma once
// A connection to another node until it is handed over: frames of the hello with a deadline.

#include "net/peer/hello.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace cairn::net {

/// The bytes under a hello, and what becomes of them after it. This is the place for TLS: an
/// implementation does its handshake before it is handed out (the certificate's name must then be
/// the hello's node id), and release() gives one end of a socketpair whose other end it pumps.
class peer_stream {
public:
  virtual ~peer_stream() = default;
  /// Reads exactly `size` bytes to `to`, which outlives the call of `done`.
  virtual void read(char* to, std::size_t size, std::function<void(bool ok)> done) = 0;
  /// Writes `bytes`, which outlive the call of `done`.
  virtual void write(std::string_view bytes, std::function<void(bool ok)> done) = 0;
  /// `readable` is called when there are bytes, or the other side has closed.
  virtual void watch(std::function<void()> readable) = 0;
  /// A connected, non-blocking descriptor that the caller owns; -1: there is none. Whatever was
  /// under way is cancelled; its callbacks may still come, with false.
  [[nodiscard]] virtual int release() = 0;
  virtual void close() = 0;
};

using peer_socket = boost::asio::ip::tcp::socket;

/// Neither encrypted nor authenticated.
[[nodiscard]] std::unique_ptr<peer_stream> make_plain_stream(peer_socket socket);

/// TCP_NODELAY, keep-alive, and an end to connections whose other side answers nothing for
/// `silence`.
void set_peer_socket_options(peer_socket& socket, std::chrono::milliseconds silence);

struct peer_frame {
  peer_frame_header header;
  std::string body;
};

/// Belongs to the endpoint's thread. Callbacks are never called after close(), release() or the
/// deadline.
class peer_connection : public std::enable_shared_from_this<peer_connection> {
public:
  using frame_handler = std::function<void(result<peer_frame>)>;

  /// `remote`: the socket's other end, "host:port", for log lines.
  peer_connection(boost::asio::io_context& io, std::unique_ptr<peer_stream> stream,
                  std::string remote)
      : stream_(std::move(stream)), timer_(io), remote_(std::move(remote)) {}

  /// After `span` the connection is closed and `expired` is called, unless it was closed or
  /// released before.
  void set_deadline(std::chrono::milliseconds span, std::function<void()> expired);
  /// Reads one frame. Errors: invalid_argument (no frame), unavailable (closed by the other side).
  void receive(frame_handler done);
  void send(std::string frame, std::function<void(bool ok)> done);
  /// Sends `frame` and closes; the callbacks of this connection are done with.
  void send_and_close(std::string frame);
  /// `closed` is called when the other side closes, or speaks although it is not its turn.
  void watch(std::function<void()> closed);
  [[nodiscard]] int release();
  void close();

  [[nodiscard]] const std::string& remote() const { return remote_; }
  /// Something that looks like a frame has come.
  [[nodiscard]] bool heard() const { return heard_; }

private:
  void read_body(peer_frame_header header, frame_handler done);

  std::unique_ptr<peer_stream> stream_;
  boost::asio::steady_timer timer_;
  std::string remote_;
  std::string in_;
  std::string out_;
  bool over_ = false;
  bool heard_ = false;
};

}  // namespace cairn::net
