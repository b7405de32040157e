// session: from bytes to requests.
#include "net/handlers/dispatch.hpp"
#include "net/server/request_log.hpp"
#include "net/server/session.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <fmt/format.h>

namespace cairn::net {

namespace {

constexpr std::size_t k_received_bytes_max = 64 * 1024;  // at a time, but for bodies
constexpr std::size_t k_discard_bytes = 16 * 1024;
constexpr std::size_t k_body_reserved_bytes = 1024 * 1024;

}  // namespace

void session::read_more() {
  if (closed_ || read_pending_ || input_ended_) return;
  // With all places taken nothing is read, and goes on when a request has been answered.
  if (reading_ == reading::head && !can_take_request()) return;
  input_buffer& into = reading_ == reading::sized_body ? body_ : input_;
  std::size_t most = k_received_bytes_max;
  if (reading_ == reading::sized_body) {
    most = static_cast<std::size_t>(*head_.content_length) - body_.size();
    into.make_room(std::min(most, std::max<std::size_t>(body_.size(), k_accounted_bytes)));
  } else if (reading_ == reading::nothing) {
    into.make_room(k_discard_bytes);
  } else {
    into.make_room(1);
  }
  read_pending_ = true;
  reads_body_ = reading_ == reading::sized_body;
  socket_.async_read_some(
      boost::asio::buffer(into.free_space(), std::min(most, into.free_bytes())),
      [self = boost::intrusive_ptr<session>(this)](
          const boost::system::error_code& ec, std::size_t count) { self->on_read(ec, count); });
}

void session::on_read(const boost::system::error_code& ec, std::size_t count) {
  read_pending_ = false;
  if (closed_) return;
  home_.metrics().count_bytes_in(count);
  if (ec == boost::asio::error::eof) return on_end_of_input();
  if (ec) return abort();  // also a reset: nothing of an unfinished request is used
  if (!reads_body_) {
    input_.commit(count);
  } else if (reading_ == reading::sized_body) {
    body_.commit(count);
    if (!hold_bytes(*receiving_, count)) return read_more();
  } else {  // the body was refused meanwhile
    discarded_bytes_ += count;
    body_.release();
  }
  advance();
  read_more();
}

void session::on_end_of_input() {
  input_ended_ = true;
  if (lingering_) return abort();
  if (receiving_ != nullptr) {
    refuse_body(bad_framing("the connection ended within the body"));
    return;
  }
  stop_reading();
  // Whoever waits for what may never come is taken to have left; an answer that is on its way is
  // still written, since a client may end its side right after asking.
  for (const exchange* const x : exchanges_) {
    if (x->waits) return abort();
  }
  home_.mark_dirty(*this);
}

void session::stop_reading() {
  reading_ = reading::nothing;
  head_begun_ = false;
  receiving_ = nullptr;
  held_head_.release();
  if (!read_pending_) body_.release();
}

void session::advance() {
  if (read_pending_) return;  // the buffers are not to move; there is nothing new in them
  while (!closed_) {
    switch (reading_) {
      case reading::head:
        if (!advance_head()) return;
        break;
      case reading::sized_body:
      case reading::chunked_body:
        if (!advance_body()) return;
        break;
      case reading::nothing:
        discarded_bytes_ += input_.size();
        input_.release();
        if (discarded_bytes_ > home_.limits().linger_bytes) abort();
        return;
    }
  }
}

bool session::advance_head() {
  if (input_.empty()) {
    input_.shrink();
    return false;
  }
  if (!can_take_request()) return false;
  if (!head_begun_) {
    head_begun_ = true;
    phase_since_ = home_.context().now;
    scanner_.reset();
  }
  // RFC 9112, 2.2: an empty line before a request is passed over.
  if (input_.view().starts_with("\r\n")) {
    input_.consume(2);
    head_begun_ = false;
    return true;
  }
  switch (scanner_.scan(input_.view())) {
    case header_scanner::state::need_more:
      return false;
    case header_scanner::state::failed:
      refuse(scanner_.take_failure());
      return true;
    case header_scanner::state::complete:
      take_head(scanner_.head_bytes());
      return true;
  }
  return false;
}

std::optional<problem> session::check(exchange& x) {
  if (auto wrong = parse_target(head_.target, target_)) return wrong;
  if (auto wrong = check_request(x, head_, target_)) return wrong;
  if (overflow_ && x.route != route_id::livez && x.route != route_id::readyz &&
      x.route != route_id::metrics) {
    home_.metrics().count_refused(refusal::too_many_connections);
    problem crowded = problem_of({.code = errc::overloaded, .detail = "too many connections"}, {});
    crowded.status = 503;  // as those get who are turned away without being heard
    return std::move(crowded).closing();
  }
  if (!head_.has_body()) return std::nullopt;
  if (x.body_limit_bytes == 0) return bad_argument("this request takes no body");
  if (head_.content_length && *head_.content_length > x.body_limit_bytes) {
    return make_problem(413, to_string(errc::too_large),
                        fmt::format("the body has {} bytes, the limit is {}", *head_.content_length,
                                    x.body_limit_bytes))
        .with_fact("limit_bytes", x.body_limit_bytes);
  }
  return std::nullopt;
}

void session::take_head(std::size_t head_bytes) {
  parser_.emplace(head_, home_.limits());
  if (auto wrong = parser_->parse_head(input_.view().substr(0, head_bytes), accept_memory_)) {
    return refuse(std::move(*wrong));
  }
  exchange& x = new_exchange();
  x.method = head_.method;
  x.minor_version = head_.minor_version;
  x.keep_alive = head_.keep_alive && !overflow_;
  if (head_.traceparent) x.take_traceparent(*head_.traceparent);
  if (auto wrong = check(x)) return refuse_request(x, std::move(*wrong), head_bytes);
  if (!head_.has_body()) return run_in_place(x, head_bytes, 0);
  if (!head_.chunked && *head_.content_length <= input_.size() - head_bytes) {
    return run_in_place(x, head_bytes, static_cast<std::size_t>(*head_.content_length));
  }
  begin_body(x, head_bytes);
}

void session::run_in_place(exchange& x, std::size_t head_bytes, std::size_t body_bytes) {
  if (body_bytes >= k_accounted_bytes && !hold_bytes(x, body_bytes)) return;
  run_request(x, head_, input_.view().substr(head_bytes, body_bytes));
  input_.consume(head_bytes + body_bytes);
  end_request();
}

void session::end_request() {
  head_begun_ = false;
  receiving_ = nullptr;
  reading_ = head_.keep_alive && !overflow_ ? reading::head : reading::nothing;
}

void session::begin_body(exchange& x, std::size_t head_bytes) {
  receiving_ = &x;
  phase_since_ = home_.context().now;
  if (head_.expects_continue) {
    x.out += "HTTP/1.1 100 Continue\r\n\r\n";
    on_output(x);
  }
  // The head stays where it is, what has come of the body moves.
  held_head_ = std::move(input_);
  const std::string_view rest = held_head_.view().substr(head_bytes);
  if (head_.chunked) {
    reading_ = reading::chunked_body;
    input_.append(rest);
    return;
  }
  reading_ = reading::sized_body;
  body_.make_room(static_cast<std::size_t>(
      std::min<std::uint64_t>(*head_.content_length, k_body_reserved_bytes)));
  body_.append(rest);
  static_cast<void>(hold_bytes(x, rest.size()));
}

bool session::advance_body() {
  if (reading_ == reading::sized_body) {
    if (body_.size() < *head_.content_length) return false;
    finish_body();
    return true;
  }
  const auto step = parser_->parse_chunks(input_.view(), receiving_->body_limit_bytes, *this);
  if (reading_ != reading::chunked_body) return true;  // refused for want of room
  if (step.state == request_parser::progress::failed) {
    refuse_body(parser_->take_failure());
    return true;
  }
  input_.consume(step.consumed_bytes);
  if (step.state == request_parser::progress::need_more) return false;
  finish_body();
  return true;
}

bool session::append_body(std::string_view bytes) {
  body_.append(bytes);
  return hold_bytes(*receiving_, bytes.size());
}

void session::finish_body() {
  run_request(*receiving_, head_, body_.view());
  body_.release();
  held_head_.release();
  end_request();
}

bool session::hold_bytes(exchange& x, std::size_t bytes) {
  auto& held = home_.shared().held_bytes;
  x.held_bytes += bytes;
  in_flight_body_bytes_ += bytes;
  if (held.fetch_add(bytes, std::memory_order_relaxed) + bytes <= home_.limits().max_held_bytes) {
    return true;
  }
  receiving_ = &x;
  refuse_body(problem_of(
      {.code = errc::overloaded, .detail = "too many request bodies are held in memory"}, {}));
  return false;
}

void session::release_held(exchange& x) {
  const std::uint64_t bytes = x.held_bytes + x.reserved_bytes;
  if (bytes == 0) return;
  in_flight_body_bytes_ -= x.held_bytes;
  home_.shared().held_bytes.fetch_sub(bytes, std::memory_order_relaxed);
  x.held_bytes = x.reserved_bytes = 0;
}

void session::refuse(problem what) {
  home_.metrics().count_refused(refusal::bad_request);
  exchange& x = new_exchange();
  x.method = http_method::other;
  log_refusal(x, client_address(), what);
  stop_reading();
  x.fail(std::move(what).closing());
}

void session::refuse_request(exchange& x, problem what, std::size_t head_bytes) {
  const std::size_t body_bytes =
      static_cast<std::size_t>(head_.chunked ? 0 : head_.content_length.value_or(0));
  const bool all_here = !head_.chunked && body_bytes <= input_.size() - head_bytes;
  if (!all_here || what.close) {
    // What follows is a body that nobody wants; it cannot be told from the next request.
    stop_reading();
    x.fail(std::move(what).closing());
    return;
  }
  x.fail(what);
  input_.consume(head_bytes + body_bytes);
  end_request();
}

void session::refuse_body(problem what) {
  exchange& x = *receiving_;
  stop_reading();
  x.fail(std::move(what).closing());
}

}  // namespace cairn::net
