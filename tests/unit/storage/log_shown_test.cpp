// What readers were shown before an end they are shown after it, and nothing else.
#include "storage/durable_mark.hpp"
#include "storage/log_publisher.hpp"
#include "storage/log_reader.hpp"
#include "storage/segmented_log.hpp"
#include "tests/support/sim_env.hpp"
#include "tests/unit/storage/log_harness.hpp"

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::testing;
using storage::segmented_log;

namespace {

/// As a replica opens it.
std::unique_ptr<segmented_log> open_log(storage::env& env) {
  auto config = small_config();
  config.publish_on_open = false;
  storage::recovery_report report;
  auto log = segmented_log::open(env, "/log", config, report);
  REQUIRE_MESSAGE(log.ok(), log.error().detail);
  return std::move(*log);
}

/// One record each, three in a segment. Durable on return.
void append(segmented_log& log, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    storage::frame_input frame;
    frame.term = term_id(1);
    frame.index = log.next_index();
    frame.record_count = 1;
    frame.payload = {shared_bytes::copy_of(as_byte_span(std::string(1200, 'r')))};
    frame.base_offset = log.next_offset();
    REQUIRE(log.append({&frame, 1}).ok());
  }
  REQUIRE(log.sync().ok());
}

void publish(const segmented_log& log, std::uint64_t last) {
  REQUIRE(log.publisher().publish(log_index(last)).ok());
}

/// Entry N is the record at offset N - 1.
void check_shown(const segmented_log& log, std::uint64_t last) {
  CHECK(log.publisher().published() == log_index(last));
  CHECK(log.reader()->end_offset() == record_offset(last));
  const auto entries = log.reader()->read_entries(log_index(1), {.published_only = true});
  REQUIRE(entries.ok());
  CHECK(entries->size() == last);
}

}  // namespace

TEST_CASE("shown: a killed replica shows what it has shown, wherever in the log that ends") {
  for (std::uint64_t last = 0; last <= 10; ++last) {
    CAPTURE(last);
    sim_env env(1);
    auto log = open_log(env);
    append(*log, 10);
    if (last > 0) publish(*log, last);
    log.reset();
    env.kill();
    log = open_log(env);
    check_shown(*log, last);
    if (last < 10) publish(*log, last + 1);
    append(*log, 3);
    publish(*log, 12);
    log.reset();
    env.kill();
    check_shown(*open_log(env), 12);
  }
}

TEST_CASE("shown: after a power cut a replica shows what it has shown, or less") {
  std::uint64_t most = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    sim_env env(seed);
    auto log = open_log(env);
    append(*log, 4);
    publish(*log, 3);
    append(*log, 4);
    publish(*log, 6);
    log.reset();
    env.crash();
    log = open_log(env);
    const auto shown = log->publisher().published().value();
    CHECK((shown == 0 || shown == 3 || shown == 6));
    check_shown(*log, shown);
    most = std::max(most, shown);
  }
  CHECK(most == 6);  // else this proves nothing
}

TEST_CASE("shown: a graceful end changes nothing about it") {
  sim_env env(1);
  auto log = open_log(env);
  append(*log, 5);
  publish(*log, 4);
  REQUIRE(log->close().ok());
  log.reset();
  env.crash();  // close() makes the page durable
  check_shown(*open_log(env), 4);
}

TEST_CASE(
    "shown: a log that has lost its end shows what is left, and not what comes in its place") {
  sim_env env(1);
  auto log = open_log(env);
  append(*log, 5);
  publish(*log, 5);
  log.reset();
  {
    auto mark = storage::durable_mark::open(env, "/log/durable.mark");
    REQUIRE(mark.ok());
    (*mark)->set_published(log_index(9));  // as if four more had been there
  }
  log = open_log(env);
  check_shown(*log, 5);
  append(*log, 4);
  log.reset();
  env.kill();
  check_shown(*open_log(env), 5);
}

TEST_CASE("shown: of a log that began anew, nothing of the old one") {
  sim_env env(1);
  auto log = open_log(env);
  append(*log, 5);
  publish(*log, 5);
  REQUIRE(log->install({.index = log_index(50),
                        .term = term_id(4),
                        .next_offset = record_offset(70),
                        .configuration = {},
                        .state = {}})
              .ok());
  log.reset();
  env.kill();
  log = open_log(env);
  CHECK(log->publisher().published() == log_index(50));
  CHECK(log->reader()->end_offset() == record_offset(70));
}

TEST_CASE("shown: a publisher that outlives its log remembers nothing") {
  sim_env env(1);
  auto log = open_log(env);
  append(*log, 5);
  publish(*log, 2);
  const auto publisher = log->publisher();
  log.reset();
  static_cast<void>(publisher.publish(log_index(5)));
  env.kill();
  check_shown(*open_log(env), 2);
}
