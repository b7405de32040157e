// bare_server: a Beast server on one thread that reads a request and answers a constant, the bar
// that node_bench holds cairnd against. The answer has the status, headers and size of a receipt
// for one record; nothing else of cairnd is in here.

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <csignal>
#include <fmt/format.h>
#include <memory>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

constexpr const char* k_body =
    R"({"log":"default","offset":1000000,"count":1,"timestamp":"2024-01-01T00:00:00.000Z",)"
    R"("term":1,"index":1000000,"durable_on":1,"replicas":1})";

/// One connection. Keeps itself alive through its handlers.
class session : public std::enable_shared_from_this<session> {
public:
  explicit session(tcp::socket socket) : stream_(std::move(socket)) {
    stream_.socket().set_option(tcp::no_delay(true));
  }

  void read() {
    request_ = {};
    http::async_read(stream_, buffer_, request_,
                     [self = shared_from_this()](beast::error_code failed, std::size_t) {
                       if (!failed) self->answer();
                     });
  }

private:
  void answer() {
    response_ = {http::status::created, request_.version()};
    response_.keep_alive(request_.keep_alive());
    response_.set(http::field::content_type, "application/json");
    response_.set(http::field::location, "/v1/logs/default/records/1000000");
    response_.set("Cairn-Node", "n1");
    response_.set("Cairn-Next-Offset", "1000001");
    response_.body() = k_body;
    response_.prepare_payload();
    http::async_write(stream_, response_,
                      [self = shared_from_this()](beast::error_code failed, std::size_t) {
                        if (!failed && self->response_.keep_alive()) self->read();
                      });
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  http::response<http::string_body> response_;
};

void accept_next(tcp::acceptor& acceptor) {
  acceptor.async_accept([&acceptor](beast::error_code failed, tcp::socket socket) {
    if (!failed) std::make_shared<session>(std::move(socket))->read();
    accept_next(acceptor);
  });
}

}  // namespace

// Prints its port, serves until SIGTERM.
int main() {
  try {
    asio::io_context context(1);
    tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
    asio::signal_set signals(context, SIGTERM, SIGINT);
    signals.async_wait([&](beast::error_code, int) { context.stop(); });
    accept_next(acceptor);
    fmt::print("{}\n", acceptor.local_endpoint().port());
    std::fflush(stdout);
    context.run();
  } catch (const std::exception& failed) {
    fmt::print(stderr, "error: {}\n", failed.what());
    return 1;
  }
  return 0;
}
