// cairn: the command line of Cairn.
#include "apps/cairn/commands.hpp"
#include "apps/cairn/numbers.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace cairn::cli;

/// Breaks long descriptions at blanks: CLI11 itself leaves them to the terminal.
class wrapping_formatter : public CLI::Formatter {
public:
  std::string make_option_desc(const CLI::Option* option) const override {
    constexpr std::size_t k_columns = 68;  // beside the 30 of the option's name
    const std::string whole = CLI::Formatter::make_option_desc(option);
    std::string wrapped;
    std::size_t line_begin = 0;
    while (whole.size() - line_begin > k_columns) {
      const auto blank = whole.rfind(' ', line_begin + k_columns);
      if (blank == std::string::npos || blank <= line_begin) break;
      wrapped.append(whole, line_begin, blank - line_begin).push_back('\n');
      line_begin = blank + 1;
    }
    return wrapped.append(whole, line_begin);
  }
};

void add_global_options(CLI::App& app, global_options& options) {
  app.add_option("--server,-s", options.servers,
                 "Nodes to talk to, tried in turn: URL[,URL] such as http://127.0.0.1:8080")
      ->envname("CAIRN_SERVER")
      ->capture_default_str();
  app.add_option("--timeout", options.timeout_s, "Seconds without any progress before giving up")
      ->check(decimal_number(0.001, 86'400.0))
      ->capture_default_str();
  app.add_option("--retry", options.retry_s,
                 "Keep trying for so many seconds when a node is away or busy; append and "
                 "bench try the other nodes of a cluster for 20 s in any case")
      ->check(decimal_number(0.0, 86'400.0))
      ->capture_default_str();
  app.add_flag("--quiet,-q", options.quiet, "No progress bar and no summary");
}

// `cairn help COMMAND` is `cairn COMMAND --help`. Empty: no words of `cairn help`, or no command.
std::vector<std::string> words_of_help(const CLI::App& root, int argc, char** argv) {
  std::vector<std::string> words;
  const CLI::App* at = &root;
  for (int i = 2; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.starts_with('-')) continue;
    words.push_back(word);
    const auto below =
        at->get_subcommands([&](const CLI::App* one) { return one->check_name(word); });
    if (below.empty()) {
      print_error(fmt::format("there is no command \"{}\"; see {} --help", fmt::join(words, " "),
                              at == &root ? "cairn" : "cairn " + words.front()));
      return {};
    }
    at = below.front();
  }
  words.emplace_back("--help");
  return words;
}

// Says what is wrong in words of our own, where CLI11 has none that help.
bool told_better(const CLI::App& app, const CLI::ParseError& problem) {
  if (problem.get_exit_code() == 0) return false;
  const auto commands = app.get_subcommands();
  const auto rest = app.remaining(true);
  if (commands.empty() && !rest.empty()) {
    print_error(fmt::format("there is no command \"{}\"; see cairn --help", rest.front()));
    return true;
  }
  if (commands.empty() || commands.front()->get_name() != "console" || rest.empty() ||
      rest.front().starts_with('-')) {
    return false;
  }
  const auto line = fmt::format("{}", fmt::join(rest, " "));
  print_error(fmt::format("a command of the console stands behind -c: cairn console -c {}",
                          rest.size() == 1 ? line : "'" + line + "'"));
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"cairn: append to and read from the logs of a Cairn cluster", "cairn"};
  global_options global;
  int code = exit_ok;
  app.require_subcommand(1);
  app.fallthrough();
  app.formatter(std::make_shared<wrapping_formatter>());
  add_global_options(app, global);
  app.footer(std::string(k_exit_codes_help) +
             "\n\nExamples:\n"
             "  cairn append events.ndjson\n"
             "  cairn read --from 0 --limit 10\n"
             "  cairn tail -f\n"
             "  cairn help COMMAND\n");
  add_append_command(app, global, code);
  add_read_command(app, global, code);
  add_tail_command(app, global, code);
  add_logs_command(app, global, code);
  add_log_level_command(app, global, code);
  add_ready_command(app, global, code);
  add_cluster_command(app, global, code);
  add_console_command(app, global, code);
  add_verify_command(app, global, code);
  add_bench_command(app, global, code);
  add_recorder_command(app, global, code);
  add_replay_command(app, global, code);
  add_sim_command(app, global, code);
  add_completion_command(app, global, code);
  // What shells ask; no command of its own, since anything may stand behind it.
  if (argc > 1 && std::string_view(argv[1]) == "complete-words") {
    for (const std::string& word : completions(app, {argv + 2, argv + argc}))
      fmt::print("{}\n", word);
    return exit_ok;
  }
  install_interrupt_handler();
  try {
    if (argc > 1 && std::string_view(argv[1]) == "help") {
      auto words = words_of_help(app, argc, argv);
      if (words.empty()) return exit_usage;
      std::reverse(words.begin(), words.end());  // as CLI11 wants them
      app.parse(std::move(words));
    } else {
      app.parse(argc, argv);
    }
  } catch (const CLI::ParseError& problem) {
    if (told_better(app, problem)) return exit_usage;
    // --help is no error; everything else is wrong usage.
    return app.exit(problem) == 0 ? exit_ok : exit_usage;
  }
  return code;
}
