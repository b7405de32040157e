#include "apps/cairn/context.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fmt/format.h>
#include <thread>
#include <unistd.h>

namespace cairn::cli {

namespace {

std::atomic<bool> g_interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "the flag is set by a signal handler");

extern "C" void on_signal(int signal) {
  g_interrupted.store(true);
  // The second one is for a process that does not listen.
  std::signal(signal, SIG_DFL);
}

std::chrono::milliseconds to_ms(double seconds) {
  constexpr double k_day_s = 86'400;
  return std::chrono::milliseconds(
      static_cast<std::int64_t>(std::clamp(seconds, 0.001, k_day_s) * 1000));
}

}  // namespace

const std::atomic<bool>& interrupted() {
  return g_interrupted;
}

void install_interrupt_handler() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

result<std::unique_ptr<net::log_client>> make_client(const global_options& options,
                                                     bool interruptible) {
  auto servers = net::parse_servers(options.servers);
  if (!servers) return servers.error();
  net::client_options client;
  client.servers = *std::move(servers);
  client.request_timeout = to_ms(options.timeout_s);
  client.connect_timeout = std::min(client.connect_timeout, client.request_timeout);
  if (interruptible) client.interrupted = &g_interrupted;
  return std::make_unique<net::log_client>(std::move(client));
}

std::unique_ptr<net::log_client> open_client(const global_options& options, bool interruptible) {
  auto client = make_client(options, interruptible);
  if (client) return *std::move(client);
  print_error(client.error().detail);
  return nullptr;
}

void print_error(std::string_view sentence) {
  fmt::print(stderr, "cairn: {}\n", sentence);
}

int exit_code_of(const net::client_failure& failure) {
  if (failure.phase == net::client_phase::interrupted || g_interrupted.load()) {
    return exit_interrupted;
  }
  return failure.phase == net::client_phase::unreachable ? exit_unreachable : exit_failed;
}

int report_failure(const net::log_client& client, const error& why, const global_options& options) {
  const int code = exit_code_of(client.failure());
  print_error(code == exit_interrupted ? "interrupted" : why.detail);
  if (code == exit_unreachable) {
    fmt::print(
        stderr,
        "  Is a node running there? Name others with --server URL[,URL] or CAIRN_SERVER (now "
        "{}),\n  or wait for one with --retry SECONDS.\n",
        options.servers);
  }
  return code;
}

bool retry_budget::pause(const net::client_failure& failure) {
  const auto now = std::chrono::steady_clock::now();
  if (!failing_) {
    failing_ = true;
    deadline_ = now + to_ms(retry_s_);
    pause_ = first_pause_;
  }
  if (retry_s_ <= 0 || now >= deadline_) return false;
  auto pause = pause_;
  if (failure.refused) {
    pause = std::max(pause, std::chrono::milliseconds(failure.refused->retry_after_ms));
  }
  pause_ = std::min(pause_ * 2, first_pause_ * 20);
  const auto until = std::min(now + pause, deadline_);
  for (auto at = now; at < until; at = std::chrono::steady_clock::now()) {
    if (g_interrupted.load()) return false;
    std::this_thread::sleep_for(
        std::min<std::chrono::steady_clock::duration>(until - at, std::chrono::milliseconds(20)));
  }
  return true;
}

void output::write(std::string_view text) {
  constexpr std::size_t k_piece_bytes = 256 * 1024;
  buffer_ += text;
  if (buffer_.size() >= k_piece_bytes) flush();
}

void output::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const auto written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      // SIGPIPE ends the process before this, unless it is ignored by whoever started it.
      if (errno != EPIPE) print_error(fmt::format("standard output: {}", std::strerror(errno)));
      std::_Exit(exit_failed);
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  buffer_.clear();
}

std::string with_commas(std::uint64_t number) {
  auto text = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) {
    text.insert(static_cast<std::size_t>(at), ",");
  }
  return text;
}

std::string human_bytes(double bytes) {
  constexpr std::array k_units{"B", "kB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  while (bytes >= 1000 && unit + 1 < k_units.size()) {
    bytes /= 1000;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 1, k_units[unit]);
}

}  // namespace cairn::cli
