#include "storage/verify.hpp"

#include "storage/segmented_log.hpp"
#include "tests/support/sim_env.hpp"

#include <doctest/doctest.h>
#include <string>

using namespace cairn;
using namespace cairn::storage;
using cairn::testing::sim_env;

namespace {

/// A log of 120 records in several segments; closed gracefully unless `kill`.
void make_log(sim_env& env, bool kill) {
  log_config config;
  config.segment_bytes = 4 * k_kib_bytes;
  recovery_report report;
  auto log = segmented_log::open(env, "/log", config, report);
  REQUIRE(log.ok());
  for (int i = 0; i < 120; ++i) {
    frame_input frame;
    frame.term = term_id(1);
    frame.index = (*log)->next_index();
    frame.timestamp_ms = 1000 + i;
    frame.record_count = 1;
    frame.payload = {shared_bytes::copy_of(as_byte_span(std::string(100, 'v')))};
    REQUIRE((*log)->append({&frame, 1}).ok());
    REQUIRE((*log)->sync().ok());
  }
  if (!kill) REQUIRE((*log)->close().ok());
}

const std::string k_first_store = "/log/00000000000000000000.store";

}  // namespace

TEST_CASE("verify: a closed log and a killed one are sound") {
  for (const bool kill : {false, true}) {
    sim_env env(7);
    make_log(env, kill);
    std::uint64_t last_done = 0;
    const auto report = verify_log(env, "/log", [&](std::uint64_t done, std::uint64_t total) {
      CHECK(done <= total);
      last_done = done;
    });
    REQUIRE(report.ok());
    CHECK_FALSE(report->damaged());
    CHECK(report->records == 120);
    CHECK(report->next_offset.value() == 120);
    CHECK(last_done > 0);
  }
}

TEST_CASE("verify: one flipped bit in a payload is damage with file and position") {
  sim_env env(8);
  make_log(env, false);
  env.flip_bit(k_first_store, 64 + 64 + 10, 3);
  const auto report = verify_log(env, "/log", {});
  REQUIRE(report.ok());
  REQUIRE(report->damaged());
  CHECK(report->findings.front().file == "00000000000000000000.store");
  CHECK(report->findings.front().position_bytes == 64);
}

TEST_CASE("verify: a missing index is a note, a missing directory an error") {
  sim_env env(9);
  make_log(env, false);
  REQUIRE(env.remove("/log/00000000000000000000.index").ok());
  const auto report = verify_log(env, "/log", {});
  REQUIRE(report.ok());
  CHECK_FALSE(report->damaged());
  CHECK(report->findings.size() == 1);
  CHECK(verify_log(env, "/nowhere", {}).code() == errc::not_found);
}
