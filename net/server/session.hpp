#pragma once
// A connection: reads requests, lets handlers answer them, writes the answers in order.
//
// Reading goes on while requests are answered (pipelining, and so that a client that leaves is
// noticed), until `max_pipelined` of them are unanswered. All output of a round of the loop goes
// out with one write. Owner: its worker's thread; kept alive by the worker's list, a pending socket
// operation or a place among the dirty ones.

#include "net/http/header_scan.hpp"
#include "net/http/request.hpp"
#include "net/http/request_parser.hpp"
#include "net/http/target.hpp"
#include "net/server/exchange.hpp"
#include "net/server/input_buffer.hpp"
#include "net/server/worker.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace cairn::net {

class session final : public boost::intrusive_ref_counter<session, boost::thread_unsafe_counter>,
                      private exchange_owner,
                      private body_sink {
public:
  session(worker& home, bool overflow);
  ~session() override;

  /// Begins with a connected socket.
  void start(int descriptor);
  /// Writes what has been put out. Called by the worker once a round for dirty sessions.
  void flush_output();
  /// Closes what has waited too long.
  void check_deadlines(steady_time now);
  /// Closes when idle, else after the answers that are under way.
  void drain();
  /// Closes at once; nothing is answered any more.
  void abort();

  /// True if it was not dirty before.
  [[nodiscard]] bool set_dirty() { return !std::exchange(dirty_, true); }
  [[nodiscard]] std::size_t place() const { return place_; }
  void set_place(std::size_t place) { place_ = place; }

private:
  /// What the next bytes are.
  enum class reading : std::uint8_t {
    head,
    sized_body,
    chunked_body,
    nothing,  ///< no request is taken any more; bytes are discarded
  };
  // session_read.cpp: bytes to requests
  void read_more();
  void on_read(const boost::system::error_code& ec, std::size_t count);
  void on_end_of_input();
  void advance();
  [[nodiscard]] bool advance_head();
  [[nodiscard]] bool advance_body();
  void take_head(std::size_t head_bytes);
  [[nodiscard]] std::optional<problem> check(exchange& x);
  void begin_body(exchange& x, std::size_t head_bytes);
  void run_in_place(exchange& x, std::size_t head_bytes, std::size_t body_bytes);
  void finish_body();
  void end_request();
  [[nodiscard]] bool hold_bytes(exchange& x, std::size_t bytes);
  void release_held(exchange& x);
  [[nodiscard]] bool append_body(std::string_view bytes) override;
  void refuse(problem what);
  void refuse_request(exchange& x, problem what, std::size_t head_bytes);
  void refuse_body(problem what);
  void stop_reading();

  // session_write.cpp: answers to bytes
  void on_output(exchange& x) override;
  [[nodiscard]] bool reserve(exchange& x, std::size_t bytes) override;
  void release_written();
  void on_broken(exchange& x) override;
  void collect_output();
  void finish_front();
  void write_some();
  void on_writable(const boost::system::error_code& ec);
  void end_gracefully();
  [[nodiscard]] bool has_output() const { return written_ < output_.size(); }

  // session.cpp
  [[nodiscard]] exchange& new_exchange();
  [[nodiscard]] bool can_take_request() const;
  void check_read_deadline(steady_time now);
  void time_out(std::string_view what);
  [[nodiscard]] std::string client_address() const;

  worker& home_;
  loop_socket socket_;
  std::size_t place_ = 0;
  const bool overflow_;
  bool dirty_ = false;
  bool closed_ = false;
  bool broken_ = false;
  bool read_pending_ = false;  // the kernel may write into a buffer: neither is touched
  bool reads_body_ = false;    // into `body_`, else into `input_`
  bool write_pending_ = false;
  bool input_ended_ = false;         // the client has sent its last byte
  bool close_when_written_ = false;  // no further answers after those that are there
  bool lingering_ = false;

  // Input. While a body comes in piece by piece, `held_head_` keeps the head that views point into.
  input_buffer input_;
  input_buffer held_head_;
  reading reading_ = reading::head;
  header_scanner scanner_;
  std::optional<request_parser> parser_;
  request_head head_;
  request_target target_;
  std::string accept_memory_;
  exchange* receiving_ = nullptr;  // whose body is coming
  input_buffer body_;
  std::uint64_t discarded_bytes_ = 0;
  std::uint64_t in_flight_body_bytes_ = 0;
  steady_time idle_since_{};   // the last answer
  steady_time phase_since_{};  // the head, the body or the lingering began
  bool head_begun_ = false;

  // Output.
  std::deque<exchange*> exchanges_;  // in the order of the requests
  std::string output_;
  std::size_t written_ = 0;
  std::uint64_t output_reserved_bytes_ = 0;  // of `output_`, accounted
  steady_time write_progress_{};
};

}  // namespace cairn::net
