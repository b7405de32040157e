// cairnd: a node. See apps/node.hpp; settings are in apps/node_options.cpp.

#include "apps/node.hpp"
#include "apps/node_config.hpp"

#include <cstdio>
#include <fmt/format.h>
#include <malloc.h>

namespace {

/// Gives memory that was freed back to the system. Bodies, batches and answers are often close to
/// 1 MiB. By default glibc raises its limit for mappings of their own with each of those that is
/// freed, and keeps the rest in the heaps of many threads, between small blocks that live on:
/// clients which broke off reads left 1.9 GB behind. So that not each large block is paid for with
/// page faults, operator_new.cpp keeps a few, within a bound of bytes for all threads together.
void bound_retained_memory() {
  constexpr int k_mapped_from_bytes = 128 * 1024;
  constexpr int k_trim_from_bytes = 1024 * 1024;
  constexpr int k_arenas_max = 4;
  mallopt(M_MMAP_THRESHOLD, k_mapped_from_bytes);
  mallopt(M_TRIM_THRESHOLD, k_trim_from_bytes);
  mallopt(M_ARENA_MAX, k_arenas_max);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace cairn;
  bound_retained_memory();
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
