// The world of cores with one known bug in them: it must see each, as a broken promise to clients.

#include "storage/base/planted_bug.hpp"
#include "tests/sim/raft_world.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace cairn::testing {
namespace {

constexpr std::uint64_t k_seeds_max = 3000;

}  // namespace

TEST_CASE("raft world: planted bugs are found") {
  for (const int bug : {1, 7, 10, 22}) {
    planted_bug_number = bug;
    std::string found;
    for (std::uint64_t seed = 1; seed <= k_seeds_max && found.empty(); ++seed) {
      raft_world world(seed);
      const std::string broken = world.run();
      // What it breaks must be a promise to clients, and no accident of the test.
      if (broken.empty() || broken.starts_with("liveness")) continue;
      found = fmt::format("bug {}, seed {}: {}", bug, seed, broken);
    }
    planted_bug_number = 0;
    CHECK_MESSAGE(!found.empty(), fmt::format("bug {} not found in {} seeds", bug, k_seeds_max));
    if (!found.empty()) MESSAGE(found);
  }
}

}  // namespace cairn::testing
