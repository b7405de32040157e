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
#include <poll.h>
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
constexpr std::chrono::milliseconds k_first_pause{50};
constexpr std::chrono::milliseconds k_longest_pause{1000};
// So often it is looked for connections that wait for something too long.
constexpr std::chrono::milliseconds k_tend_period{50};

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

enum class link_state : std::uint8_t {
  waits,     ///< has no socket and tries the next server soon
  connects,  ///< a socket, on its way
  open,      ///< a request is under way
};

struct connection {
  descriptor socket;
  link_state state = link_state::waits;
  std::size_t server = 0;
  /// When it tries again (waits), or what it waits for is given up.
  clock::time_point until;
  bool failing = false;                ///< it broke, and has had no answer since
  std::chrono::milliseconds pause{0};  ///< before the next try
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
        addresses_(options.servers.size()),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  result<load_report> run() {
    for (std::uint32_t i = 0; i < options_.connection_count; ++i) {
      if (!connect_at_first(i)) return error{errc::unavailable, why_};
    }
    const auto began = last_good_ = clock::now();
    counting_from_ = began + options_.warm_up;
    const auto end = counting_from_ + options_.duration;
    next_tend_ = began + k_tend_period;
    for (std::uint32_t i = 0; i < options_.connection_count; ++i)
      begin_request(i);
    std::array<epoll_event, 256> events{};
    auto now = clock::now();
    for (; now < end && !is_interrupted() && !gave_up_; now = clock::now()) {
      const auto pause =
          std::chrono::ceil<std::chrono::milliseconds>(std::min(end, next_tend_) - now);
      const int count =
          ::epoll_wait(epoll_.number(), events.data(), static_cast<int>(events.size()),
                       static_cast<int>(std::max<std::int64_t>(0, pause.count())));
      for (int i = 0; i < count; ++i)
        on_event(events[static_cast<std::size_t>(i)]);
      if (now >= next_tend_) tend(now);
      if (options_.progressed) {
        const auto whole = std::chrono::duration<double>(options_.warm_up + options_.duration);
        options_.progressed(std::chrono::duration<double>(now - began) / whole,
                            report_.latencies.count());
      }
    }
    if (gave_up_) {
      report_.gave_up = "no node could be connected to any more; the last try: " + why_;
    }
    report_.longest_gap = std::max<std::chrono::nanoseconds>(report_.longest_gap, now - last_good_);
    report_.elapsed_s =
        std::max(0.0, std::chrono::duration<double>(clock::now() - counting_from_).count());
    return std::move(report_);
  }

private:
  struct socket_address {
    sockaddr_storage storage{};
    socklen_t bytes = 0;  // 0: not looked up yet
  };

  [[nodiscard]] bool is_interrupted() const {
    return options_.interrupted != nullptr && options_.interrupted->load();
  }

  // Why not; empty: done.
  std::string resolve(std::size_t server) {
    auto& address = addresses_[server];
    if (address.bytes != 0) return {};
    const auto& named = options_.servers[server];
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int failed =
        ::getaddrinfo(named.host.c_str(), std::to_string(named.port).c_str(), &hints, &found);
    if (failed != 0) return ::gai_strerror(failed);
    std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
    address.bytes = found->ai_addrlen;
    ::freeaddrinfo(found);
    return {};
  }

  // Waits for it: the clock does not run yet.
  bool connect_at_first(std::uint32_t index) {
    auto& one = connections_[index];
    connect(index);
    if (one.state != link_state::connects) return false;
    pollfd waits{one.socket.number(), POLLOUT, 0};
    if (::poll(&waits, 1, static_cast<int>(options_.connect_timeout.count())) != 1) {
      fail_over(index, "no connection in time");
      return false;
    }
    return finish_connect(index);
  }

  // Begins to connect to the connection's server.
  void connect(std::uint32_t index) {
    auto& one = connections_[index];
    if (const auto why = resolve(one.server); !why.empty()) return fail_over(index, why);
    const auto& address = addresses_[one.server];
    one.socket.reset(
        ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (one.socket.number() < 0 ||
        (::connect(one.socket.number(), reinterpret_cast<const sockaddr*>(&address.storage),
                   address.bytes) != 0 &&
         errno != EINPROGRESS)) {
      return fail_over(index, std::strerror(errno));
    }
    const int on = 1;
    ::setsockopt(one.socket.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    one.received.clear();
    one.state = link_state::connects;
    one.until = clock::now() + options_.connect_timeout;
    one.waits_to_send = true;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT;
    event.data.u32 = index;
    if (::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, one.socket.number(), &event) != 0) {
      fail_over(index, std::strerror(errno));
    }
  }

  bool finish_connect(std::uint32_t index) {
    auto& one = connections_[index];
    int failed = 0;
    socklen_t bytes = sizeof(failed);
    if (::getsockopt(one.socket.number(), SOL_SOCKET, SO_ERROR, &failed, &bytes) != 0) {
      failed = errno;
    }
    if (failed == 0) {
      one.state = link_state::open;
      return true;
    }
    fail_over(index, std::strerror(failed));
    return false;
  }

  void begin_request(std::uint32_t index) {
    auto& one = connections_[index];
    one.request = &options_.next_request(index, one.server);
    one.sent = 0;
    one.started = clock::now();
    one.until = one.started + options_.request_timeout;
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
    if (waits) one.until = clock::now() + options_.request_timeout;
    if (waits == one.waits_to_send) return;
    one.waits_to_send = waits;
    epoll_event event{};
    event.events = waits ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.u32 = index;
    ::epoll_ctl(epoll_.number(), EPOLL_CTL_MOD, one.socket.number(), &event);
  }

  void on_event(const epoll_event& event) {
    const auto index = event.data.u32;
    const auto& one = connections_[index];
    if (one.state == link_state::connects) {
      if (finish_connect(index)) begin_request(index);
      return;
    }
    if ((event.events & EPOLLOUT) != 0) send_more(index);
    if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
    if (one.state != link_state::open) return;
    const auto got = ::recv(one.socket.number(), chunk_.data(), chunk_.size(), MSG_DONTWAIT);
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
      one.until = clock::now() + options_.request_timeout;
      if (one.received.size() > k_answer_bytes_max) broken(index, "an answer without end");
      return;
    }
    if (*size == 0 || *size != all.size()) return broken(index, "what came is no HTTP answer");
    count_answer(one, all);
    one.received.clear();
    if (one.failing) {
      one.failing = false;
      one.pause = {};
      --failing_count_;
    }
    begin_request(index);
  }

  void count_answer(const connection& one, std::string_view answer) {
    const auto now = clock::now();
    unsigned status = 0;
    std::from_chars(answer.data() + 9, answer.data() + 12, status);
    const bool good = status / 100 == 2;
    if (good) {
      report_.longest_gap =
          std::max<std::chrono::nanoseconds>(report_.longest_gap, now - last_good_);
      last_good_ = now;
    }
    if (one.started < counting_from_) return;
    report_.sent_bytes += one.request->size();
    report_.received_bytes += answer.size();
    if (good) {
      report_.latencies.add(static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(now - one.started).count()));
      return;
    }
    ++report_.failed_by_status[status];
    if (report_.sample.empty()) report_.sample = answer.substr(answer.find("\r\n\r\n") + 4);
  }

  // Its request has failed with it.
  void broken(std::uint32_t index, std::string_view why) {
    ++report_.broken_count;
    fail_over(index, fmt::format("a connection broke: {}", why));
  }

  // Lets the connection try the next server, at once when it had an answer from this one.
  void fail_over(std::uint32_t index, std::string_view why) {
    auto& one = connections_[index];
    const auto now = clock::now();
    why_ = fmt::format("{}: {}", options_.servers[one.server].authority(), why);
    one.socket.reset();
    one.received.clear();
    if (!one.failing) {
      one.failing = true;
      if (++failing_count_ == connections_.size()) all_failing_since_ = now;
    } else if (failing_count_ == connections_.size() &&
               now - all_failing_since_ >= options_.failover_limit) {
      gave_up_ = true;
    }
    one.server = (one.server + 1) % options_.servers.size();
    one.state = link_state::waits;
    one.until = now + one.pause;
    one.pause = std::clamp(one.pause * 2, k_first_pause, k_longest_pause);
    next_tend_ = std::min(next_tend_, one.until);
  }

  // Sees to what no event tells of.
  void tend(clock::time_point now) {
    next_tend_ = now + k_tend_period;
    for (std::uint32_t i = 0; i < options_.connection_count && !gave_up_; ++i) {
      auto& one = connections_[i];
      if (one.until <= now) {
        switch (one.state) {
          case link_state::waits:
            connect(i);
            break;
          case link_state::connects:
            fail_over(i, "no connection in time");
            break;
          case link_state::open:
            broken(i, "no answer in time");
            break;
        }
      }
      if (one.state != link_state::open) next_tend_ = std::min(next_tend_, one.until);
    }
  }

  const load_options& options_;
  std::vector<connection> connections_;
  std::vector<socket_address> addresses_;  // of the servers
  descriptor epoll_;
  std::array<char, k_receive_bytes> chunk_{};
  clock::time_point counting_from_;
  clock::time_point last_good_;
  clock::time_point next_tend_;
  clock::time_point all_failing_since_;
  std::size_t failing_count_ = 0;
  load_report report_;
  bool gave_up_ = false;
  std::string why_;  // of the last failure
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
