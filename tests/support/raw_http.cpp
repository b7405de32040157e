#include "tests/support/raw_http.hpp"

#include "storage/base/check.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <utility>

namespace cairn::test {

namespace {
constexpr timeval k_time_limit{20, 0};
}

raw_client::raw_client(std::uint16_t port, int receive_buffer_bytes)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  CAIRN_CHECK(socket_ >= 0, "socket: {}", std::strerror(errno));
  if (receive_buffer_bytes > 0) {
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                 sizeof(receive_buffer_bytes));
  }
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &k_time_limit, sizeof(k_time_limit));
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &k_time_limit, sizeof(k_time_limit));
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int connected = ::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  CAIRN_CHECK(connected == 0, "connect to port {}: {}", port, std::strerror(errno));
}

raw_client::~raw_client() {
  close();
}

raw_client::raw_client(raw_client&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      buffer_(std::move(other.buffer_)),
      continues_(other.continues_) {}

bool raw_client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool raw_client::fill() {
  std::array<char, 65536> block;
  const ssize_t count = ::recv(socket_, block.data(), block.size(), 0);
  if (count <= 0) return false;
  buffer_.append(block.data(), static_cast<std::size_t>(count));
  return true;
}

std::optional<std::string> raw_client::read_past(std::string_view text) {
  for (;;) {
    const auto at = buffer_.find(text);
    if (at != std::string::npos) {
      std::string out = buffer_.substr(0, at + text.size());
      buffer_.erase(0, at + text.size());
      return out;
    }
    if (!fill()) return std::nullopt;
  }
}

std::optional<std::string> raw_client::read_line() {
  auto line = read_past("\r\n");
  if (line) line->resize(line->size() - 2);
  return line;
}

bool raw_client::read_exactly(std::size_t count, std::string& out) {
  while (buffer_.size() < count) {
    if (!fill()) return false;
  }
  out.append(buffer_, 0, count);
  buffer_.erase(0, count);
  return true;
}

bool raw_client::read_chunks(std::string& out) {
  for (;;) {
    const auto line = read_line();
    if (!line) return false;
    std::size_t size = 0;
    const auto parsed = std::from_chars(line->data(), line->data() + line->size(), size, 16);
    CAIRN_CHECK(parsed.ec == std::errc{} && parsed.ptr == line->data() + line->size(),
                "the server sent the chunk size '{}'", *line);
    if (!read_exactly(size, out)) return false;
    const auto end = read_line();
    if (!end) return false;
    CAIRN_CHECK(end->empty(), "the server sent '{}' behind a chunk", *end);
    if (size == 0) return true;
  }
}

raw_response raw_client::receive(bool head_only) {
  raw_response out;
  const auto first = read_line();
  if (!first) return out;
  CAIRN_CHECK(first->starts_with("HTTP/1.1 ") && first->size() > 12, "status line '{}'", *first);
  out.status = std::stoi(first->substr(9, 3));
  for (;;) {
    const auto line = read_line();
    if (!line) return {};
    if (line->empty()) break;
    const auto colon = line->find(": ");
    CAIRN_CHECK(colon != std::string::npos, "header line '{}'", *line);
    std::string name = line->substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    CAIRN_CHECK(out.headers.emplace(name, line->substr(colon + 2)).second, "{} twice", name);
  }
  if (out.status == 100) {
    ++continues_;
    return receive(head_only);
  }
  if (head_only) return out;
  bool whole = false;
  if (out.header("transfer-encoding") == "chunked") {
    whole = read_chunks(out.body);
  } else if (out.headers.contains("content-length")) {
    whole = read_exactly(std::stoul(out.header("content-length")), out.body);
  } else {
    out.body = read_all();
    whole = true;
  }
  if (!whole) out.status = 0;
  return out;
}

raw_response raw_client::get(std::string_view target, std::string_view header_lines) {
  return ask(fmt::format("GET {} HTTP/1.1\r\nHost: t\r\n{}\r\n", target, header_lines));
}

raw_response raw_client::post(std::string_view target, std::string_view content_type,
                              std::string_view body, std::string_view header_lines) {
  return ask(fmt::format(
      "POST {} HTTP/1.1\r\nHost: t\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}\r\n{}", target,
      content_type, body.size(), header_lines, body));
}

bool raw_client::is_closed() {
  if (!buffer_.empty()) return false;
  char one = 0;
  const ssize_t count = ::recv(socket_, &one, 1, 0);
  return count == 0 || (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

bool raw_client::has_input(std::chrono::milliseconds limit) const {
  pollfd one{socket_, POLLIN, 0};
  return !buffer_.empty() || ::poll(&one, 1, static_cast<int>(limit.count())) > 0;
}

std::string raw_client::read_all() {
  while (fill()) {
  }
  return std::exchange(buffer_, {});
}

void raw_client::end_sending() {
  ::shutdown(socket_, SHUT_WR);
}

void raw_client::reset() {
  const linger at_once{1, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close();
}

void raw_client::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

}  // namespace cairn::test
