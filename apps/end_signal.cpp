#include "apps/end_signal.hpp"

#include "storage/base/check.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace cairn::apps {

namespace {

sigset_t end_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

end_signal::end_signal() {
  const auto set = end_signals();
  CAIRN_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0, "cannot block signals");
  signals_ = signalfd(-1, &set, SFD_CLOEXEC);
  failures_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  wakes_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  CAIRN_CHECK(signals_ >= 0 && failures_ >= 0 && wakes_ >= 0,
              "cannot make a signalfd or eventfd: {}", errno);
}

end_signal::~end_signal() {
  close(signals_);
  close(failures_);
  close(wakes_);
}

void end_signal::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(wakes_, &one, sizeof one);
}

bool end_signal::wait_for_wake(int timeout_ms) {
  std::array<pollfd, 3> waited{pollfd{signals_, POLLIN, 0}, pollfd{failures_, POLLIN, 0},
                               pollfd{wakes_, POLLIN, 0}};
  while (poll(waited.data(), waited.size(), timeout_ms) < 0) {
    CAIRN_CHECK(errno == EINTR, "cannot wait for signals: {}", errno);
  }
  if (((waited[0].revents | waited[1].revents) & POLLIN) != 0) return false;
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = read(wakes_, &count, sizeof count);
  return true;
}

void end_signal::fail(const std::string& reason) {
  {
    const std::lock_guard lock(mutex_);
    if (reason_) return;
    reason_ = reason;
  }
  const std::uint64_t one = 1;
  // Cannot fail: the counter is far from its end.
  [[maybe_unused]] const auto written = write(failures_, &one, sizeof one);
}

std::optional<std::string> end_signal::wait() {
  std::array<pollfd, 2> waited{pollfd{signals_, POLLIN, 0}, pollfd{failures_, POLLIN, 0}};
  while (poll(waited.data(), waited.size(), -1) < 0) {
    CAIRN_CHECK(errno == EINTR, "cannot wait for signals: {}", errno);
  }
  if ((waited[0].revents & POLLIN) != 0) {
    signalfd_siginfo info{};
    [[maybe_unused]] const auto got = read(signals_, &info, sizeof info);
  }
  // The default action of both is to end the process.
  const auto set = end_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  const std::lock_guard lock(mutex_);
  return reason_;
}

}  // namespace cairn::apps
