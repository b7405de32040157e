#pragma once
// Takes command lines, runs them, prints; the same for the interactive console, -c and commands
// from a pipe.

#include "apps/console/commands.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::console {

/// What the shell writes to and waits at. The real one is terminal_io, tests have their own.
class console_io {
public:
  virtual ~console_io() = default;
  virtual void out(std::string_view text) = 0;
  virtual void err(std::string_view text) = 0;
  /// Of the output, as it is now: windows change.
  [[nodiscard]] virtual screen on() = 0;
  /// Whether keys can be read while a command runs.
  [[nodiscard]] virtual bool has_keys() const = 0;
  /// Waits for a key, at most `time`. Nothing: the time is over, or the user has interrupted.
  virtual std::optional<char> wait_key(std::chrono::milliseconds time) = 0;
  /// For top and watch: a screen of their own, and keys without Enter. They nest.
  virtual void begin_full_screen() = 0;
  virtual void end_full_screen() = 0;
};

class shell {
public:
  struct options {
    bool json = false;
    bool interactive = false;  ///< errors stand in the conversation, without the program's name
  };

  shell(asker& ask, console_io& io, options with) : ask_(ask), io_(io), options_(with) {}

  /// Runs one line (a blank one and one that begins with # do nothing) and returns its exit code
  /// (apps/cairn/context.hpp).
  int run_line(std::string_view line);
  /// `quit` has been given.
  [[nodiscard]] bool done() const { return done_; }
  /// "n1> "; "(nobody)> " when nobody is linked.
  [[nodiscard]] std::string prompt() const;
  /// What the inspector has to say.
  void print_notices();

private:
  int run(const command& what, const arguments& given);
  int run_once(const command& what, const arguments& given);
  int run_help(const arguments& given);
  int run_watch(const arguments& given);
  int run_top(const arguments& given);
  int run_follow(const arguments& given);
  int fail(const error& why, const command* what);
  int fail_of(const error& why, const command& what);
  int complain(const std::string& sentence, int code);
  void print_json(const boost::json::object& value);

  asker& ask_;
  console_io& io_;
  const options options_;
  bool done_ = false;
  int depth_ = 0;  ///< of watch within watch
};

/// What a failed question exits with.
[[nodiscard]] int exit_code_of(const error& why);

}  // namespace cairn::console
