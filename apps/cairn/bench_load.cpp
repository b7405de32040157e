#include "apps/cairn/bench_load.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace cairn::cli {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t k_receive_bytes = 64 * k_kib_bytes;
constexpr std::size_t k_answer_bytes_max = 64 * k_mib_bytes;

class descriptor {
public:
  explicit descriptor(int number = -1) : number_(number) {}
  ~descriptor() { reset(); }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  void reset(int number = -1) {
    if (number_ >= 0) ::close(number_);
    number_ = number;
  }
  [[nodiscard]] int number() const { return number_; }

private:
  int number_;
};

struct connection {
  descriptor socket;
  const std::string* request = nullptr;
  std::size_t sent = 0;
  bool waits_to_send = false;
  std::string received;
  clock::time_point started;
};

// Size of the first whole answer in `bytes`; nothing when it is not whole yet; 0 when it is no
// HTTP.
std::optional<std::size_t> whole_answer(std::string_view bytes) {
  const auto head_end = bytes.find("\r\n\r\n");
  if (head_end == std::string_view::npos) return std::nullopt;
  if (!bytes.starts_with("HTTP/1.1 ")) return 0;
  std::string head(bytes.substr(0, head_end + 2));
  std::transform(head.begin(), head.end(), head.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  constexpr std::string_view k_length = "\r\ncontent-length:";
  const auto length_at = head.find(k_length);
  if (length_at != std::string::npos) {
    auto first = length_at + k_length.size();
    while (first < head.size() && head[first] == ' ')
      ++first;
    std::size_t size = 0;
    const auto parsed = std::from_chars(head.data() + first, head.data() + head.size(), size);
    if (parsed.ec != std::errc() || size > k_answer_bytes_max) return 0;
    const auto whole = head_end + 4 + size;
    return bytes.size() >= whole ? std::optional(whole) : std::nullopt;
  }
  if (head.find("\r\ntransfer-encoding: chunked") == std::string::npos) return 0;
  // Nothing follows an answer before the next request is sent: the end is at the end.
  if (bytes.substr(head_end + 4) == "0\r\n\r\n") return bytes.size();
  return bytes.ends_with("\r\n0\r\n\r\n") ? std::optional(bytes.size()) : std::nullopt;
}

class load {
public:
  explicit load(const load_options& options)
      : options_(options),
        connections_(options.connection_count),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  result<load_report> run() {
    if (auto good = resolve(); !good) return good.error();
    for (std::uint32_t i = 0; i < options_.connection_count; ++i) {
      if (auto good = open(i); !good) return good.error();
    }
    counting_from_ = clock::now() + options_.warm_up;
    const auto end = counting_from_ + options_.duration;
    for (std::uint32_t i = 0; i < options_.connection_count; ++i)
      begin_request(i);
    std::array<epoll_event, 256> events{};
    for (auto now = clock::now(); now < end && !is_interrupted(); now = clock::now()) {
      const int count =
          ::epoll_wait(epoll_.number(), events.data(), static_cast<int>(events.size()), 50);
      for (int i = 0; i < count; ++i)
        on_event(events[static_cast<std::size_t>(i)]);
      if (all_broken_) return error{errc::unavailable, why_broken_};
      if (options_.progressed) {
        const auto passed = std::chrono::duration<double>(now - counting_from_ + options_.warm_up);
        const auto whole = std::chrono::duration<double>(options_.warm_up + options_.duration);
        options_.progressed(passed / whole, report_.latencies.count());
      }
    }
    const auto counted = clock::now() - counting_from_;
    report_.elapsed_s = std::max(0.0, std::chrono::duration<double>(counted).count());
    return std::move(report_);
  }

private:
  [[nodiscard]] bool is_interrupted() const {
    return options_.interrupted != nullptr && options_.interrupted->load();
  }

  status resolve() {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int failed = ::getaddrinfo(options_.server.host.c_str(),
                                     std::to_string(options_.server.port).c_str(), &hints, &found);
    if (failed != 0) {
      return error{errc::unavailable,
                   fmt::format("{}: {}", options_.server.authority(), ::gai_strerror(failed))};
    }
    std::memcpy(&address_, found->ai_addr, found->ai_addrlen);
    address_bytes_ = found->ai_addrlen;
    ::freeaddrinfo(found);
    return {};
  }

  // Connects, waiting: it happens before the clock runs, or after a failure.
  status open(std::uint32_t index) {
    auto& one = connections_[index];
    one.socket.reset(::socket(address_.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (one.socket.number() < 0 ||
        ::connect(one.socket.number(), reinterpret_cast<const sockaddr*>(&address_),
                  address_bytes_) != 0) {
      return error{errc::unavailable,
                   fmt::format("{}: {}", options_.server.authority(), std::strerror(errno))};
    }
    const int on = 1;
    ::setsockopt(one.socket.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    one.received.clear();
    one.waits_to_send = false;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = index;
    if (::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, one.socket.number(), &event) != 0) {
      return error{errc::io_error, fmt::format("epoll: {}", std::strerror(errno))};
    }
    return {};
  }

  void begin_request(std::uint32_t index) {
    auto& one = connections_[index];
    one.request = &options_.next_request(index);
    one.sent = 0;
    one.started = clock::now();
    send_more(index);
  }

  void send_more(std::uint32_t index) {
    auto& one = connections_[index];
    while (one.sent < one.request->size()) {
      const auto sent = ::send(one.socket.number(), one.request->data() + one.sent,
                               one.request->size() - one.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
      if (sent < 0) return broken(index, std::strerror(errno));
      one.sent += static_cast<std::size_t>(sent);
    }
    const bool waits = one.sent < one.request->size();
    if (waits == one.waits_to_send) return;
    one.waits_to_send = waits;
    epoll_event event{};
    event.events = waits ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.u32 = index;
    ::epoll_ctl(epoll_.number(), EPOLL_CTL_MOD, one.socket.number(), &event);
  }

  void on_event(const epoll_event& event) {
    const auto index = event.data.u32;
    if ((event.events & EPOLLOUT) != 0) send_more(index);
    if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
    const auto got =
        ::recv(connections_[index].socket.number(), chunk_.data(), chunk_.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got <= 0) return broken(index, got == 0 ? "the node closed it" : std::strerror(errno));
    on_bytes(index, {chunk_.data(), static_cast<std::size_t>(got)});
  }

  void on_bytes(std::uint32_t index, std::string_view bytes) {
    auto& one = connections_[index];
    // Nearly always the whole answer comes at once: then nothing is copied.
    const bool at_once = one.received.empty();
    if (!at_once) one.received += bytes;
    const std::string_view all = at_once ? bytes : std::string_view(one.received);
    const auto size = whole_answer(all);
    if (!size) {
      if (at_once) one.received = bytes;
      if (one.received.size() > k_answer_bytes_max) broken(index, "an answer without end");
      return;
    }
    if (*size == 0 || *size != all.size()) return broken(index, "what came is no HTTP answer");
    count_answer(one, all);
    one.received.clear();
    begin_request(index);
  }

  void count_answer(const connection& one, std::string_view answer) {
    const auto now = clock::now();
    if (one.started < counting_from_) return;
    unsigned status = 0;
    std::from_chars(answer.data() + 9, answer.data() + 12, status);
    report_.sent_bytes += one.request->size();
    report_.received_bytes += answer.size();
    if (status / 100 == 2) {
      report_.latencies.add(static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(now - one.started).count()));
      return;
    }
    ++report_.failed_by_status[status];
    if (report_.sample.empty()) report_.sample = answer.substr(answer.find("\r\n\r\n") + 4);
  }

  // Counts a broken connection and makes it anew; gives up when that fails.
  void broken(std::uint32_t index, std::string_view why) {
    ++report_.broken_count;
    why_broken_ = fmt::format("{}: a connection broke: {}", options_.server.authority(), why);
    constexpr std::uint64_t k_broken_max = 10'000;
    const auto opened = open(index);
    if (!opened || report_.broken_count > k_broken_max) {
      if (!opened) why_broken_ += "; " + opened.error().detail;
      all_broken_ = true;
      return;
    }
    begin_request(index);
  }

  const load_options& options_;
  std::vector<connection> connections_;
  descriptor epoll_;
  sockaddr_storage address_{};
  socklen_t address_bytes_ = 0;
  std::array<char, k_receive_bytes> chunk_{};
  clock::time_point counting_from_;
  load_report report_;
  bool all_broken_ = false;
  std::string why_broken_;
};

}  // namespace

std::uint64_t load_report::failed_count() const {
  std::uint64_t count = broken_count;
  for (const auto& [status, failed] : failed_by_status)
    count += failed;
  return count;
}

result<load_report> run_load(const load_options& options) {
  return load(options).run();
}

}  // namespace cairn::cli
