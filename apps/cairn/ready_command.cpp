#include "apps/cairn/commands.hpp"

#include <fmt/format.h>

namespace cairn::cli {

namespace {

int run_ready(const global_options& global) {
  auto client = open_client(global);
  if (!client) return exit_usage;
  int code = exit_ok;
  const auto answer = ask_patiently(*client, global, code, [&] { return client->get("/readyz"); });
  if (answer && !global.quiet) fmt::print("{}\n", *answer);
  return code;
}

}  // namespace

void add_ready_command(CLI::App& app, const global_options& global, int& code) {
  auto* ready = app.add_subcommand(
      "ready", "Exit with 0 when the node serves: what a health check of a container asks");
  ready->footer("Example:\n  cairn --timeout 2 --quiet ready && echo serving\n");
  ready->callback([&global, &code] { code = run_ready(global); });
}

}  // namespace cairn::cli
