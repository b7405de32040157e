// Random sequences of everything that a log can do, with crashes in between, beside a naive model.
#include "tests/unit/storage/log_harness.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <rapidcheck.h>

using namespace cairn;
using namespace cairn::testing;

namespace {

/// One step; `argument` is its only source of variety, so that shrinking a sequence keeps its
/// meaning. Opens the log again after anything that closed it.
void take_step(sim_env& env, log_harness& h, unsigned action, std::uint64_t argument) {
  if (!h.is_open()) REQUIRE(h.open());
  switch (action % 16) {
    case 0:
    case 1:
    case 2:
      REQUIRE(h.append(1 + argument % 5, argument % 700));
      return;
    case 3:
      REQUIRE(h.append(1 + argument % 3, argument % 9000));
      return;
    case 4:
      REQUIRE(h.sync());
      return;
    case 5:
    case 6:
      REQUIRE(h.acknowledge());
      return;
    case 7:
      REQUIRE(h.roll());
      return;
    case 8:
      REQUIRE(h.truncate_some(1 + argument % 7));
      return;
    case 9: {
      const auto low = h.lowest().value();
      const auto span = h.published().value() - std::min(low, h.published().value());
      REQUIRE(h.trim_to(record_offset(low + argument % (span + 1))));
      return;
    }
    case 10:
      if (argument % 2 == 0) {
        REQUIRE(h.trim_to_bytes(argument % 30000));
      } else if (!h.entries().empty()) {
        const auto& some = h.entries()[argument % h.entries().size()];
        REQUIRE(h.trim_older_than(some.timestamp_ms));
      }
      return;
    case 11:
      REQUIRE(h.close());
      return;
    case 12:
      h.abandon();
      argument % 4 == 0 ? env.kill() : env.crash();
      return;
    case 13: {
      // The power goes while the log is at work.
      env.stop_at(env.operations() + 1 + argument % 5);
      if (h.append(2 + argument % 3, argument % 2000) && h.sync() && h.truncate_some(2) && h.roll())
        h.append(1, 50);
      h.work();
      h.abandon();
      env.crash();
      return;
    }
    case 14:
      if (argument % 2 == 0) {
        h.work();
      } else {
        REQUIRE(h.reserve(argument % 6000));
      }
      return;
    default:
      for (unsigned i = 0; i < 3; ++i)
        h.check_random_read();
  }
}

void finish(log_harness& h) {
  if (!h.is_open()) REQUIRE(h.open());
  REQUIRE(h.acknowledge());
  h.check_everything();
  REQUIRE(h.close());
  REQUIRE(h.open());
  CHECK(h.report().clean);
  h.abandon();
}

/// CAIRN_TEST_ROUNDS multiplies the length of the random tests, for nightly runs.
std::uint64_t rounds(std::uint64_t usual) {
  const char* factor = std::getenv("CAIRN_TEST_ROUNDS");
  return factor == nullptr ? usual : usual * std::strtoull(factor, nullptr, 10);
}

}  // namespace

TEST_CASE("log: a segment that has lost all its records is used on after a roll") {
  sim_env env(1);
  log_harness h(env, small_config(), 7);
  REQUIRE(h.open());
  REQUIRE(h.append(1, 0));
  REQUIRE(h.roll());
  REQUIRE(h.truncate_some(1));
  REQUIRE(h.reserve(7));
  REQUIRE(h.append(1, 100));
  finish(h);
}

TEST_CASE("log: any short sequence of steps keeps what was acknowledged (shrinking)") {
  const bool held = rc::check("a log is its model", [](const std::vector<std::uint16_t>& steps) {
    sim_env env(steps.size() + 1);
    log_harness h(env, small_config(), 7);
    for (const auto step : steps)
      take_step(env, h, step, step / 16U);
    finish(h);
  });
  CHECK(held);
}

TEST_CASE("log: long random histories keep what was acknowledged") {
  for (std::uint64_t seed = 1; seed <= rounds(30); ++seed) {
    sim_env env(seed);
    CAPTURE(seed);
    INFO(context_of_failure(env));
    auto config = small_config();
    sim_random random(seed);
    if (random.coin()) config.segment_bytes = 16 * 1024;
    if (random.coin()) config.prefill_bytes = 64 * 1024;
    if (random.coin()) config.index_bytes = 0;
    config.spare_segments_max = static_cast<std::uint32_t>(random.below(3));
    env.set_reads_cached(random.coin());
    log_harness h(env, config, seed);
    for (int i = 0; i < 200; ++i)
      take_step(env, h, static_cast<unsigned>(random.below(16)), random.below(1 << 20));
    finish(h);
  }
}

TEST_CASE("log: names that survive a power cut out of order lose nothing acknowledged") {
  for (std::uint64_t seed = 1; seed <= rounds(30); ++seed) {
    sim_env env(seed);
    CAPTURE(seed);
    INFO(context_of_failure(env));
    env.set_name_order(name_order::any_order);
    log_harness h(env, small_config(), seed);
    sim_random random(seed);
    for (int i = 0; i < 100; ++i)
      take_step(env, h, static_cast<unsigned>(random.below(16)), random.below(1 << 20));
    finish(h);
  }
}
