#pragma once
// One request and its answer. A session keeps the exchanges of its connection in the order of the
// requests and writes the answers in that order. Handlers see nothing of the connection but this.
//
// Owner: the gateway thread of the connection. An exchange has a stable address from the request's
// head to the end of its answer; whoever gives it up cancels what the node still owes it, so a
// completion may hold a plain pointer to it.

#include "net/backend.hpp"
#include "net/http/problem.hpp"
#include "net/http/request.hpp"
#include "net/http/router.hpp"
#include "net/limits.hpp"
#include "net/records/append_body.hpp"
#include "proto/append_stamp.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace prometheus {
class Registry;
}

namespace cairn::net {

class exchange;
struct event_filter;

/// What the handlers of one gateway thread share.
struct worker_context {
  backend* node = nullptr;
  backend_port* port = nullptr;
  const gateway_limits* limits = nullptr;
  prometheus::Registry* registry = nullptr;
  steady_time now{};         ///< once per round of the loop
  std::string common_lines;  ///< Cairn-Node and Date, each with CRLF
  std::uint64_t span_seed = 0;
  bool draining = false;
  std::size_t node_event_streams = 0;  ///< open ones
  std::function<void()> flush_metrics;

  /// A number for a new span, not 0.
  [[nodiscard]] std::uint64_t next_span_id();
};

/// An answer that is made piece by piece.
class body_stream {
public:
  virtual ~body_stream() = default;
  /// It is this answer's turn and all that was put out has been handed to the kernel: put out more,
  /// or ask the node for more. Not called again before something was put out.
  virtual void resume(exchange& x) = 0;
  /// The gateway stops: answer or end soon instead of waiting.
  virtual void drain(exchange& x) = 0;
};

/// Who writes the output: the session.
class exchange_owner {
public:
  virtual ~exchange_owner() = default;
  /// `x.out` has grown or `x.done` was set.
  virtual void on_output(exchange& x) = 0;
  /// Accounts `bytes` of an answer to `x` until the kernel has taken them. False when the gateway
  /// holds as much as it may: then nothing is accounted.
  [[nodiscard]] virtual bool reserve(exchange& x, std::size_t bytes) = 0;
  /// The answer has begun and cannot be ended properly: close the connection so that the client
  /// notices.
  virtual void on_broken(exchange& x) = 0;
};

/// How the records of an answer are written.
enum class read_format : std::uint8_t { json, ndjson, events, bytes };

/// What the checks of a request's head found out, for its handler.
struct request_parameters {
  std::string log;
  std::optional<record_offset> offset;
  read_request read;
  read_format format = read_format::json;
  content_class content;
  std::optional<record_offset> expected_offset;
  std::optional<proto::append_identity> identity;
  std::uint64_t timeout_ms = k_append_timeout_ms_default;
  std::uint64_t max_record_bytes = 0;
  std::uint64_t actor_id = 0;
  std::string node;                            ///< that is asked; empty: this one
  bool whole_cluster = false;                  ///< all of them are
  std::shared_ptr<const event_filter> events;  ///< of /v1/events
  bool follows = false;                        ///< the answer has no end
  std::string member;                          ///< node id in the path
};

class exchange {
public:
  // --- the request -----------------------------------------------------------------------------
  route_id route = route_id::none;
  http_method method = http_method::other;
  unsigned minor_version = 1;
  bool keep_alive = true;  ///< false: the answer says so and the connection closes after it
  write_outcome outcome = write_outcome::not_a_write;  ///< for problems answered from now on
  request_parameters parameters;
  std::uint64_t body_limit_bytes = 0;  ///< 0: the request must not have a body
  steady_time started{};

  // --- the answer ------------------------------------------------------------------------------
  std::string out;    ///< put out but not yet taken by the session
  bool done = false;  ///< `out` ends the answer
  int status = 0;     ///< 0 until the answer has begun
  // Of an answer that is a problem, for the node's log.
  std::string problem_code;
  std::string problem_detail;  ///< of 429 and 5xx, which are about the node and not the request
  write_outcome answered_outcome = write_outcome::not_a_write;
  std::unique_ptr<body_stream> stream;

  // --- what is waited for ----------------------------------------------------------------------
  request_id pending = 0;                     ///< of the node, 0 for none
  steady_time deadline = steady_time::max();  ///< when expire() is due
  bool waits = false;  ///< for something that may never come: ends when the client has gone
  std::uint64_t held_bytes = 0;      ///< body bytes accounted to this request
  std::uint64_t reserved_bytes = 0;  ///< of `out`, accounted

  /// Makes it ready for a request.
  void begin(exchange_owner& owner, worker_context& context);
  /// Cancels what the node owes and forgets the request.
  void release();

  [[nodiscard]] worker_context& context() const { return *context_; }

  /// Remembers a valid traceparent; others are ignored as the standard says.
  void take_traceparent(std::string_view value);

  /// What tells this request from others in the node's log and in problems: the trace id of its
  /// traceparent, or one that is made up when it is first asked for.
  [[nodiscard]] const std::string& trace_id();

  /// Answers with a body of known length. `header_lines` are complete lines.
  void answer(int answer_status, std::string_view content_type, std::string_view body,
              std::string_view header_lines = {});
  /// Answers with a problem document; ends `stream`.
  void fail(const problem& what);
  /// fail() with an error of the node about the request's log.
  void fail(const failure& what) { fail(problem_of(what, parameters.log)); }

  /// Begins an answer of unknown length: chunked, or until the connection closes for HTTP/1.0.
  void begin_stream(int answer_status, std::string_view content_type,
                    std::string_view header_lines = {});
  /// Puts a piece out. @pre begin_stream() was called.
  void put(std::string_view piece);
  /// Ends an answer that begin_stream() began.
  void finish_stream();
  /// Gives up an answer that has begun.
  void break_off();

  /// The deadline has passed: gives up waiting and says so.
  void expire();
  /// Forgets what the node owes.
  void cancel_pending();
  /// The node has answered: nothing is pending and no deadline runs.
  void settled() {
    pending = 0;
    deadline = steady_time::max();
  }

private:
  void write_head(int answer_status, std::string_view content_type,
                  std::optional<std::uint64_t> length, std::string_view header_lines);

  exchange_owner* owner_ = nullptr;
  worker_context* context_ = nullptr;
  std::string traceparent_;
  std::string trace_id_;
};

}  // namespace cairn::net
