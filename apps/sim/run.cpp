#include "apps/sim/run.hpp"

#include <fmt/format.h>

namespace cairn::sim {

seed_result run_seed(std::uint64_t seed, std::uint64_t nodes, const swarm_tweak& tweak) {
  testing::sim_random random(seed);
  seed_result result;
  result.config = swarm::draw(random, nodes);
  if (tweak) tweak(result.config);
  world one(seed, result.config);
  result.report = one.run();
  return result;
}

std::string failure_text(std::uint64_t seed, std::uint64_t nodes, const seed_result& result) {
  return fmt::format(
      "{}\n\nWhat was drawn:\n{}\n\nThe last events (time, who, what, numbers):\n{}\n"
      "seed {} breaks a promise: {}\n"
      "repeat it: cairn sim --seed {}{}\n",
      result.report.broken, result.config.text(), result.report.last_events, seed,
      result.report.broken, seed, nodes == 0 ? "" : fmt::format(" --nodes {}", nodes));
}

}  // namespace cairn::sim
