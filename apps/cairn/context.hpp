#pragma once
// What all subcommands share: global options, exit codes, how errors are told, and SIGINT.

#include "net/client/log_client.hpp"
#include "storage/base/result.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace cairn::cli {

/// Documented in `cairn --help`; scripts depend on them.
enum exit_code : int {
  exit_ok = 0,
  exit_failed = 1,       ///< the node refused, the input is bad, damage was found
  exit_usage = 2,        ///< the command line makes no sense
  exit_unreachable = 3,  ///< no node answered; nothing was changed
  exit_unknown = 4,      ///< a write may or may not have happened
  exit_interrupted = 130,
};

inline constexpr std::string_view k_exit_codes_help =
    "Exit codes: 0 done; 1 failed (the reason is on stderr); 2 wrong usage; 3 no node could be\n"
    "reached; 4 a write may or may not have happened; 130 interrupted.";

/// Options that stand before or behind any subcommand.
struct global_options {
  std::string servers = "http://127.0.0.1:8080";
  double timeout_s = 30;
  double retry_s = 0;
  bool quiet = false;
};

/// Set by SIGINT and SIGTERM after install_interrupt_handler().
[[nodiscard]] const std::atomic<bool>& interrupted();
/// The first signal sets the flag, the second one ends the process.
void install_interrupt_handler();

/// invalid_argument: a server that makes no sense. An interruptible client gives up a call when a
/// signal has come.
[[nodiscard]] result<std::unique_ptr<net::log_client>> make_client(const global_options& options,
                                                                   bool interruptible = true);
/// Likewise, for a whole command: says what is wrong and gives null, which means exit_usage.
[[nodiscard]] std::unique_ptr<net::log_client> open_client(const global_options& options,
                                                           bool interruptible = true);

/// Prints "cairn: ..." to stderr.
void print_error(std::string_view sentence);

/// What a command that ends because of a failed call exits with.
[[nodiscard]] int exit_code_of(const net::client_failure& failure);

/// Prints why a call to a node failed and what to do about it; returns the exit code for it.
int report_failure(const net::log_client& client, const error& why, const global_options& options);

/// Waits before another try: longer each time, as long as the node asks for, never past `retry_s`
/// after the first failure. Progress ends the count.
class retry_budget {
public:
  /// The first pause; it doubles up to twenty times that.
  static constexpr std::chrono::milliseconds k_first_pause{50};

  explicit retry_budget(double retry_s, std::chrono::milliseconds first_pause = k_first_pause)
      : retry_s_(retry_s), first_pause_(first_pause) {}
  /// False when the time is over, or the user has interrupted. Else sleeps and returns true.
  [[nodiscard]] bool wait(const net::client_failure& failure) {
    return failure.may_pass() && pause(failure);
  }
  /// As wait(), for a failure that the caller knows to pass.
  [[nodiscard]] bool pause(const net::client_failure& failure);
  void succeeded() { failing_ = false; }
  /// How long a command looks for a node that answers when it knows several and --retry says less.
  static constexpr double k_failover_s = 20;
  /// From now on it waits that long, if it would have waited less.
  void allow_at_least(double retry_s) { retry_s_ = std::max(retry_s_, retry_s); }

private:
  double retry_s_;
  std::chrono::milliseconds first_pause_;
  bool failing_ = false;
  std::chrono::steady_clock::time_point deadline_;
  std::chrono::milliseconds pause_{0};
};

/// Calls `ask`, which gives a result, again and again as long as --retry allows. Nothing: it has
/// been said why, and `code` is to exit with.
template <class Ask>
auto ask_patiently(net::log_client& client, const global_options& global, int& code, const Ask& ask)
    -> std::optional<std::decay_t<decltype(*ask())>> {
  retry_budget retries(global.retry_s);
  while (true) {
    auto answer = ask();
    if (answer) return *std::move(answer);
    if (retries.wait(client.failure())) continue;
    code = report_failure(client, answer.error(), global);
    return std::nullopt;
  }
}

/// Writes to a descriptor, stdout as a rule, in large pieces. Ends the process quietly when the
/// reader has gone.
class output {
public:
  explicit output(int descriptor = 1) : descriptor_(descriptor) {}
  ~output() { flush(); }
  output(const output&) = delete;
  output& operator=(const output&) = delete;
  void write(std::string_view text);
  void flush();

private:
  int descriptor_;
  std::string buffer_;
};

/// 12345678 -> "12,345,678".
[[nodiscard]] std::string with_commas(std::uint64_t number);
/// 1234567 -> "1.2 MB" (powers of 1000).
[[nodiscard]] std::string human_bytes(double bytes);

}  // namespace cairn::cli
