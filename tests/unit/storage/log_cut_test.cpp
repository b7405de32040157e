// A suffix that goes, and a power cut on the way: what is left must not look like damage.
#include "storage/log_reader.hpp"
#include "storage/segmented_log.hpp"
#include "tests/support/sim_env.hpp"
#include "tests/unit/storage/log_harness.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace cairn;
using namespace cairn::testing;
using storage::segmented_log;

namespace {

result<std::unique_ptr<segmented_log>> open_log(sim_env& env) {
  storage::log_config config = small_config();
  config.segment_bytes = 64 * 1024;
  config.publish_on_open = false;
  storage::recovery_report report;
  return segmented_log::open(env, "/log", config, report);
}

// Each entry is synced, so each says of all before it that they were durable.
std::unique_ptr<segmented_log> log_of_twenty(sim_env& env) {
  REQUIRE(env.make_directories("/log").ok());
  auto log = open_log(env);
  REQUIRE(log.ok());
  for (std::uint64_t i = 1; i <= 20; ++i) {
    storage::frame_input frame;
    frame.term = term_id(1);
    frame.index = log_index(i);
    frame.record_count = 1;
    frame.payload = {shared_bytes::copy_of(std::vector<std::byte>(300))};
    REQUIRE((*log)->append({&frame, 1}).ok());
    REQUIRE((*log)->sync().ok());
  }
  return std::move(*log);
}

void must_open(sim_env& env, std::uint64_t seed) {
  const auto log = open_log(env);
  REQUIRE_MESSAGE(log.ok(), fmt::format("seed {}: {}", seed, log.ok() ? "" : log.error().detail));
  CHECK((*log)->next_index() >= log_index(5));
  CHECK((*log)->next_index() <= log_index(21));
}

}  // namespace

TEST_CASE("cut: the power goes while a suffix is removed, and the log opens") {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    sim_env env(seed);
    auto log = log_of_twenty(env);
    env.stop_at(env.operations() + 1 + seed % 6);
    static_cast<void>(log->truncate_suffix(log_index(5)));
    env.crash();
    log.reset();
    must_open(env, seed);
  }
}

TEST_CASE("cut: a sync fails while a suffix is removed, and the log opens") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    sim_env env(seed);
    auto log = log_of_twenty(env);
    env.fail(sim_op::sync_data, 1, errc::io_error, ".store");
    CHECK_FALSE(log->truncate_suffix(log_index(5)).ok());
    CHECK(log->fenced());
    env.kill();
    log.reset();
    must_open(env, seed);
  }
}
