// Where a log begins: beginning anew behind a snapshot, what is kept with the start.
#include "storage/log_start.hpp"

#include "storage/log_reader.hpp"
#include "storage/paths.hpp"
#include "storage/segmented_log.hpp"
#include "storage/slot_file.hpp"
#include "storage/verify.hpp"
#include "tests/support/sim_env.hpp"
#include "tests/unit/storage/log_entries.hpp"

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::testing;
using storage::log_origin;

namespace {

const log_origin k_origin{.index = log_index(50),
                          .term = term_id(4),
                          .next_offset = record_offset(70),
                          .configuration = bytes_of("config of the snapshot"),
                          .state = bytes_of("state of the snapshot"),
                          .last_timestamp_ms = 1'800'000'000'000};

/// A log of three segments with a configuration, one more entry not published.
void fill_old(segmented_log& log) {
  must(append(log, 1, "old config", frame_kind::config));
  for (int i = 0; i < 6; ++i)
    must(append(log, 1 + static_cast<std::uint64_t>(i / 3), std::string(1500, 'o')));
  must(log.sync());
  REQUIRE(log.publisher().publish(log_index(5)).ok());
}

bool is_old(const segmented_log& log) {
  const auto start = log.start();
  if (start.index.value() != 0) return false;
  CHECK(log.next_index() == log_index(8));
  CHECK(log.next_offset() == record_offset(6));
  REQUIRE(log.configs().size() == 1);
  CHECK(log.configs()[0].payload.text() == "old config");
  CHECK(start.configuration.empty());
  CHECK(log.reader()->read_entries(log_index(1), {})->size() == 7);
  return true;
}

void check_new(const segmented_log& log) {
  const auto start = log.start();
  CHECK(start.index == k_origin.index);
  CHECK(start.term == k_origin.term);
  CHECK(start.next_offset == k_origin.next_offset);
  CHECK(start.configuration.text() == k_origin.configuration.text());
  CHECK(start.state.text() == k_origin.state.text());
  CHECK(log.next_index() == log_index(51));
  CHECK(log.next_offset() == record_offset(70));
  CHECK(log.lowest_offset() == record_offset(70));
  CHECK(log.last_term() == term_id(4));
  CHECK(log.last_timestamp_ms() == k_origin.last_timestamp_ms);
  CHECK(start.last_timestamp_ms == k_origin.last_timestamp_ms);
  CHECK(log.segments().empty());
  CHECK(log.configs().empty());
  CHECK(log.term_runs()->empty());
  CHECK(log.reader()->end_offset() == record_offset(70));
  CHECK(log.reader()->read(record_offset(3), {}).code() == errc::offset_trimmed);
}

}  // namespace

TEST_CASE("install: the log begins anew behind the snapshot and takes entries") {
  sim_env env(1);
  auto log = open_log(env);
  fill_old(*log);
  must(log->install(k_origin));
  check_new(*log);
  log.reset();
  env.crash();
  log = open_log(env);
  check_new(*log);
  must(append(*log, 4, "first"));
  must(append(*log, 5, "a later config", frame_kind::config));
  must(append(*log, 6, "second"));
  must(log->sync());
  REQUIRE(log->publisher().publish(log_index(52)).ok());
  log.reset();
  env.crash();
  log = open_log(env);
  CHECK(log->start().configuration.text() == "config of the snapshot");
  CHECK(log->start().state.text() == "state of the snapshot");
  REQUIRE(log->configs().size() == 1);
  CHECK(log->configs()[0].index == log_index(52));
  REQUIRE(log->term_runs().ok());
  CHECK(*log->term_runs() == std::vector<storage::stored_term_run>{{log_index(51), term_id(4)},
                                                                   {log_index(52), term_id(5)},
                                                                   {log_index(53), term_id(6)}});
  CHECK(log->publisher().published() <= log_index(52));  // as far as the mark has survived
  REQUIRE(log->publisher().publish(log_index(51)).ok());
  CHECK(log->reader()->end_offset() == record_offset(71));
  const auto frames = log->reader()->read(record_offset(70), {});
  REQUIRE(frames.ok());
  REQUIRE(frames->size() == 1);
  CHECK((*frames)[0].payload.text() == "first");
}

TEST_CASE("install: a power cut at any change of the disk leaves the old log or the new one") {
  std::uint64_t total = 0;
  int old_logs = 0;
  int new_logs = 0;
  for (std::uint64_t stop = 1; total == 0 || stop <= total; ++stop) {
    sim_env env(stop);
    CAPTURE(stop);
    INFO(context_of_failure(env));
    auto log = open_log(env);
    fill_old(*log);
    const auto before = env.operations();
    env.stop_at(before + stop);
    const auto installed = log->install(k_origin);
    if (!env.stopped()) {
      must(installed);
      total = env.operations() - before;
      break;
    }
    log.reset();
    env.crash();
    // And once more, at every change that the recovery makes.
    for (std::uint64_t second = 1;; ++second) {
      const auto again = env.clone_crashed(stop * 100 + second);
      CAPTURE(second);
      again->stop_at(again->operations() + second);
      storage::recovery_report report;
      auto config = small_config();
      config.publish_on_open = false;
      static_cast<void>(segmented_log::open(*again, "/log", config, report));
      const bool was_hit = again->stopped();
      again->crash();
      log = open_log(*again);
      is_old(*log) ? void(++old_logs) : check_new(*log);
      must(append(*log, 9, "goes on"));
      must(log->sync());
      const auto checked = storage::verify_log(*again, "/log", {});
      REQUIRE(checked.ok());
      CHECK_FALSE(checked->damaged());
      log.reset();
      if (!was_hit) break;
    }
    env.kill();
    log = open_log(env);
    if (!is_old(*log)) ++new_logs;
  }
  CHECK(old_logs > 5);
  CHECK(new_logs > 5);
}

TEST_CASE("install: a full disk refuses it and the old log stays") {
  sim_env env(1);
  auto log = open_log(env);
  fill_old(*log);
  env.fail(sim_op::allocate, 1, errc::disk_full, "log.configs");
  CHECK(log->install(k_origin).code() == errc::disk_full);
  CHECK(is_old(*log));
  must(append(*log, 3, "goes on"));
  must(log->install(k_origin));
  check_new(*log);
}

TEST_CASE("log start: version 1 of the file still opens, and a trim makes it version 3") {
  sim_env env(1);
  auto log = open_log(env, true);
  for (int i = 0; i < 8; ++i)
    must(append(*log, 1, std::string(1500, 'x')));
  must(log->sync());
  log->publish(log->next_offset());
  const auto second = log->segments()[1];
  must(log->trim_prefix(second.base_offset));
  must(log->close());
  log.reset();
  {
    std::vector<std::byte> v1(8);
    store_le(v1.data(), second.base_offset.value() + 1);
    auto file = storage::slot_file::open(env, "/log/log.start", {});
    REQUIRE(file.ok());
    must((*file)->save(v1));
  }
  log = open_log(env, true);
  CHECK(log->lowest_offset() == second.base_offset.plus(1));
  CHECK(log->start().index.next() == second.base_index);
  CHECK(log->start().term == term_id(1));
  CHECK(log->start().next_offset == second.base_offset);
  must(log->trim_prefix(second.next_offset));
  const auto start = log->start();
  log.reset();
  env.crash();
  log = open_log(env);
  CHECK(log->start().index == start.index);
  CHECK(log->start().next_offset == second.next_offset);
}

TEST_CASE("log start: what has gone leaves its time, so that nothing older follows") {
  sim_env env(1);
  auto log = open_log(env);
  auto frame = next_frame(*log, 1, "the last one");
  frame.timestamp_ms = 1'800'000'000'000;
  REQUIRE(log->append({&frame, 1}).ok());
  must(log->sync());
  REQUIRE(log->publisher().publish(log_index(1)).ok());
  must(log->roll());
  must(log->reserve(100));  // begins the next segment
  must(log->trim_prefix(record_offset(1)));
  REQUIRE(log->start().index == log_index(1));
  CHECK(log->start().last_timestamp_ms == frame.timestamp_ms);
  log.reset();
  env.crash();
  log = open_log(env);
  CHECK(log->start().last_timestamp_ms == frame.timestamp_ms);
  CHECK(log->last_timestamp_ms() == frame.timestamp_ms);
  auto older = next_frame(*log, 1, "of a clock that is behind");
  older.timestamp_ms = frame.timestamp_ms - 1;
  CHECK(log->append({&older, 1}).code() == errc::invalid_argument);
}

TEST_CASE("log start: bytes that no version wrote are refused, not guessed") {
  CHECK_FALSE(storage::decode_log_start(as_byte_span("seven b")).has_value());
  auto bytes = storage::encode_log_start({.lowest = record_offset(5),
                                          .index = log_index(3),
                                          .term = term_id(2),
                                          .first_offset = record_offset(4),
                                          .last_timestamp_ms = 77,
                                          .installing = true});
  REQUIRE(storage::decode_log_start(bytes).has_value());
  CHECK(storage::decode_log_start(bytes)->first_offset == record_offset(4));
  CHECK(storage::decode_log_start(bytes)->last_timestamp_ms == 77);
  // Version 2 ended before the time.
  auto v2 = bytes;
  v2.resize(40);
  CHECK_FALSE(storage::decode_log_start(v2).has_value());
  v2[8] = std::byte{2};
  REQUIRE(storage::decode_log_start(v2).has_value());
  CHECK(storage::decode_log_start(v2)->first_offset == record_offset(4));
  CHECK(storage::decode_log_start(v2)->last_timestamp_ms == 0);
  for (const auto version : {std::byte{2}, std::byte{4}}) {
    bytes[8] = version;
    CHECK_FALSE(storage::decode_log_start(bytes).has_value());
  }
}

TEST_CASE("config file: every flipped bit and every cut is noticed") {
  const std::vector<storage::stored_config> configs{
      {log_index(1), term_id(1), bytes_of("a"), {}},
      {log_index(7), term_id(2), bytes_of("bc"), bytes_of("state")}};
  const auto bytes = storage::encode_configs(configs);
  const auto back = storage::decode_configs(shared_bytes::copy_of(bytes), "f");
  REQUIRE(back.ok());
  REQUIRE(back->size() == 2);
  CHECK((*back)[1].state.text() == "state");
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
    auto bad = bytes;
    bad[i / 8] ^= std::byte(1U << (i % 8));
    CHECK(storage::decode_configs(shared_bytes::copy_of(bad), "f").code() == errc::corruption);
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto cut = shared_bytes::copy_of(byte_span(bytes).first(size));
    CHECK(storage::decode_configs(cut, "f").code() == errc::corruption);
  }
}

TEST_CASE("configs: one that was listed and never appended is forgotten") {
  for (std::uint64_t stop = 1;; ++stop) {
    sim_env env(stop);
    CAPTURE(stop);
    auto log = open_log(env);
    must(append(*log, 1, "first", frame_kind::config));
    must(log->sync());
    env.stop_at(env.operations() + stop);
    const bool durable = append(*log, 2, "second", frame_kind::config).ok() && log->sync().ok();
    const bool hit = env.stopped();
    log.reset();
    env.crash();
    log = open_log(env);
    const auto configs = log->configs();
    REQUIRE(configs.size() == log->next_index().value() - 1);
    CHECK(configs[0].payload.text() == "first");
    if (durable) CHECK(configs.size() == 2);
    if (configs.size() == 2) CHECK(configs[1].payload.text() == "second");
    if (!hit) break;
  }
}

TEST_CASE("configs: the one in force at the start survives a trim and a truncation before it") {
  sim_env env(1);
  auto log = open_log(env);
  must(append(*log, 1, "first", frame_kind::config));
  must(append(*log, 1, "undone", frame_kind::config));
  must(log->sync());
  must(log->truncate_suffix(log_index(2)));
  for (int i = 0; i < 8; ++i)
    must(append(*log, 2, std::string(1500, 'x')));
  must(log->sync());
  REQUIRE(log->publisher().publish(log_index(9)).ok());
  must(log->trim_prefix(record_offset(6)));
  CHECK(log->start().index.value() > 2);
  CHECK(log->start().configuration.text() == "first");
  CHECK(log->configs().empty());
  log.reset();
  env.crash();
  log = open_log(env);
  CHECK(log->start().configuration.text() == "first");
}

TEST_CASE("configs: a missing file is noticed, and no file is fine where there never was one") {
  sim_env env(1);
  auto log = open_log(env);
  must(append(*log, 1, "first", frame_kind::config));
  must(log->sync());
  log.reset();
  env.erase_file("/log/log.configs");
  storage::recovery_report report;
  const auto opened = segmented_log::open(env, "/log", small_config(), report);
  REQUIRE(opened.code() == errc::corruption);
  CHECK(opened.error().detail.find("log.configs") != std::string::npos);
  const auto checked = storage::verify_log(env, "/log", {});
  REQUIRE(checked.ok());
  CHECK(checked->damaged());
}
