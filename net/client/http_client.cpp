#include "net/client/http_client.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <cstring>
#include <fmt/format.h>

namespace cairn::net {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr std::size_t k_read_bytes = 64 * k_kib_bytes;
constexpr std::uint32_t k_header_bytes_max = 64 * k_kib_bytes;
constexpr milliseconds k_interrupt_poll{100};

template <class Number>
std::optional<Number> number_field(const http::fields& fields, std::string_view name) {
  const auto found = fields.find(beast::string_view(name.data(), name.size()));
  if (found == fields.end()) return std::nullopt;
  const auto text = found->value();
  Number number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string head_of(const http_request& request, const server_address& server) {
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: cairn\r\n",
                                 request.method, request.target, server.authority());
  for (const auto& [name, value] : request.fields) {
    fmt::format_to(std::back_inserter(head), "{}: {}\r\n", name, value);
  }
  if (!request.content_type.empty()) {
    fmt::format_to(std::back_inserter(head), "Content-Type: {}\r\nContent-Length: {}\r\n",
                   request.content_type, request.body.size());
  }
  head += "\r\n";
  return head;
}

// Cuts a stream of bytes into lines and hands them over.
class line_splitter {
public:
  line_splitter(const line_handler& handler, std::uint64_t line_bytes_max)
      : handler_(handler), line_bytes_max_(line_bytes_max) {}

  // False when the handler has had enough, or a line is too long.
  bool feed(std::string_view bytes) {
    while (!bytes.empty()) {
      const void* end = std::memchr(bytes.data(), '\n', bytes.size());
      const auto size =
          end == nullptr ? bytes.size()
                         : static_cast<std::size_t>(static_cast<const char*>(end) - bytes.data());
      if (end == nullptr) {
        pending_ += bytes;
        too_long_ = pending_.size() > line_bytes_max_;
        return !too_long_;
      }
      if (!hand_over(bytes.substr(0, size))) return false;
      bytes.remove_prefix(size + 1);
    }
    return true;
  }

  bool finish() { return pending_.empty() || hand_over({}); }
  [[nodiscard]] bool too_long() const { return too_long_; }

private:
  bool hand_over(std::string_view end_of_line) {
    if (pending_.empty()) return handler_(without_cr(end_of_line));
    pending_ += end_of_line;
    const bool more = handler_(without_cr(pending_));
    pending_.clear();
    return more;
  }

  static std::string_view without_cr(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

  const line_handler& handler_;
  std::uint64_t line_bytes_max_;
  std::string pending_;
  bool too_long_ = false;
};

}  // namespace

class http_client::impl {
public:
  explicit impl(client_options options) : options_(std::move(options)), stream_(io_) {
    CAIRN_CHECK(!options_.servers.empty(), "a client without a server");
  }

  status send(const http_request& request) {
    phase_ = client_phase::none;
    if (!connected_) {
      if (auto good = connect(); !good) return good;
    }
    const auto head = head_of(request, server());
    const std::array<asio::const_buffer, 2> pieces{
        asio::buffer(head), asio::buffer(request.body.data(), request.body.size())};
    const auto failure = await(options_.request_timeout, [&](auto done) {
      asio::async_write(stream_, pieces, std::move(done));
    });
    ++unanswered_;
    // A node that refuses a body answers before it has read it all, and closes: the answer says
    // more than the broken pipe.
    const bool may_have_answered =
        failure == asio::error::broken_pipe || failure == asio::error::connection_reset;
    if (failure && !may_have_answered) return lost("sending", failure);
    return {};
  }

  result<http_answer> receive(const line_handler* handler) {
    CAIRN_CHECK(unanswered_ > 0 || !connected_, "receive without a request");
    phase_ = client_phase::none;
    if (!connected_) return fail(client_phase::lost, "the connection was lost before the answer");
    http::response_parser<http::buffer_body> parser;
    parser.header_limit(k_header_bytes_max);
    parser.body_limit(boost::none);
    auto failure = await(options_.request_timeout, [&](auto done) {
      http::async_read_header(stream_, buffer_, parser, std::move(done));
    });
    if (failure) return lost("waiting for the answer", failure);
    http_answer answer;
    const auto& fields = parser.get();
    answer.status = fields.result_int();
    answer.content_type = std::string(fields[http::field::content_type]);
    answer.next_offset = number_field<std::uint64_t>(fields, "Cairn-Next-Offset");
    answer.replayed = fields["Cairn-Replayed"] == "true";
    answer.retry_after_s = number_field<std::uint32_t>(fields, "Retry-After");
    const bool by_line = handler != nullptr && answer.status == 200;
    line_splitter lines(by_line ? *handler : k_no_lines, options_.max_answer_bytes);
    if (auto good = read_body(parser, by_line ? &lines : nullptr, answer); !good) {
      return good.error();
    }
    if (connected_ && !parser.get().keep_alive()) close();
    if (unanswered_ > 0) --unanswered_;
    return answer;
  }

  void close() {
    error_code ignored;
    stream_.socket().close(ignored);
    buffer_.clear();
    connected_ = false;
    unanswered_ = 0;
  }

  void turn_to_next_server() {
    CAIRN_CHECK(unanswered_ == 0, "turning away from a node that is to answer");
    if (options_.servers.size() == 1) return;
    close();
    current_ = (current_ + 1) % options_.servers.size();
  }

  void add_servers(const std::vector<server_address>& more) {
    for (const auto& one : more) {
      auto& known = options_.servers;
      if (std::find(known.begin(), known.end(), one) == known.end()) known.push_back(one);
    }
  }

  [[nodiscard]] const server_address& server() const { return options_.servers[current_]; }

  client_options options_;
  client_phase phase_ = client_phase::none;
  std::size_t unanswered_ = 0;
  bool connected_ = false;

private:
  [[nodiscard]] bool interrupted() const {
    return options_.interrupted != nullptr && options_.interrupted->load();
  }

  error fail(client_phase phase, std::string sentence) {
    phase_ = interrupted() ? client_phase::interrupted : phase;
    close();
    return {phase == client_phase::garbled ? errc::corruption : errc::unavailable,
            std::move(sentence)};
  }

  error lost(std::string_view doing, const error_code& failure) {
    const bool garbled =
        failure.category() == http::make_error_code(http::error::bad_version).category() &&
        failure != http::error::end_of_stream && failure != http::error::partial_message;
    std::string why = failure.message();
    if (failure == beast::error::timeout) {
      why = fmt::format("nothing moved for {} ms", options_.request_timeout.count());
    } else if (failure == http::error::end_of_stream || failure == asio::error::eof ||
               failure == http::error::partial_message) {
      why = "the node closed the connection";
    } else if (interrupted()) {
      why = "interrupted";
    }
    auto broken = fail(garbled ? client_phase::garbled : client_phase::lost,
                       fmt::format("{}: {}: {}", server().authority(), doing, why));
    // It may be gone, or stand still while connections to it still succeed.
    turn_to_next_server();
    return broken;
  }

  // Runs one asynchronous operation to its end, with a deadline and an eye on the caller's flag.
  template <class Start>
  error_code await(milliseconds timeout, const Start& start) {
    bool done = false;
    error_code outcome;
    stream_.expires_after(timeout);
    start([&](const error_code& failure, auto&&...) {
      outcome = failure;
      done = true;
    });
    while (!done) {
      if (io_.stopped()) io_.restart();
      io_.run_one_for(k_interrupt_poll);
      if (!done && interrupted()) {
        resolver_.cancel();
        stream_.cancel();
      }
    }
    stream_.expires_never();
    return outcome;
  }

  status connect() {
    std::string tried;
    for (std::size_t i = 0; i < options_.servers.size(); ++i) {
      const auto failure = connect_to_current();
      if (!failure) {
        connected_ = true;
        return {};
      }
      fmt::format_to(std::back_inserter(tried), "{}{}: {}", tried.empty() ? "" : "; ",
                     server().authority(),
                     failure == beast::error::timeout
                         ? fmt::format("no answer within {} ms", options_.connect_timeout.count())
                         : failure.message());
      if (interrupted()) break;
      current_ = (current_ + 1) % options_.servers.size();
    }
    return fail(client_phase::unreachable, fmt::format("no node could be reached ({})", tried));
  }

  error_code connect_to_current() {
    close();
    asio::ip::tcp::resolver::results_type found;
    auto failure = await(options_.connect_timeout, [&](auto done) {
      resolver_.async_resolve(server().host, std::to_string(server().port),
                              [&found, done](const error_code& failed, auto results) mutable {
                                found = results;
                                done(failed);
                              });
    });
    if (failure) return failure;
    failure = await(options_.connect_timeout,
                    [&](auto done) { stream_.async_connect(found, std::move(done)); });
    if (failure) return failure;
    error_code ignored;
    stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    return {};
  }

  status read_body(http::response_parser<http::buffer_body>& parser, line_splitter* lines,
                   http_answer& answer) {
    std::string chunk(k_read_bytes, '\0');
    while (!parser.is_done()) {
      parser.get().body().data = chunk.data();
      parser.get().body().size = chunk.size();
      auto failure = await(options_.request_timeout, [&](auto done) {
        http::async_read_some(stream_, buffer_, parser, std::move(done));
      });
      if (failure == http::error::need_buffer) failure = {};
      if (failure) return lost("reading the answer", failure);
      const std::string_view got(chunk.data(), chunk.size() - parser.get().body().size);
      if (lines == nullptr) {
        answer.body += got;
        if (answer.body.size() > options_.max_answer_bytes) return too_large("answer");
      } else if (!lines->feed(got)) {
        if (lines->too_long()) return too_large("line");
        close();
        return {};
      }
    }
    if (lines != nullptr && !lines->finish()) close();
    return {};
  }

  error too_large(std::string_view what) {
    return fail(client_phase::garbled,
                fmt::format("{}: the {} is larger than {} bytes", server().authority(), what,
                            options_.max_answer_bytes));
  }

  inline static const line_handler k_no_lines;

  asio::io_context io_{1};
  asio::ip::tcp::resolver resolver_{io_};
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{k_header_bytes_max + k_read_bytes};
  std::size_t current_ = 0;
};

http_client::http_client(client_options options)
    : impl_(std::make_unique<impl>(std::move(options))) {}
http_client::~http_client() = default;

status http_client::send(const http_request& request) {
  return impl_->send(request);
}

result<http_answer> http_client::receive() {
  return impl_->receive(nullptr);
}

result<http_answer> http_client::receive_lines(const line_handler& handler) {
  return impl_->receive(&handler);
}

result<http_answer> http_client::exchange(const http_request& request) {
  const bool was_open = impl_->connected_;
  auto sent = impl_->send(request);
  if (sent) {
    auto answer = impl_->receive(nullptr);
    if (answer) return answer;
    sent = answer.error();
  }
  const bool again = was_open && request.method == "GET" && phase() == client_phase::lost;
  if (!again) return sent.error();
  if (auto good = impl_->send(request); !good) return good.error();
  return impl_->receive(nullptr);
}

client_phase http_client::phase() const {
  return impl_->phase_;
}

std::size_t http_client::unanswered() const {
  return impl_->unanswered_;
}

bool http_client::connected() const {
  return impl_->connected_;
}

std::string http_client::connected_to() const {
  return impl_->server().authority();
}

void http_client::close() {
  impl_->close();
}

void http_client::turn_to_next_server() {
  impl_->turn_to_next_server();
}

void http_client::add_servers(const std::vector<server_address>& more) {
  impl_->add_servers(more);
}

const client_options& http_client::options() const {
  return impl_->options_;
}

}  // namespace cairn::net
