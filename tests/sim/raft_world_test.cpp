// Hundreds of small worlds, one for each seed. A failing seed is repeated with
//   CAIRN_SIM_SEED=<seed> raft_world_tests
// CAIRN_SIM_SEEDS sets how many are tried. A seed that failed goes into tests/data/seeds.txt.

#include "tests/sim/raft_world.hpp"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fstream>
#include <sstream>

namespace cairn::testing {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  if (text == nullptr) return otherwise;
  std::uint64_t value = otherwise;
  std::from_chars(text, text + std::strlen(text), value);
  return value;
}

// The lines "raft_world <seed> <what was wrong>" of tests/data/seeds.txt.
std::vector<std::uint64_t> seeds_that_failed() {
  std::vector<std::uint64_t> seeds;
  std::ifstream file(CAIRN_SEEDS_FILE);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string test;
    std::uint64_t seed = 0;
    if (words >> test && test == "raft_world" && words >> seed) seeds.push_back(seed);
  }
  return seeds;
}

}  // namespace

TEST_CASE("raft world: every promise is kept under every seed") {
  const std::uint64_t only = from_environment("CAIRN_SIM_SEED", 0);
  const std::uint64_t last =
      only != 0 ? only : from_environment("CAIRN_SIM_SEEDS", CAIRN_RAFT_SEED_COUNT);
  std::uint64_t ok_count = 0;
  std::uint64_t event_count = 0;
  std::uint64_t time = 0;
  for (std::uint64_t seed = only != 0 ? only : 1; seed <= last; ++seed) {
    raft_world world(seed);
    const std::string broken = world.run();
    ok_count += world.truth().ok_count();
    event_count += world.event_count();
    time += world.now();
    CHECK_MESSAGE(broken.empty(),
                  fmt::format("seed {}: {}\n  {}", seed, broken, world.swarm().text()));
  }
  MESSAGE(fmt::format("{} events, {} acknowledged proposals, {} ticks", event_count, ok_count,
                      time / 10));
  CHECK(ok_count > 0);
}

TEST_CASE("raft world: a recording that is gone through again gives what the core did") {
  std::uint64_t image_count = 0;
  std::uint64_t replayed_count = 0;
  for (std::uint64_t seed = 1; seed <= CAIRN_RAFT_SEED_COUNT; ++seed) {
    // From some hundred inputs between two images of the state to a few thousand.
    const std::uint64_t ring_bytes = std::uint64_t{8 * 1024} << (seed % 5);
    raft_world world(seed, ring_bytes);
    const std::string broken = world.run();
    image_count += world.image_count();
    replayed_count += world.replayed_count();
    CHECK_MESSAGE(broken.empty(),
                  fmt::format("seed {}: {}\n  {}", seed, broken, world.swarm().text()));
    raft_world bare(seed);
    CHECK(bare.run() == broken);
    CHECK_MESSAGE(bare.trace_hash() == world.trace_hash(), "a recorder changes nothing");
  }
  MESSAGE(fmt::format("{} images, {} steps replayed", image_count, replayed_count));
  CHECK(image_count > 10 * CAIRN_RAFT_SEED_COUNT);
}

TEST_CASE("raft world: a seed that failed once does not fail again") {
  const std::vector<std::uint64_t> seeds = seeds_that_failed();
  CHECK_FALSE(seeds.empty());
  for (const std::uint64_t seed : seeds) {
    raft_world world(seed);
    const std::string broken = world.run();
    CHECK_MESSAGE(broken.empty(),
                  fmt::format("seed {}: {}\n  {}", seed, broken, world.swarm().text()));
  }
}

TEST_CASE("raft world: the same seed gives the same run") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    raft_world first(seed);
    raft_world second(seed);
    CHECK(first.run() == second.run());
    CHECK(first.trace_hash() == second.trace_hash());
  }
  raft_world one(1);
  raft_world other(2);
  CHECK(one.run() == other.run());
  CHECK(one.trace_hash() != other.trace_hash());
}

}  // namespace cairn::testing
