#include "bench/compare/load_loop.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <netinet/tcp.h>
#include <sstream>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace cairn::bench {

namespace {

using clock = std::chrono::steady_clock;

constexpr int k_events_max = 512;
constexpr std::size_t k_read_bytes = 256 * 1024;
constexpr double k_silence_s_max = 30;

double seconds_between(clock::time_point from, clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

/// User and system time of a process, from the kernel's clock ticks. 0 when it is gone.
double cpu_seconds_of(int pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string word;
  double ticks = 0;
  for (int i = 0; i < 13 && fields >> word; ++i)
    if (i >= 11) ticks += std::strtod(word.c_str(), nullptr);
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double own_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

error failure_of(const char* what) {
  return {errc::unavailable, fmt::format("{}: {}", what, std::strerror(errno))};
}

struct connection {
  int descriptor = -1;
  std::unique_ptr<wire> talk;
  std::string in;
  std::string out;
  std::deque<clock::time_point> asked;
  bool started = false;
  bool writable_wanted = false;
};

class load_loop {
public:
  load_loop(const load_plan& plan, shared_state& shared) : plan_(plan), shared_(shared) {}
  ~load_loop() {
    for (auto& one : connections_)
      if (one.descriptor >= 0) close(one.descriptor);
    if (epoll_ >= 0) close(epoll_);
  }
  load_loop(const load_loop&) = delete;
  load_loop& operator=(const load_loop&) = delete;

  result<load_figures> run() {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) return failure_of("epoll_create1");
    chunk_.resize(k_read_bytes);
    connections_.resize(plan_.connections);
    for (std::uint32_t i = 0; i < plan_.connections; ++i)
      if (auto opened = open(i); !opened) return opened.error();
    begin_ = last_answer_ = clock::now();
    while (!over()) {
      if (auto went = step(); !went) return went.error();
    }
    if (!counting_) start_counting();
    figures_.seconds = seconds_between(counted_from_, last_answer_);
    for (std::size_t i = 0; i < plan_.server_pids.size(); ++i)
      figures_.server_cpu_s[i] = cpu_seconds_of(plan_.server_pids[i]) - figures_.server_cpu_s[i];
    figures_.own_cpu_s = own_cpu_seconds() - figures_.own_cpu_s;
    return std::move(figures_);
  }

private:
  status open(std::uint32_t index) {
    auto& one = connections_[index];
    const auto& address = plan_.addresses[index % plan_.addresses.size()];
    one.descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (one.descriptor < 0) return failure_of("socket");
    const int on = 1;
    setsockopt(one.descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(one.descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      return failure_of("connect");
    }
    one.talk = plan_.work.peer == peer_kind::nats
                   ? make_nats_wire(plan_.work, index, plan_.connections)
                   : make_http_wire(plan_.work, shared_, index, plan_.connections);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = index;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, one.descriptor, &event) != 0)
      return failure_of("epoll_ctl");
    one.talk->greet(one.out);
    start_if_ready(one);
    return send_out(one, index);
  }

  void start_if_ready(connection& one) {
    if (one.started || !one.talk->ready()) return;
    one.started = true;
    for (std::uint32_t i = 0; i < plan_.in_flight; ++i)
      ask(one);
  }

  void ask(connection& one) {
    if (plan_.limit != 0 && asked_ >= plan_.limit) return;
    if (one.talk->finished()) return;
    one.talk->ask(one.out);
    one.asked.push_back(now_);
    ++asked_;
    ++unanswered_;
  }

  [[nodiscard]] bool over() const {
    const auto since = counting_ ? counted_from_ : begin_;
    const bool no_more = asked_ > 0 && unanswered_ == 0;
    return no_more || (counting_ && seconds_between(since, now_) >= plan_.seconds);
  }

  status step() {
    std::array<epoll_event, k_events_max> events{};
    const int count = epoll_wait(epoll_, events.data(), k_events_max, 1000);
    now_ = clock::now();
    if (count < 0 && errno != EINTR) return failure_of("epoll_wait");
    if (!counting_ && seconds_between(begin_, now_) >= plan_.warm_up_s) start_counting();
    if (count <= 0 && seconds_between(last_answer_, now_) > k_silence_s_max) {
      return error{errc::unavailable, fmt::format("no answer for {} s", k_silence_s_max)};
    }
    for (int i = 0; i < count; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      auto& one = connections_[event.data.u32];
      if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) {
        if (auto read = receive(one); !read) return read;
      }
      if (auto sent = send_out(one, event.data.u32); !sent) return sent;
    }
    return {};
  }

  void start_counting() {
    counting_ = true;
    counted_from_ = now_;
    for (int pid : plan_.server_pids)
      figures_.server_cpu_s.push_back(cpu_seconds_of(pid));
    figures_.own_cpu_s = own_cpu_seconds();
  }

  status receive(connection& one) {
    const auto got = recv(one.descriptor, chunk_.data(), chunk_.size(), MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN || errno == EINTR ? status{} : failure_of("recv");
    if (got == 0) return error{errc::unavailable, "the server closed a connection"};
    now_ = clock::now();
    std::string_view bytes(chunk_.data(), static_cast<std::size_t>(got));
    if (!one.in.empty()) {  // rare: what came earlier ended within an answer
      one.in += bytes;
      bytes = one.in;
    }
    std::size_t used = 0;
    for (;;) {
      auto all = one.talk->hear(bytes.substr(used), one.out);
      if (!all) return all.error();
      used += all->used_bytes;
      note(one, *all);
      start_if_ready(one);
      if (all->used_bytes == 0 || used == bytes.size()) break;
    }
    one.in = used == bytes.size() ? std::string() : std::string(bytes.substr(used));
    return {};
  }

  void note(connection& one, const heard& all) {
    if (counting_) {
      figures_.records += all.records;
      figures_.requests += all.answers;
      figures_.refusals += all.refusals;
    }
    if (all.refusals > 0 && figures_.refusal.empty()) figures_.refusal = all.refusal.substr(0, 500);
    if (all.answers > 0 || all.records > 0) last_answer_ = now_;
    for (std::uint32_t i = 0; i < all.answers && !one.asked.empty(); ++i) {
      if (counting_) {
        const auto took =
            std::chrono::duration_cast<std::chrono::microseconds>(now_ - one.asked.front());
        figures_.took_us.push_back(static_cast<std::uint32_t>(took.count()));
      }
      one.asked.pop_front();
      --unanswered_;
      ask(one);
    }
  }

  status send_out(connection& one, std::uint32_t index) {
    std::size_t sent = 0;
    while (sent < one.out.size()) {
      const auto went = send(one.descriptor, one.out.data() + sent, one.out.size() - sent,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
      if (went < 0 && errno == EINTR) continue;
      if (went < 0 && errno == EAGAIN) break;
      if (went < 0) return failure_of("send");
      sent += static_cast<std::size_t>(went);
    }
    one.out.erase(0, sent);
    if (one.writable_wanted != one.out.empty()) return {};
    one.writable_wanted = !one.out.empty();
    epoll_event event{};
    event.events = EPOLLIN | (one.writable_wanted ? EPOLLOUT : 0U);
    event.data.u32 = index;
    if (epoll_ctl(epoll_, EPOLL_CTL_MOD, one.descriptor, &event) != 0)
      return failure_of("epoll_ctl");
    return {};
  }

  const load_plan& plan_;
  shared_state& shared_;
  int epoll_ = -1;
  std::vector<char> chunk_;
  std::vector<connection> connections_;
  clock::time_point begin_, now_ = clock::now(), counted_from_, last_answer_;
  bool counting_ = false;
  std::uint64_t asked_ = 0;
  std::uint64_t unanswered_ = 0;
  load_figures figures_;
};

}  // namespace

result<load_figures> run_load(const load_plan& plan, shared_state& shared) {
  return load_loop(plan, shared).run();
}

}  // namespace cairn::bench
