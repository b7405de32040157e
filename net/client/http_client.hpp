#pragma once
// A blocking HTTP/1.1 client: for the CLI, tests and tools, one thread each. Every wait has an end,
// and every answer a largest size.

#include "storage/base/result.hpp"
#include "storage/base/units.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cairn::net {

/// Where a node listens for HTTP.
struct server_address {
  std::string host;  ///< name or address; an IPv6 address without its brackets
  std::uint16_t port = 8080;

  /// As it stands in a Host header and in messages: host:port.
  [[nodiscard]] std::string authority() const;
  bool operator==(const server_address&) const = default;
};

/// Reads "http://host:port,http://other:port": a list of at least one. The scheme may be missing,
/// the port too (8080). invalid_argument naming the part that is wrong; https is not there yet.
[[nodiscard]] result<std::vector<server_address>> parse_servers(std::string_view list);

struct client_options {
  /// Tried in turn until one can be connected to; after a lost connection the next one is first.
  std::vector<server_address> servers;
  std::chrono::milliseconds connect_timeout{3000};
  /// For one step: sending a request, waiting for the head of an answer, for a piece of its body.
  std::chrono::milliseconds request_timeout{30'000};
  std::uint64_t max_answer_bytes = 64 * k_mib_bytes;
  /// When it turns true the call that waits ends within 100 ms. May be null.
  const std::atomic<bool>* interrupted = nullptr;
};

struct http_request {
  std::string_view method = "GET";
  std::string target;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string_view content_type;  ///< empty: there is no body
  std::string_view body;
};

struct http_answer {
  unsigned status = 0;
  std::string content_type;
  std::string body;                          ///< empty when lines were handed to a line_handler
  std::optional<std::uint64_t> next_offset;  ///< Cairn-Next-Offset
  bool replayed = false;                     ///< Cairn-Replayed: true
  std::optional<std::uint32_t> retry_after_s;
};

/// How far a request came that has failed.
enum class client_phase : std::uint8_t {
  none,         ///< no failure
  unreachable,  ///< no connection: the request has not left
  lost,         ///< the connection broke, or no answer came in time: it may have had an effect
  garbled,      ///< what came is no HTTP, or too large
  interrupted,  ///< the caller's flag: it may have had an effect
};

/// Gets each line without its end. False: enough, the connection is closed.
using line_handler = std::function<bool(std::string_view)>;

class http_client {
public:
  explicit http_client(client_options options);
  ~http_client();
  http_client(const http_client&) = delete;
  http_client& operator=(const http_client&) = delete;

  /// Sends a request, connecting first if there is no connection. Several may be sent before the
  /// first answer is received; keep what is unanswered small, for nothing is read meanwhile.
  /// unavailable (see phase()).
  status send(const http_request& request);

  /// Receives the answer to the oldest unanswered request, whatever its status.
  /// unavailable, corruption (see phase()). @pre something is unanswered.
  result<http_answer> receive();

  /// As receive(), but hands over the body of a 200 answer line by line as it comes. The last line
  /// needs no end.
  result<http_answer> receive_lines(const line_handler& handler);

  /// Sends and receives. A request whose method is GET is sent a second time when a connection that
  /// had been open turns out to be closed.
  result<http_answer> exchange(const http_request& request);

  /// How the last call failed.
  [[nodiscard]] client_phase phase() const;

  /// Requests that were sent and have no answer yet. Zero after the connection was lost.
  [[nodiscard]] std::size_t unanswered() const;

  [[nodiscard]] bool connected() const;

  /// The node that is or was last connected to.
  [[nodiscard]] std::string connected_to() const;

  /// Drops the connection, and with it what is unanswered.
  void close();

  /// The next request goes to another node if several are known. @pre nothing is unanswered.
  void turn_to_next_server();

  /// Nodes that are tried, too, behind those known already. Those that are known stay as they are.
  void add_servers(const std::vector<server_address>& more);

  [[nodiscard]] const client_options& options() const;

private:
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace cairn::net
