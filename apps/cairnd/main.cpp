// cairnd: a node. See apps/node.hpp; settings are in apps/node_options.cpp.

#include "apps/node.hpp"
#include "apps/node_config.hpp"

#include <cstdio>
#include <fmt/format.h>

int main(int argc, char** argv) {
  using namespace cairn;
  const auto line =
      apps::read_command_line({argv + 1, argv + argc}, apps::config_sources::of_process());
  if (!line) {
    fmt::print(stderr, "cairnd: {}\nTry 'cairnd --help'.\n", line.error().detail);
    return apps::k_exit_bad_configuration;
  }
  if (line->text) {
    fmt::print("{}", *line->text);
    return apps::k_exit_ok;
  }
  return apps::run_node(line->config);
}
