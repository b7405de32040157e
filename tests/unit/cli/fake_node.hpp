#pragma once
// A node as a client sees it, over a real socket: one log in memory, and misbehaviour on command.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/http.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace cairn::testing {

/// What happens to the next append. Each one is used once.
enum class append_fault : std::uint8_t {
  none,
  drop_before,         ///< the connection closes, nothing is stored
  drop_after,          ///< it is stored, then the connection closes without an answer
  busy,                ///< 503 with outcome rejected
  unknown_not_stored,  ///< 504, outcome unknown, and it was not stored
  unknown_stored,      ///< 504, outcome unknown, though it was stored
  other_writer,        ///< somebody else's record comes first
  other_writer_drop,   ///< somebody else's record comes first, then the connection closes
  too_large,           ///< 413 before the body has been read, and the connection closes
  ahead,               ///< 412: the node holds more than is committed, and that is lost again
};

/// Serves one connection at a time on 127.0.0.1, port() says where.
class fake_node {
public:
  fake_node() : fake_node(std::make_shared<content>()) {}
  /// Another node of the same cluster: what one stores, the other has.
  explicit fake_node(const fake_node& other) : fake_node(other.log_) {}
  ~fake_node();
  fake_node& operator=(const fake_node&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url() const;

  void add_fault(append_fault fault);
  /// Values in the order of their offsets.
  [[nodiscard]] std::vector<std::string> values();
  void add_value(std::string value);
  /// What GET /v1/cluster answers; empty: 404.
  void set_cluster(std::string document);
  /// What changes of the cluster get, and which came: "DELETE /target body".
  void set_change_answer(unsigned status, std::string body);
  [[nodiscard]] std::vector<std::string> changes();
  [[nodiscard]] int append_count();
  [[nodiscard]] int connection_count() const { return connection_count_.load(); }
  /// Ends the stream of the next event-stream request after so many events.
  void end_streams_after(std::uint64_t count) { stream_count_ = count; }
  /// Linearizable reads get 503.
  void lose_leader() { has_leader_ = false; }

private:
  using request = boost::beast::http::request<boost::beast::http::string_body>;
  using response = boost::beast::http::response<boost::beast::http::string_body>;
  using socket = boost::asio::ip::tcp::socket;

  struct stored_append {
    std::string body;
    std::size_t offset = 0;
    std::size_t count = 0;
  };
  struct content {
    std::mutex mutex;
    std::vector<std::string> values;
    // By the identity's headers: what was appended under it. A producer's older ones are forgotten.
    std::map<std::string, stored_append> stored;
    std::map<std::string, std::uint64_t> next_seqs;
  };

  explicit fake_node(std::shared_ptr<content> log);
  void serve();
  void serve_connection(socket& client);
  // False when the connection is to be closed without an answer.
  bool answer(const request& asked, response& reply);
  bool answer_append(const request& asked, response& reply);
  void answer_read(const request& asked, response& reply);
  void store(const std::string& body);
  // Of a producer or a key; false: it is to be stored.
  bool answer_known(const request& asked, response& reply);
  void remember(const request& asked, std::size_t offset);

  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::shared_ptr<content> log_;
  std::mutex& mutex_ = log_->mutex;
  std::vector<std::string>& values_ = log_->values;
  std::deque<append_fault> faults_;
  std::string cluster_;
  unsigned change_status_ = 200;
  std::string change_answer_ = "{}";
  std::vector<std::string> changes_;
  int append_count_ = 0;
  std::atomic<int> connection_count_{0};
  std::atomic<std::uint64_t> stream_count_{~std::uint64_t{0}};
  std::atomic<bool> has_leader_{true};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace cairn::testing
