// The log, stopped at every single change that it makes to the disk, also while it recovers.
#include "storage/base/units.hpp"
#include "storage/verify.hpp"
#include "tests/unit/storage/log_harness.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace cairn;
using namespace cairn::testing;

namespace {

/// Everything that a log does to its files, in a fixed order. False as soon as the disk fails.
bool play(log_harness& h) {
  if (!h.open()) return false;
  if (!h.append(3, 100) || !h.sync()) return false;
  if (!h.append(2, 3000) || !h.append(4, 300)) return false;  // over an edge, not synced
  if (!h.acknowledge()) return false;
  h.work();
  if (!h.append(5, 1500) || !h.acknowledge() || !h.roll()) return false;
  if (!h.append(1, 20) || !h.acknowledge()) return false;
  if (!h.append(6, 900) || !h.sync() || !h.truncate_some(4)) return false;
  if (!h.append(3, 50) || !h.truncate_some(1) || !h.append(2, 800)) return false;
  if (!h.acknowledge() || !h.trim_to(record_offset(h.published().value() / 2))) return false;
  h.work();
  if (!h.append(8, 700) || !h.acknowledge()) return false;  // into a recycled file
  h.check_everything();
  if (!h.close() || !h.open()) return false;
  if (!h.append(3, 6000) || !h.sync() || !h.truncate_some(9)) return false;
  if (!h.append(2, 10) || !h.acknowledge() || !h.trim_to_bytes(9000)) return false;
  h.work();
  if (!h.append(2, 10) || !h.reserve(3000)) return false;
  return h.append(2, 10) && h.acknowledge() && h.close();
}

/// After the power is back: what must be there is there, and the log can be used and closed.
void go_on(log_harness& h) {
  REQUIRE(h.open());
  REQUIRE(h.append(3, 500));
  REQUIRE(h.acknowledge());
  h.check_everything();
  h.work();
  REQUIRE(h.append(4, 1500));
  REQUIRE(h.acknowledge());
  REQUIRE(h.close());
  REQUIRE(h.open());
  CHECK(h.report().clean);
  CHECK(h.report().torn_bytes == 0);
  h.abandon();
}

/// The offline check calls sound what the log opens, and leaves the disk alone.
void check_verify(sim_env& env) {
  const auto before = env.operations();
  const auto report = storage::verify_log(env, log_harness::k_directory, {});
  CHECK(env.operations() == before);
  if (report.code() == errc::not_found) return;  // the power went before there was a directory
  REQUIRE_MESSAGE(report.ok(), report.error().detail);
  for (const auto& finding : report->findings) {
    CHECK_MESSAGE(finding.level == storage::verify_finding::severity::note,
                  fmt::format("{} at {}: {}", finding.file, finding.position_bytes, finding.what));
  }
}

std::uint64_t changes_of_play() {
  sim_env env(1);
  log_harness h(env, small_config(), 1);
  const bool played = play(h);
  REQUIRE_MESSAGE(played, h.last_error().detail);
  return env.operations();
}

}  // namespace

TEST_CASE("log: a power cut at any change of the disk loses nothing acknowledged") {
  const auto total = changes_of_play();
  MESSAGE(total << " changes of the disk");
  REQUIRE(total > 50);
  for (std::uint64_t round = 0; round < 4; ++round) {
    for (std::uint64_t stop = 1; stop <= total; ++stop) {
      sim_env env(round * 1000 + stop);
      CAPTURE(round);
      CAPTURE(stop);
      INFO(context_of_failure(env));
      log_harness h(env, small_config(), 1);
      env.stop_at(stop);
      play(h);
      h.abandon();
      env.crash();
      check_verify(env);
      go_on(h);
      check_verify(env);
    }
  }
}

TEST_CASE("log: a kill at any change of the disk loses nothing acknowledged") {
  const auto total = changes_of_play();
  for (std::uint64_t stop = 1; stop <= total; ++stop) {
    sim_env env(stop);
    CAPTURE(stop);
    INFO(context_of_failure(env));
    log_harness h(env, small_config(), 1);
    env.stop_at(stop);
    play(h);
    h.abandon();
    env.kill();
    check_verify(env);
    go_on(h);
  }
}

TEST_CASE("log: a second power cut at any change of the recovery loses nothing either") {
  const auto total = changes_of_play();
  for (std::uint64_t stop = 1; stop <= total; ++stop) {
    sim_env first(stop * 31);
    log_harness before(first, small_config(), 1);
    first.stop_at(stop);
    play(before);
    before.abandon();
    first.crash();
    for (std::uint64_t second = 1;; ++second) {
      const auto env = first.clone_crashed(stop * 1000 + second);
      CAPTURE(stop);
      CAPTURE(second);
      INFO(context_of_failure(*env));
      const auto h = before.fork(*env);
      env->stop_at(env->operations() + second);
      const bool recovered = h->open();
      h->abandon();
      const bool was_hit = env->stopped();
      env->crash();
      go_on(*h);
      if (recovered && !was_hit) break;
      REQUIRE(second < 200);
    }
  }
}

TEST_CASE("log: any one failed change of the disk loses nothing acknowledged") {
  // EIO at every site: the log either fences itself or goes on as if nothing had happened.
  const auto total = changes_of_play();
  int fenced = 0;
  for (const auto kind :
       {sim_op::create, sim_op::write, sim_op::allocate, sim_op::sync_data, sim_op::truncate,
        sim_op::rename, sim_op::remove, sim_op::make_directories, sim_op::sync_directory}) {
    for (std::uint64_t nth = 1; nth <= total; ++nth) {
      sim_env env(nth);
      CAPTURE(static_cast<int>(kind));
      CAPTURE(nth);
      INFO(context_of_failure(env));
      log_harness h(env, small_config(), 1);
      env.fail(kind, nth, errc::io_error);
      play(h);
      const bool hit = env.faults_left() == 0;
      if (h.is_open() && h.log().fenced()) {
        ++fenced;
        CHECK(h.log().sync().code() == errc::io_error);
        CHECK(h.log().append({}).code() == errc::io_error);
        CHECK(h.log().roll().code() == errc::io_error);
      }
      h.abandon();
      env.crash();
      go_on(h);
      if (!hit) break;
    }
  }
  CHECK(fenced > 10);
}

TEST_CASE("log: after a failed sync every later write is refused and the data is not believed") {
  sim_env env(5);
  log_harness h(env, small_config(), 5);
  REQUIRE(h.open());
  REQUIRE(h.append(3, 100));
  REQUIRE(h.acknowledge());
  env.fail(sim_op::sync_data, 1, errc::io_error);
  REQUIRE(h.append(2, 100));
  CHECK_FALSE(h.sync());
  CHECK(h.log().fenced());
  const auto durable = h.log().durable_offset();
  CHECK(h.log().sync().code() == errc::io_error);  // the kernel would say ok now
  CHECK(h.log().durable_offset() == durable);
  CHECK_FALSE(h.append(1, 10));
  // Reading what had been published still works.
  h.check_random_read();
  h.abandon();
  env.crash();
  go_on(h);
}

TEST_CASE(
    "log: the last store cut at every byte opens, takes records and keeps what comes before") {
  sim_env env(3);
  log_harness h(env, small_config(), 3);
  REQUIRE(h.open());
  REQUIRE(h.append(4, 200));
  REQUIRE(h.acknowledge());
  REQUIRE(h.roll());
  REQUIRE(h.append(1, 10));
  REQUIRE(h.acknowledge());
  const auto base = h.log().segments().back().base_offset.value();
  const auto synced_end = h.log().segments().back().size_bytes;
  // Not acknowledged: any part of it may be missing.
  REQUIRE(h.append(4, 120));
  const auto end = h.log().segments().back().size_bytes;
  const auto before = h.fork(env);
  h.abandon();
  env.kill();
  REQUIRE(end > synced_end + 4 * storage::k_frame_header_bytes);
  for (auto size = synced_end; size <= end; ++size) {
    const auto disk = env.clone_crashed(size, crash_keep::all);
    disk->resize_file(store_path(base), size);
    CAPTURE(size);
    const auto cut = before->fork(*disk);
    REQUIRE(cut->open());
    CHECK((cut->report().torn_bytes == 0) == (cut->log().segments().back().size_bytes >= size));
    REQUIRE(cut->append(2, 90));
    REQUIRE(cut->acknowledge());
    cut->abandon();
    disk->kill();
    go_on(*cut);
  }
}

TEST_CASE("log: what was acknowledged is never shortened when the file is cut below it") {
  sim_env env(3);
  log_harness h(env, small_config(), 3);
  REQUIRE(h.open());
  REQUIRE(h.append(5, 150));
  REQUIRE(h.acknowledge());
  // Without the padding behind the last frame: that is nobody's.
  REQUIRE(h.append_one("12345678"));
  REQUIRE(h.acknowledge());
  const auto end = h.log().segments().back().size_bytes;
  h.abandon();
  env.kill();
  for (std::uint64_t size = 0; size < end; ++size) {
    const auto disk = env.clone_crashed(size + 1, crash_keep::all);
    disk->resize_file(store_path(0), size);
    CAPTURE(size);
    storage::recovery_report report;
    const auto opened =
        storage::segmented_log::open(*disk, log_harness::k_directory, small_config(), report);
    REQUIRE(opened.code() == errc::corruption);
    CHECK(opened.error().detail.find(store_path(0)) != std::string::npos);
    CHECK(opened.error().detail.find("position") != std::string::npos);
  }
}

TEST_CASE("log: a batch of several frames torn before its sync is cut, not refused") {
  int torn = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    sim_env env(seed);
    CAPTURE(seed);
    log_harness h(env, small_config(), seed);
    REQUIRE(h.open());
    REQUIRE(h.append(2, 100));
    REQUIRE(h.acknowledge());
    REQUIRE(h.append(6, 400));
    REQUIRE(h.append(1, 30));
    h.abandon();
    env.crash();
    REQUIRE(h.open());
    torn += h.report().torn_bytes > 0 ? 1 : 0;
    h.abandon();
    go_on(h);
  }
  CHECK(torn > 50);
}

TEST_CASE("log: a power cut while durable entries are truncated leaves no hole to stumble over") {
  // Each entry synced by itself, so that every frame vouches for those before it.
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    for (std::uint64_t stop = 1;; ++stop) {
      sim_env env(seed);
      CAPTURE(seed);
      CAPTURE(stop);
      log_harness h(env, small_config(), seed);
      REQUIRE(h.open());
      REQUIRE(h.append(1, 60));
      REQUIRE(h.acknowledge());
      for (int i = 0; i < 6; ++i)
        REQUIRE((h.append_one(std::string(400, 'x')) && h.sync()));
      env.stop_at(env.operations() + stop);
      const bool done = h.truncate_some(6) && h.append(2, 100) && h.sync();
      const bool hit = env.stopped();
      CHECK((done || hit));
      h.abandon();
      env.crash();
      go_on(h);
      if (!hit) break;
    }
  }
}
