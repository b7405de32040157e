#include "apps/cairn/commands.hpp"

#include <fmt/format.h>

namespace cairn::cli {

namespace {

int run_ready(const global_options& global) {
  auto client = make_client(global);
  if (!client) {
    print_error(client.error().detail);
    return exit_usage;
  }
  retry_budget retries(global.retry_s);
  while (true) {
    const auto answer = (*client)->get("/readyz");
    if (answer) {
      if (!global.quiet) fmt::print("{}\n", *answer);
      return exit_ok;
    }
    if (!retries.wait((*client)->failure())) {
      return report_failure(**client, answer.error(), global);
    }
  }
}

}  // namespace

void add_ready_command(CLI::App& app, const global_options& global, int& code) {
  auto* ready = app.add_subcommand(
      "ready", "Exit with 0 when the node serves: what a health check of a container asks");
  ready->footer("Example:\n  cairn --timeout 2 --quiet ready && echo serving\n");
  ready->callback([&global, &code] { code = run_ready(global); });
}

}  // namespace cairn::cli
