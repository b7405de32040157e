#include "net/server/session.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

namespace cairn::net {

session::session(worker& home, bool overflow)
    : home_(home), socket_(home.io()), overflow_(overflow), scanner_(home.limits()) {}

session::~session() {
  CAIRN_CHECK(exchanges_.empty(), "a connection ends with open requests");
}

void session::start(int descriptor) {
  boost::system::error_code ec;
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  const bool named = ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  using boost::asio::ip::tcp;
  socket_.assign(named && address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), descriptor, ec);
  if (!ec) socket_.non_blocking(true, ec);
  if (!ec) socket_.set_option(tcp::no_delay(true), ec);
  idle_since_ = phase_since_ = home_.context().now;
  if (ec) return abort();
  read_more();
}

void session::abort() {
  if (closed_) return;
  closed_ = true;
  receiving_ = nullptr;
  for (exchange* const x : exchanges_) {
    release_held(*x);
    home_.give_back(x);
  }
  exchanges_.clear();
  release_written();
  boost::system::error_code ignored;
  socket_.close(ignored);
  home_.forget(*this);
}

std::string session::client_address() const {
  boost::system::error_code ec;
  const auto client = socket_.remote_endpoint(ec);
  return ec ? std::string() : client.address().to_string();
}

exchange& session::new_exchange() {
  exchange* const x = home_.take_exchange();
  x->begin(*this, home_.context());
  exchanges_.push_back(x);
  return *x;
}

bool session::can_take_request() const {
  return exchanges_.size() < home_.limits().max_pipelined &&
         in_flight_body_bytes_ < home_.limits().body_bytes;
}

void session::drain() {
  if (closed_) return;
  if (exchanges_.empty() && !head_begun_ && !has_output()) return abort();
  for (exchange* const x : exchanges_) {
    if (x->stream && !x->done) x->stream->drain(*x);
  }
}

void session::check_deadlines(steady_time now) {
  if (closed_) return;
  for (std::size_t i = 0; i < exchanges_.size(); ++i) {
    if (now >= exchanges_[i]->deadline) exchanges_[i]->expire();
  }
  if (has_output() && now - write_progress_ > home_.limits().write) {
    home_.metrics().count_refused(refusal::timed_out);
    return abort();
  }
  if (lingering_) {
    if (now - phase_since_ > home_.limits().linger) abort();
    return;
  }
  check_read_deadline(now);
}

void session::check_read_deadline(steady_time now) {
  const gateway_limits& limits = home_.limits();
  if (receiving_ != nullptr) {
    const auto earned =
        std::chrono::milliseconds(body_.size() * 1000 / limits.body_min_bytes_per_s);
    if (now - phase_since_ > limits.body + earned) time_out("body");
  } else if (reading_ == reading::head && head_begun_) {
    if (!can_take_request()) return;  // it is not the client who is late
    if (now - phase_since_ > (overflow_ ? limits.overflow : limits.header)) time_out("head");
  } else if (exchanges_.empty() && !has_output()) {
    if (now - idle_since_ > (overflow_ ? limits.overflow : limits.idle)) abort();
  }
}

void session::time_out(std::string_view what) {
  home_.metrics().count_refused(refusal::timed_out);
  problem late =
      make_problem(408, "request-timeout", fmt::format("the request's {} came too slowly", what))
          .closing();
  if (receiving_ != nullptr) {
    refuse_body(std::move(late));
  } else {
    refuse(std::move(late));
  }
}

}  // namespace cairn::net
