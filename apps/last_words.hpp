#pragma once
// What the node's log says when a signal of the processor ends the process. A signal handler may
// neither allocate nor format, so the lines are made ahead, and only their time is put in.

#include "apps/log_format.hpp"

#include <array>
#include <string>
#include <string_view>

namespace cairn::apps {

class last_words {
public:
  last_words(log_format format, std::string_view node_id);

  /// The line for SIGBUS, SIGSEGV, SIGFPE or SIGILL, with the present time and a newline; empty for
  /// others. Async-signal-safe. Stays valid until the next call.
  [[nodiscard]] std::string_view of(int signal_number) noexcept;

private:
  struct line {
    int signal_number = 0;
    std::string text;
    std::size_t time_at = 0;  // of the first digit of the year
  };
  std::array<line, 4> lines_;
};

}  // namespace cairn::apps
