#include "apps/console/console.hpp"

#include "apps/cairn/context.hpp"
#include "apps/console/known_words.hpp"
#include "apps/console/line_editor.hpp"
#include "apps/console/shell.hpp"
#include "apps/console/terminal_io.hpp"

#include <clocale>
#include <fmt/format.h>
#include <iostream>
#include <unistd.h>

namespace cairn::console {

namespace {

std::int64_t unix_now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

asker make_asker(inspector& through, std::chrono::milliseconds timeout) {
  return {through, {timeout, unix_now_ms, &signals().interrupted}};
}

int run_commands(shell& run, const std::vector<std::string>& commands) {
  int code = cli::exit_ok;
  for (const auto& line : commands) {
    const int one = run.run_line(line);
    if (code == cli::exit_ok) code = one;
    if (run.done() || signals().interrupted.load()) break;
  }
  return code;
}

int run_pipe(shell& run) {
  int code = cli::exit_ok;
  std::string line;
  while (!run.done() && !signals().interrupted.load() && std::getline(std::cin, line)) {
    const int one = run.run_line(line);
    if (code == cli::exit_ok) code = one;
  }
  return signals().interrupted.load() ? static_cast<int>(cli::exit_interrupted) : code;
}

int run_interactive(shell& run, asker& ask, inspector& through, terminal_io& io) {
  known_words known(make_asker(through, known_words::k_timeout));
  line_editor editor(io, {history_path(), [&](word_kind kind) { return known.of(kind); },
                          [&] {
                            std::string text;
                            for (const auto& notice : ask.take_notices()) {
                              text +=
                                  io.on().paint(tint::cyan, printable(notice, io.on().utf8)) + "\n";
                            }
                            return text;
                          },
                          [&] { return run.prompt(); }});
  io.out(fmt::format("Looking through {}. help lists the commands, explain is a good start.\n",
                     ask.via()));
  std::string line;
  while (!run.done()) {
    const auto how = editor.read(line);
    if (how == line_editor::end::input || signals().terminated.load()) break;
    signals().interrupted.store(false);
    if (how == line_editor::end::interrupted) continue;
    run.run_line(line);
    if (signals().terminated.load()) break;
    if (signals().interrupted.exchange(false)) io.out("\n");
  }
  return cli::exit_ok;
}

}  // namespace

std::string help_for_usage() {
  screen on;
  on.columns = 100;
  return "Commands:\n" + help_text(on);
}

int run_console(inspector& through, const console_options& options) {
  // Characters alone: numbers are written with a point everywhere.
  std::setlocale(LC_CTYPE, "");
  const bool interactive = options.commands.empty() && ::isatty(STDIN_FILENO) == 1 &&
                           ::isatty(STDOUT_FILENO) == 1 && !options.json;
  install_signals(interactive);
  auto ask = make_asker(through, options.timeout);
  terminal_io io;
  shell run(ask, io, {options.json, interactive});
  run.print_notices();
  if (!options.commands.empty()) return run_commands(run, options.commands);
  return interactive ? run_interactive(run, ask, through, io) : run_pipe(run);
}

}  // namespace cairn::console
