#include "apps/cairn/commands.hpp"
#include "apps/cairn/numbers.hpp"
#include "apps/cairn/replay_printer.hpp"
#include "storage/base/check_hook.hpp"

#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <optional>
#include <sstream>
#include <unistd.h>

namespace cairn::cli {

namespace {

struct replay_options {
  std::string file;
  std::string show = "all";
  std::string output = "text";
  std::uint64_t from = 1;
  std::uint64_t until = ~std::uint64_t{0};
  bool wait = false;
};

// For the hook of a failed check, which has no other way to know.
std::uint64_t step_under_way = 0;
output* output_under_way = nullptr;

// What ended the node ends the replay.
void tell_failed_check(std::string_view) {
  if (output_under_way != nullptr) output_under_way->flush();
  fmt::print(stderr,
             "cairn: this check of the core fails in step {}: the node that was recorded met the "
             "same, or this file was made by hand\n",
             step_under_way);
  std::fflush(stderr);
  ::_exit(exit_failed);
}

std::optional<std::string> read_file(const std::string& path) {
  std::error_code failed;
  if (std::filesystem::file_size(path, failed) == 0 && !failed) return std::string();
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  // A directory opens, and gives nothing.
  if (!file || !(text << file.rdbuf())) return std::nullopt;
  return std::move(text).str();
}

// @returns false: the user has enough.
bool wait_for_enter() {
  fmt::print(stderr, "Enter: next step, q: quit ");
  std::fflush(stderr);
  bool quits = false;
  for (char c = 0; !interrupted();) {
    const ssize_t got = ::read(STDIN_FILENO, &c, 1);
    if (got <= 0) return false;
    if (c == 'q' || c == 'Q') quits = true;
    if (c == '\n') return !quits;
  }
  return false;
}

replay_show shown(const std::string& name) {
  if (name == "changes") return replay_show::changes;
  return name == "elections" ? replay_show::elections : replay_show::all;
}

int run_replay(const replay_options& options) {
  if (options.wait && ::isatty(STDIN_FILENO) != 1) {
    print_error("--step waits for Enter, but standard input is no terminal");
    return exit_usage;
  }
  if (options.from > options.until) {
    print_error(fmt::format("--from {} is behind --until {}: no step is in between",
                            with_commas(options.from), with_commas(options.until)));
    return exit_usage;
  }
  const auto bytes = read_file(options.file);
  if (!bytes) {
    print_error(fmt::format("{}: cannot be read", options.file));
    return exit_failed;
  }
  const auto dump = actors::decode_dump(as_byte_span(*bytes));
  if (!dump) {
    print_error(fmt::format("{}: {}", options.file, dump.error().detail));
    return exit_failed;
  }
  output out;
  output_under_way = &out;
  set_check_hook(tell_failed_check);
  actors::replay run(*dump);
  replay_printer printer(*dump, shown(options.show), options.output == "json", out);
  printer.head(run);
  std::string mismatch;
  std::uint64_t done = 0;
  bool unfinished = false;
  std::optional<std::int64_t> first_us;
  std::int64_t last_us = 0;
  while (mismatch.empty() && run.next() != nullptr && !interrupted()) {
    step_under_way = run.next_number();
    if (step_under_way > options.until) break;
    const actors::replay_step step = run.step();
    mismatch = step.mismatch;
    unfinished = step.unfinished;
    ++done;
    if (step.number < options.from && mismatch.empty()) {
      printer.pass(step, run);
      continue;
    }
    if (!first_us) first_us = step.unix_us;
    last_us = step.unix_us;
    if (!printer.step(step, run) || !options.wait) continue;
    out.flush();
    if (!wait_for_enter()) break;
  }
  if (!printer.has_shown() && !interrupted()) {
    printer.nothing_shown(run.step_count(), first_us, last_us);
  }
  printer.end(done, mismatch, unfinished);
  out.flush();
  set_check_hook(nullptr);
  output_under_way = nullptr;
  if (interrupted()) return exit_interrupted;
  if (mismatch.empty()) return exit_ok;
  print_error(fmt::format("{}: step {} is not what the node did: {}", options.file, step_under_way,
                          mismatch));
  return exit_failed;
}

}  // namespace

void add_replay_command(CLI::App& app, const global_options&, int& code) {
  auto options = std::make_shared<replay_options>();
  auto* command = app.add_subcommand(
      "replay", "Go through a flight recorder's dump: what a node's consensus did, and why");
  command->add_option("FILE", options->file, "The dump")->required();
  command
      ->add_option("--show", options->show,
                   "all: every step; changes: where something changed; elections: where it was "
                   "about who leads")
      ->check(CLI::IsMember({"all", "changes", "elections"}))
      ->capture_default_str();
  command->add_option("--from", options->from, "Show from this step on")
      ->transform(whole_number(1));
  command->add_option("--until", options->until, "End after this step")->transform(whole_number(1));
  command->add_flag("--step", options->wait, "Wait for Enter after each step that is shown");
  command->add_option("--output,-o", options->output, "text, or json: one object per step")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->footer(
      "The consensus core itself is driven with what it was told then, here and now; no node is\n"
      "asked. '=>' says what changed and why, '->' what the core wanted to be done. If it does\n"
      "anything else than it did then, that step is named. Records are not in a dump.\n\n"
      "Exit codes: 0 the core did the same throughout; 1 it did not, or FILE is damaged; 2 wrong\n"
      "usage; 130 interrupted.\n\n"
      "Examples:\n"
      "  cairn recorder save n2.dump && cairn replay n2.dump --show elections\n"
      "  cairn replay n2.dump --from 1041 --until 1060\n");
  command->callback([options, &code] { code = run_replay(*options); });
}

}  // namespace cairn::cli
