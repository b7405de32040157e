#pragma once
// The real terminal: output, keys while a command runs, and what signals mean.

#include "apps/console/shell.hpp"

#include <atomic>
#include <memory>

namespace cairn::console {

/// Set by the signals that install_signals() handles. Only the console's thread resets them.
struct signal_flags {
  std::atomic<bool> interrupted{false};  ///< Ctrl-C: ends the command, not the console
  std::atomic<bool> terminated{false};   ///< SIGTERM, SIGHUP: ends the console
  std::atomic<bool> resized{false};
  std::atomic<bool> suspended{false};  ///< Ctrl-Z while a line is edited
};
[[nodiscard]] signal_flags& signals();
/// A second SIGINT before the first was taken note of ends the process at once, with the terminal
/// as it was found.
void install_signals(bool interactive);

class terminal_io : public console_io {
public:
  terminal_io();
  ~terminal_io() override;
  void out(std::string_view text) override;
  void err(std::string_view text) override;
  screen on() override;
  bool has_keys() const override { return has_keys_; }
  std::optional<char> wait_key(std::chrono::milliseconds time) override;
  void begin_full_screen() override;
  void end_full_screen() override;

private:
  const bool has_keys_;  // both ends are a terminal
  int depth_ = 0;
};

}  // namespace cairn::console
