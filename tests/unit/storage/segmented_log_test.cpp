#include "storage/segmented_log.hpp"

#include "storage/background_work.hpp"
#include "storage/log_reader.hpp"
#include "tests/support/sim_env.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace cairn;
using namespace cairn::storage;
using cairn::testing::sim_env;

namespace {

log_config small_segments() {
  log_config config;
  config.segment_bytes = 4 * k_kib_bytes;
  config.prefill_bytes = 4 * k_kib_bytes;
  return config;
}

std::unique_ptr<segmented_log> open_log(sim_env& env, recovery_report& report) {
  report = {};
  auto log = segmented_log::open(env, "/log", small_segments(), report);
  REQUIRE_MESSAGE(log.ok(), (log.ok() ? "" : log.error().detail));
  return std::move(*log);
}

frame_input next_frame(const segmented_log& log, const std::string& payload, unix_ms time = 0) {
  frame_input frame;
  frame.term = term_id(1);
  frame.index = log.next_index();
  frame.timestamp_ms = std::max(log.last_timestamp_ms(), time);
  frame.record_count = 1;
  frame.payload = {shared_bytes::copy_of(as_byte_span(payload))};
  return frame;
}

void append_one(segmented_log& log, const std::string& payload, unix_ms time = 0) {
  const auto frame = next_frame(log, payload, time);
  REQUIRE(log.append({&frame, 1}).ok());
  REQUIRE(log.sync().ok());
  log.publish(log.durable_offset());
}

std::string value_at(const segmented_log& log, std::uint64_t offset) {
  read_limits one;
  one.records_max = 1;
  auto frames = log.reader()->read(record_offset(offset), one);
  REQUIRE_MESSAGE(frames.ok(), (frames.ok() ? "" : frames.error().detail));
  REQUIRE(frames->size() == 1);
  return std::string(frames->front().payload.text());
}

std::string numbered(std::uint64_t i) {
  return "record number " + std::to_string(i) + std::string(80, 'x');
}

void fill(segmented_log& log, std::uint64_t first, std::uint64_t count) {
  for (std::uint64_t i = first; i < first + count; ++i) {
    append_one(log, numbered(i), static_cast<unix_ms>(1000 + i * 10));
  }
}

void check_all(const segmented_log& log, std::uint64_t first, std::uint64_t end) {
  std::uint64_t size_bytes = 0;
  for (const auto& part : log.segments())
    size_bytes += part.size_bytes;
  CHECK(log.size_bytes() == size_bytes);
  CHECK(log.next_offset().value() == end);
  for (std::uint64_t i = first; i < end; ++i)
    CHECK(value_at(log, i) == numbered(i));
}

}  // namespace

TEST_CASE("segmented log: what was synced is read back across segments and restarts") {
  sim_env env(1);
  recovery_report report;
  auto log = open_log(env, report);
  fill(*log, 0, 200);
  CHECK(log->segments().size() > 3);
  check_all(*log, 0, 200);

  SUBCASE("after a graceful close, without a scan") {
    REQUIRE(log->close().ok());
    log = open_log(env, report);
    CHECK(report.clean);
    CHECK(report.scanned_bytes == 0);
    CHECK(report.rebuilt_indexes == 0);
  }
  SUBCASE("after a killed process") {
    log.reset();
    log = open_log(env, report);
    CHECK_FALSE(report.clean);
  }
  SUBCASE("after a power cut") {
    env.crash();
    log.reset();
    log = open_log(env, report);
    CHECK_FALSE(report.clean);
  }
  SUBCASE("with background work done") {
    while (log->background()->run_one()) {
    }
    check_all(*log, 0, 200);
    REQUIRE(log->close().ok());
    log = open_log(env, report);
    CHECK(report.clean);
  }
  check_all(*log, 0, 200);
  fill(*log, 200, 100);
  check_all(*log, 0, 300);
}

TEST_CASE("segmented log: a range read stops at its budgets and never splits a frame") {
  sim_env env(2);
  recovery_report report;
  auto log = open_log(env, report);
  fill(*log, 0, 100);
  read_limits limits;
  limits.records_max = 10;
  CHECK(log->reader()->read(record_offset(3), limits)->size() == 10);
  limits.records_max = 1000;
  auto all = log->reader()->read(record_offset(0), limits);
  REQUIRE(all.ok());
  CHECK(all->size() == 100);
  limits.bytes_max = 1;
  CHECK(log->reader()->read(record_offset(5), limits)->size() == 1);
  CHECK(log->reader()->read(record_offset(100), limits)->empty());
  CHECK(log->reader()->read(record_offset(101), limits).code() == errc::offset_not_written);
}

TEST_CASE("segmented log: find_time gives the first record that is not older") {
  sim_env env(3);
  recovery_report report;
  auto log = open_log(env, report);
  fill(*log, 0, 100);
  CHECK(log->reader()->find_time(0)->value() == 0);
  for (std::uint64_t i = 0; i < 100; ++i) {
    const auto time = static_cast<unix_ms>(1000 + i * 10);
    CHECK(log->reader()->find_time(time)->value() == i);
    CHECK(log->reader()->find_time(time + 1)->value() == i + 1);
  }
}

TEST_CASE("segmented log: a trimmed prefix is gone and stays gone") {
  sim_env env(4);
  recovery_report report;
  auto log = open_log(env, report);
  fill(*log, 0, 200);
  const auto before = log->segments().size();
  REQUIRE(log->trim_prefix(record_offset(101)).ok());
  CHECK(log->segments().size() < before);
  CHECK(log->reader()->read(record_offset(100), {}).code() == errc::offset_trimmed);
  check_all(*log, 101, 200);
  CHECK(log->trim_prefix(record_offset(201)).code() == errc::invalid_argument);
  env.crash();
  log.reset();
  log = open_log(env, report);
  CHECK(log->lowest_offset().value() == 101);
  check_all(*log, 101, 200);
  REQUIRE(log->trim_to_bytes(5000).ok());
  CHECK(log->size_bytes() <= 5000 + 4096);
  fill(*log, 200, 150);
  check_all(*log, log->lowest_offset().value(), 350);
}

TEST_CASE("segmented log: a truncated suffix is gone and can be written again") {
  sim_env env(5);
  recovery_report report;
  auto log = open_log(env, report);
  fill(*log, 0, 50);
  // Appended but not published, as on a follower.
  for (std::uint64_t i = 50; i < 150; ++i) {
    const auto frame = next_frame(*log, "to be removed " + std::string(80, 'y'), 5000);
    REQUIRE(log->append({&frame, 1}).ok());
  }
  REQUIRE(log->sync().ok());
  SUBCASE("across segments") {
    REQUIRE(log->truncate_suffix(log_index(51)).ok());
  }
  SUBCASE("in steps, and through a crash") {
    REQUIRE(log->truncate_suffix(log_index(149)).ok());
    REQUIRE(log->truncate_suffix(log_index(70)).ok());
    REQUIRE(log->truncate_suffix(log_index(51)).ok());
    env.crash();
    log.reset();
    log = open_log(env, report);
  }
  check_all(*log, 0, 50);
  fill(*log, 50, 100);
  check_all(*log, 0, 150);
  env.crash();
  log.reset();
  log = open_log(env, report);
  check_all(*log, 0, 150);
}

TEST_CASE("segmented log: entries of every kind are read by index, records by offset") {
  sim_env env(6);
  recovery_report report;
  auto log = open_log(env, report);
  auto no_op = next_frame(*log, "");
  no_op.kind = frame_kind::no_op;
  no_op.record_count = 0;
  REQUIRE(log->append({&no_op, 1}).ok());
  fill(*log, 0, 60);
  const auto entries = log->reader()->read_entries(log_index(1), {});
  REQUIRE(entries.ok());
  CHECK(entries->size() == 61);
  CHECK(entries->front().header.kind == frame_kind::no_op);
  check_all(*log, 0, 60);
  CHECK(log->reader()->read_entries(log_index(62), {})->empty());
}

TEST_CASE(
    "segmented log: no zeros are written ahead of large syncs, and soon again of small ones") {
  sim_env env(1);
  auto config = small_segments();
  config.segment_bytes = config.prefill_bytes = 2 * k_mib_bytes;
  recovery_report report;
  auto opened = segmented_log::open(env, "/log", config, report);
  REQUIRE(opened.ok());
  auto& log = **opened;
  const auto work = [&] {
    while (log.background()->run_one()) {
    }
  };
  const auto spares = [&] {
    const auto names = env.names("/log");
    return std::count_if(names.begin(), names.end(),
                         [](const auto& name) { return name.ends_with(".spare"); });
  };
  const auto changes_by = [&](std::size_t bytes) {
    const auto before = env.operations();
    append_one(log, std::string(bytes, 'v'));
    return env.operations() - before;
  };
  append_one(log, "first");
  work();
  CHECK(spares() == 1);
  while (log.segment_count() < 4) {
    append_one(log, std::string(300 * k_kib_bytes, 'v'));
    work();
  }
  CHECK(spares() == 0);
  const auto large = changes_by(300 * k_kib_bytes);
  CHECK(changes_by(100) > large);  // takes zeros along
  for (int i = 0; i < 100; ++i)
    CHECK(changes_by(4000) == large);
  REQUIRE(log.roll().ok());
  append_one(log, "next");
  work();
  CHECK(spares() == 1);
  REQUIRE(log.close().ok());
}
