#pragma once
// The console from its start to its end: commands from -c, a pipe, or a person.

#include "apps/console/inspector.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace cairn::console {

struct console_options {
  std::vector<std::string> commands;  ///< of -c; none: they are read from stdin
  bool json = false;
  std::chrono::milliseconds timeout{5'000};
};

/// The list of commands, for `cairn console --help`.
[[nodiscard]] std::string help_for_usage();

/// Returns the exit code: of -c and a pipe the first one that is not 0. `through` is linked.
[[nodiscard]] int run_console(inspector& through, const console_options& options);

}  // namespace cairn::console
