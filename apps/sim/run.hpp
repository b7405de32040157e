#pragma once
// One seed, from drawing to judgement.

#include "apps/sim/swarm.hpp"
#include "apps/sim/world.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace cairn::sim {

struct seed_result {
  swarm config;
  run_report report;

  [[nodiscard]] bool ok() const { return report.broken.empty(); }
};

/// Changes what was drawn; for tests that favour something.
using swarm_tweak = std::function<void(swarm&)>;

/// `nodes`: 3 to 7, or 0: drawn from the seed.
[[nodiscard]] seed_result run_seed(std::uint64_t seed, std::uint64_t nodes = 0,
                                   const swarm_tweak& tweak = {});

/// All that one needs to know of a run that broke a promise.
[[nodiscard]] std::string failure_text(std::uint64_t seed, std::uint64_t nodes,
                                       const seed_result& result);

}  // namespace cairn::sim
