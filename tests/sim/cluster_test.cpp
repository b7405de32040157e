// Whole clusters under faults, one for each seed: `cairn sim` as a test. A failing seed is repeated
// with  cairn sim --seed N  or  CAIRN_SIM_SEED=N cluster_sim_tests,  and goes into
// tests/data/seeds.txt. CAIRN_SIM_SEEDS sets how many are tried.

#include "apps/sim/run.hpp"

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

// The lines "cluster <seed> <what was wrong>" of tests/data/seeds.txt.
std::vector<std::uint64_t> seeds_that_failed() {
  std::vector<std::uint64_t> seeds;
  std::ifstream file(CAIRN_SEEDS_FILE);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string test;
    std::uint64_t seed = 0;
    if (words >> test && test == "cluster" && words >> seed) seeds.push_back(seed);
  }
  return seeds;
}

}  // namespace

TEST_CASE("cluster: every promise is kept under every seed") {
  const std::uint64_t only = from_environment("CAIRN_SIM_SEED", 0);
  const std::uint64_t last =
      only != 0 ? only : from_environment("CAIRN_SIM_SEEDS", CAIRN_CLUSTER_SEED_COUNT);
  std::uint64_t appends = 0;
  std::uint64_t restarts = 0;
  std::uint64_t leaders = 0;
  std::uint64_t replays = 0;
  std::uint64_t unknown_sessions = 0;
  for (std::uint64_t seed = only != 0 ? only : 1; seed <= last; ++seed) {
    const sim::seed_result result = sim::run_seed(seed);
    appends += result.report.appends_ok;
    restarts += result.report.restarts;
    leaders += result.report.leaders;
    replays += result.report.replays;
    unknown_sessions += result.report.sessions_compared ? 0 : 1;
    CHECK_MESSAGE(result.ok(), sim::failure_text(seed, 0, result));
  }
  MESSAGE(
      fmt::format("{} acknowledged appends, {} of them replayed, {} leaders, {} restarts; {} seeds "
                  "without a comparison of all sessions",
                  appends, replays, leaders, restarts, unknown_sessions));
  // A world in which nothing happens proves nothing.
  CHECK(appends > 100);
  CHECK(leaders > 1);
  if (only == 0) CHECK(replays > 0);
  CHECK(10 * unknown_sessions <= last);
}

TEST_CASE("cluster: a seed that failed once does not fail again") {
  for (const std::uint64_t seed : seeds_that_failed()) {
    const sim::seed_result result = sim::run_seed(seed);
    CHECK_MESSAGE(result.ok(), sim::failure_text(seed, 0, result));
  }
}

TEST_CASE("cluster: the same seed gives the same run") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const sim::run_report first = sim::run_seed(seed).report;
    const sim::run_report second = sim::run_seed(seed).report;
    CHECK(first.broken == second.broken);
    CHECK(first.event_count == second.event_count);
    CHECK(first.trace_hash == second.trace_hash);
  }
  CHECK(sim::run_seed(1).report.trace_hash != sim::run_seed(2).report.trace_hash);
}

}  // namespace cairn::testing
