#include "net/peer/connection.hpp"

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace cairn::net {

namespace {

using boost::system::error_code;

class plain_stream : public peer_stream {
public:
  explicit plain_stream(peer_socket socket) : socket_(std::move(socket)) {}

  void read(char* to, std::size_t size, std::function<void(bool)> done) override {
    boost::asio::async_read(
        socket_, boost::asio::buffer(to, size),
        [done = std::move(done)](const error_code& ec, std::size_t) { done(!ec); });
  }
  void write(std::string_view bytes, std::function<void(bool)> done) override {
    boost::asio::async_write(
        socket_, boost::asio::buffer(bytes.data(), bytes.size()),
        [done = std::move(done)](const error_code& ec, std::size_t) { done(!ec); });
  }
  void watch(std::function<void()> readable) override {
    socket_.async_wait(peer_socket::wait_read,
                       [readable = std::move(readable)](const error_code&) { readable(); });
  }
  int release() override {
    error_code ec;
    socket_.non_blocking(true, ec);
    const int descriptor = socket_.release(ec);
    return ec ? -1 : descriptor;
  }
  void close() override {
    error_code ignored;
    socket_.close(ignored);
  }

private:
  peer_socket socket_;
};

template <class T>
void set_option(int descriptor, int level, int name, T value) {
  // A socket without the option (no TCP) works without it.
  [[maybe_unused]] const int done = ::setsockopt(descriptor, level, name, &value, sizeof(value));
}

}  // namespace

std::unique_ptr<peer_stream> make_plain_stream(peer_socket socket) {
  return std::make_unique<plain_stream>(std::move(socket));
}

void set_peer_socket_options(peer_socket& socket, std::chrono::milliseconds silence) {
  const int descriptor = socket.native_handle();
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  // The heartbeats of the layer above keep an idle connection busy; this is for what they do not
  // see, such as the time between the hello and the first of them.
  set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, 5);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, 2);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 3);
  // Also ends what waits in the send buffer for a peer that is gone or never reads.
  set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<unsigned>(silence.count()));
}

void peer_connection::set_deadline(std::chrono::milliseconds span, std::function<void()> expired) {
  timer_.expires_after(span);
  timer_.async_wait(
      [self = shared_from_this(), expired = std::move(expired)](const error_code& ec) {
        if (ec || self->over_) return;
        self->close();
        expired();
      });
}

void peer_connection::receive(frame_handler done) {
  in_.resize(k_peer_header_bytes);
  stream_->read(in_.data(), in_.size(),
                [self = shared_from_this(), done = std::move(done)](bool ok) mutable {
                  if (self->over_) return;
                  if (!ok) return done(error{errc::unavailable, "closed by the other side"});
                  auto header = decode_header(self->in_);
                  if (!header) return done(header.error());
                  self->heard_ = true;
                  self->read_body(*header, std::move(done));
                });
}

void peer_connection::read_body(peer_frame_header header, frame_handler done) {
  in_.resize(header.body_bytes);
  stream_->read(in_.data(), in_.size(),
                [self = shared_from_this(), header, done = std::move(done)](bool ok) {
                  if (self->over_) return;
                  if (!ok) return done(error{errc::unavailable, "closed by the other side"});
                  done(peer_frame{header, std::move(self->in_)});
                });
}

void peer_connection::send(std::string frame, std::function<void(bool)> done) {
  out_ = std::move(frame);
  stream_->write(out_, [self = shared_from_this(), done = std::move(done)](bool ok) {
    if (!self->over_) done(ok);
  });
}

void peer_connection::send_and_close(std::string frame) {
  over_ = true;
  // A frame fits the send buffer of a connection that has carried next to nothing; should it not,
  // the deadline ends it.
  timer_.cancel();
  timer_.expires_after(std::chrono::seconds(1));
  timer_.async_wait([self = shared_from_this()](const error_code& ec) {
    if (!ec) self->stream_->close();
  });
  out_ = std::move(frame);
  stream_->write(out_, [self = shared_from_this()](bool) {
    self->timer_.cancel();
    self->stream_->close();
  });
}

void peer_connection::watch(std::function<void()> closed) {
  stream_->watch([self = shared_from_this(), closed = std::move(closed)] {
    if (!self->over_) closed();
  });
}

int peer_connection::release() {
  over_ = true;
  timer_.cancel();
  return stream_->release();
}

void peer_connection::close() {
  over_ = true;
  timer_.cancel();
  stream_->close();
}

}  // namespace cairn::net
