#include "apps/cairn/progress_bar.hpp"

#include "apps/cairn/context.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace cairn::cli {

namespace {

std::size_t terminal_columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string duration(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::clamp(seconds, 0.0, 359'999.0));
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
}

}  // namespace

std::string progress_line(const progress& now, double elapsed_s, std::size_t columns) {
  const double rate = elapsed_s > 0 ? static_cast<double>(now.bytes) / elapsed_s : 0;
  auto facts = fmt::format("{} records  {}  {}/s", with_commas(now.records),
                           human_bytes(static_cast<double>(now.bytes)), human_bytes(rate));
  std::string line;
  if (now.total_bytes && *now.total_bytes > 0) {
    const double part =
        std::min(1.0, static_cast<double>(now.bytes) / static_cast<double>(*now.total_bytes));
    constexpr std::size_t k_bar_columns = 24;
    const auto filled = static_cast<std::size_t>(part * k_bar_columns);
    const auto left = static_cast<double>(*now.total_bytes - std::min(now.bytes, *now.total_bytes));
    if (rate > 0) facts += fmt::format("  ETA {}", duration(left / rate));
    line = fmt::format("{:3.0f}% [{}{}] {}", part * 100, std::string(filled, '#'),
                       std::string(k_bar_columns - filled, ' '), facts);
  } else {
    line = fmt::format("{}  {}", facts, duration(elapsed_s));
  }
  return line.substr(0, columns);
}

progress_bar::progress_bar(bool wanted)
    : enabled_(wanted && ::isatty(STDERR_FILENO) == 1),
      started_(std::chrono::steady_clock::now()),
      last_(started_) {}

void progress_bar::update(const progress& now) {
  if (!enabled_) return;
  const auto moment = std::chrono::steady_clock::now();
  if (moment - last_ < std::chrono::milliseconds(100)) return;
  last_ = moment;
  drawn_ = true;
  fmt::print(stderr, "\r\x1b[K{}", progress_line(now, elapsed_s(), terminal_columns() - 1));
  std::fflush(stderr);
}

void progress_bar::clear() {
  if (!drawn_) return;
  drawn_ = false;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
}

double progress_bar::elapsed_s() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
}

}  // namespace cairn::cli
