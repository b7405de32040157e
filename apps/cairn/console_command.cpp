// `cairn console`: options, and the link to a node.
#include "apps/cairn/commands.hpp"
#include "apps/cairn/numbers.hpp"
#include "apps/console/console.hpp"
#include "apps/console/observer.hpp"

#include <cstdlib>
#include <fmt/format.h>
#include <memory>

namespace cairn::cli {

namespace {

struct console_flags {
  std::string node;
  std::vector<std::string> commands;
  std::string output = "text";
  double timeout_s = 5;
};

int run(const console_flags& flags) {
  console::observer_config config;
  if (flags.node.empty()) {
    config.addresses = console::default_addresses();
  } else {
    auto addresses = console::parse_addresses(flags.node);
    if (!addresses) {
      print_error("--node: " + addresses.error().detail);
      return exit_usage;
    }
    config.addresses = *std::move(addresses);
  }
  console::console_options options;
  options.commands = flags.commands;
  options.json = flags.output == "json";
  options.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(flags.timeout_s * 1000));
  auto link = console::observer::start(std::move(config));
  if (!link) {
    print_error(link.error().detail);
    return exit_failed;
  }
  if (const auto linked = (*link)->connect(options.timeout); !linked) {
    if (interrupted().load()) return exit_interrupted;
    print_error(linked.error().detail);
    fmt::print(
        stderr,
        "  Is a node running there? --node takes peer addresses (cairnd --peer, not --http): "
        "HOST:PORT[,...]\n");
    return linked.error().code == errc::unavailable ? exit_unreachable : exit_failed;
  }
  return console::run_console(**link, options);
}

}  // namespace

void add_console_command(CLI::App& app, const global_options& /*global*/, int& code) {
  auto* command = app.add_subcommand(
      "console", "Look into the running nodes: who leads, why, what waits, what happens");
  auto flags = std::make_shared<console_flags>();
  command
      ->add_option(
          "--node", flags->node,
          "Peer addresses of nodes, HOST:PORT[,HOST:PORT]: the first that answers is looked "
          "through, and it finds the others (default: 127.0.0.1, ports 7080 to 7083)")
      ->type_name("ADDRESS")
      ->envname("CAIRN_NODE");
  command
      ->add_option("-c", flags->commands,
                   "Runs this command and ends; several are run in order. Without it commands are "
                   "read from the terminal, or from stdin when that is none")
      ->type_name("COMMAND")
      ->allow_extra_args(false)
      ->take_all();
  command->add_option("--output,-o", flags->output, "text or json (one document a command)")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->add_option("--timeout", flags->timeout_s, "Seconds to wait for an answer")
      ->check(decimal_number(0.05, 600.0))
      ->capture_default_str();
  command->footer(
      std::string("The console links to one node, never as a member, and asks the others through "
                  "it. When\nthat node dies it goes on through another one and says so; the prompt "
                  "names it.\n\n") +
      console::help_for_usage() +
      "\n"
      "It exits with the code of the first command that failed (0 if none did): 1 the node\n"
      "refused, 2 wrong usage or an unknown command, 3 nobody answers, 4 trace's append may or\n"
      "may not have happened, 130 interrupted. NO_COLOR=1 goes without colours; the history is\n"
      "in $XDG_STATE_HOME/cairn (~/.local/state/cairn).\n\n"
      "Examples:\n"
      "  cairn console\n"
      "  cairn console --node 10.0.0.1:7080 -c explain\n"
      "  cairn console -c raft -c 'where 4711' -o json | jq .\n"
      "  echo 'events --limit 5' | cairn console\n");
  command->callback([flags, &code] { code = run(*flags); });
}

}  // namespace cairn::cli
