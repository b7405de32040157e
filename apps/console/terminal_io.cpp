#include "apps/console/terminal_io.hpp"

#include "apps/cairn/context.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

namespace cairn::console {

namespace {

signal_flags g_signals;
static_assert(std::atomic<bool>::is_always_lock_free, "flags are set by signal handlers");

/// The terminal as it was found, while a command reads keys.
termios g_found;
std::atomic<bool> g_keys{false};

constexpr std::string_view k_to_own_screen = "\033[?1049h\033[?25l";
constexpr std::string_view k_back_from_it = "\033[?25h\033[?1049l";

extern "C" void on_interrupt(int /*signal*/) {
  if (g_signals.interrupted.exchange(true)) {
    if (g_keys.load()) {
      ::tcsetattr(STDIN_FILENO, TCSANOW, &g_found);
      [[maybe_unused]] const auto written =
          ::write(STDOUT_FILENO, k_back_from_it.data(), k_back_from_it.size());
    }
    ::_exit(cli::exit_interrupted);
  }
}

extern "C" void on_end(int /*signal*/) {
  g_signals.terminated.store(true);
  on_interrupt(SIGINT);
}

extern "C" void on_resize(int /*signal*/) {
  g_signals.resized.store(true);
}

extern "C" void on_suspend(int /*signal*/) {
  g_signals.suspended.store(true);
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    // Nobody reads: a pipe's reader has what it wanted.
    if (written < 0) std::_Exit(cli::exit_failed);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

signal_flags& signals() {
  return g_signals;
}

void install_signals(bool interactive) {
  handle(SIGINT, on_interrupt);
  handle(SIGTERM, on_end);
  handle(SIGHUP, on_end);
  handle(SIGWINCH, on_resize);
  if (interactive) handle(SIGTSTP, on_suspend);
}

terminal_io::terminal_io()
    : has_keys_(::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1) {}

terminal_io::~terminal_io() {
  while (depth_ > 0)
    terminal_io::end_full_screen();
}

void terminal_io::out(std::string_view text) {
  write_all(STDOUT_FILENO, text);
}

void terminal_io::err(std::string_view text) {
  write_all(STDERR_FILENO, text);
}

screen terminal_io::on() {
  return screen_of(STDOUT_FILENO);
}

std::optional<char> terminal_io::wait_key(std::chrono::milliseconds time) {
  constexpr std::chrono::milliseconds k_look_again{100};
  const auto deadline = std::chrono::steady_clock::now() + time;
  // Without keys of their own (a line at a time) the next command's letters are not ours to take.
  const bool keys = g_keys.load();
  while (!g_signals.interrupted.load()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left <= std::chrono::milliseconds::zero()) return std::nullopt;
    if (g_signals.resized.exchange(false) && depth_ > 0) return std::nullopt;
    pollfd input{STDIN_FILENO, POLLIN, 0};
    // In pieces: the signal may come to another thread.
    const int ready =
        ::poll(&input, keys ? 1 : 0, static_cast<int>(std::min(left, k_look_again).count()));
    if (ready <= 0) continue;
    char key = '\0';
    const auto read = ::read(STDIN_FILENO, &key, 1);
    if (read == 1) return key;
    if (read == 0 || errno != EINTR) return '\x04';  // the terminal has gone
  }
  return std::nullopt;
}

void terminal_io::begin_full_screen() {
  if (!has_keys_ || depth_++ > 0) return;
  if (::tcgetattr(STDIN_FILENO, &g_found) != 0) return;
  termios keys = g_found;
  keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  keys.c_cc[VMIN] = 1;
  keys.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &keys);
  g_keys.store(true);
  out(k_to_own_screen);
}

void terminal_io::end_full_screen() {
  if (!has_keys_ || depth_ == 0 || --depth_ > 0) return;
  if (!g_keys.exchange(false)) return;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &g_found);
  out(k_back_from_it);
}

}  // namespace cairn::console
