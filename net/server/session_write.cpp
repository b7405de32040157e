// session: from answers to bytes.
#include "net/server/request_log.hpp"
#include "net/server/session.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>

namespace cairn::net {

namespace {

constexpr int k_turns_per_round = 4;  // of one stream, before the other connections get theirs
constexpr std::size_t k_kept_output_bytes = 64 * 1024;

}  // namespace

void session::on_output(exchange&) {
  home_.mark_dirty(*this);
}

bool session::reserve(exchange& x, std::size_t bytes) {
  auto& held = home_.shared().held_bytes;
  if (held.fetch_add(bytes, std::memory_order_relaxed) + bytes > home_.limits().max_held_bytes) {
    held.fetch_sub(bytes, std::memory_order_relaxed);
    return false;
  }
  x.reserved_bytes += bytes;
  return true;
}

void session::release_written() {
  if (output_reserved_bytes_ == 0) return;
  home_.shared().held_bytes.fetch_sub(std::exchange(output_reserved_bytes_, 0),
                                      std::memory_order_relaxed);
}

void session::on_broken(exchange&) {
  broken_ = true;
  home_.mark_dirty(*this);
}

void session::flush_output() {
  dirty_ = false;
  if (closed_ || write_pending_) return;
  for (int turn = 0; turn < k_turns_per_round; ++turn) {
    collect_output();
    if (broken_) return abort();
    if (!has_output()) break;
    write_some();
    if (closed_ || write_pending_) return;
  }
  if (has_output() || broken_) return home_.mark_dirty(*this);
  if (!exchanges_.empty() && exchanges_.front()->stream && exchanges_.front()->status != 0 &&
      exchanges_.front()->pending == 0) {
    return home_.mark_dirty(*this);  // its next turn comes with the next round
  }
  if (reading_ == reading::head) {  // a request may have waited for a place
    advance();
    read_more();
  }
  if (closed_ || !exchanges_.empty()) return;
  if (close_when_written_ || input_ended_ || (home_.context().draining && !head_begun_)) {
    end_gracefully();
  }
}

void session::collect_output() {
  while (!exchanges_.empty() && !close_when_written_) {
    exchange& x = *exchanges_.front();
    if (!x.out.empty()) {
      output_reserved_bytes_ += std::exchange(x.reserved_bytes, 0);
      if (!has_output()) {
        write_progress_ = home_.context().now;
        output_.clear();
        written_ = 0;
        output_.swap(x.out);
      } else {
        output_ += x.out;
        x.out.clear();
      }
    }
    if (x.done) {
      finish_front();
      continue;
    }
    if (output_.size() - written_ > home_.limits().output_chunk_bytes) return;
    if (!x.stream || x.status == 0 || x.pending != 0 || has_output()) return;
    x.stream->resume(x);
    if (broken_ || (x.out.empty() && !x.done)) return;
  }
}

void session::finish_front() {
  exchange& x = *exchanges_.front();
  home_.metrics().count_request(x.method, x.route, x.status, home_.context().now - x.started);
  if (wants_line(x)) log_answer(x, client_address(), home_.context().now - x.started);
  if (!x.keep_alive) {
    // What came behind it will not be answered.
    close_when_written_ = true;
    stop_reading();
  }
  idle_since_ = home_.context().now;
  release_held(x);
  exchanges_.pop_front();
  home_.give_back(&x);
  if (!close_when_written_) return;
  for (exchange* const rest : exchanges_) {
    release_held(*rest);
    home_.give_back(rest);
  }
  exchanges_.clear();
}

void session::write_some() {
  boost::system::error_code ec;
  const std::size_t count = socket_.write_some(
      boost::asio::buffer(output_.data() + written_, output_.size() - written_), ec);
  home_.metrics().count_bytes_out(count);
  written_ += count;
  if (count > 0) write_progress_ = home_.context().now;
  if (ec && ec != boost::asio::error::would_block) return abort();
  if (!has_output()) {
    if (output_.capacity() > 4 * k_kept_output_bytes) output_ = {};
    output_.clear();
    written_ = 0;
    release_written();
    return;
  }
  write_pending_ = true;
  socket_.async_wait(loop_socket::wait_write,
                     [self = boost::intrusive_ptr<session>(this)](
                         const boost::system::error_code& failed) { self->on_writable(failed); });
}

void session::on_writable(const boost::system::error_code& ec) {
  write_pending_ = false;
  if (closed_) return;
  if (ec) return abort();
  home_.mark_dirty(*this);
}

void session::end_gracefully() {
  if (lingering_) return;
  if (input_ended_) return abort();
  // Closing with bytes unread would reset the connection, and the client might lose the answer.
  lingering_ = true;
  stop_reading();
  phase_since_ = home_.context().now;
  boost::system::error_code ec;
  socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_send, ec);
  if (ec) return abort();
  advance();
  read_more();
}

}  // namespace cairn::net
