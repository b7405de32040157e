// Entries one by one: what an append refuses, publishing, room found ahead.
#include "storage/background_work.hpp"
#include "storage/base/units.hpp"
#include "storage/log_reader.hpp"
#include "storage/posix_env.hpp"
#include "storage/segmented_log.hpp"
#include "tests/support/sim_env.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/unit/storage/log_entries.hpp"

#include <atomic>
#include <doctest/doctest.h>
#include <thread>

using namespace cairn;
using namespace cairn::testing;

TEST_CASE("append: an entry that claims another offset than the log's is refused") {
  sim_env env(1);
  auto log = open_log(env);
  must(append(*log, 1, "a"));
  auto frame = next_frame(*log, 1, "b");
  frame.base_offset = record_offset(5);
  CHECK(log->append({&frame, 1}).code() == errc::invalid_argument);
  CHECK_FALSE(log->fenced());
  must(append(*log, 1, "b"));
}

TEST_CASE("publisher: readers see entries one by one, also those that were found at open") {
  sim_env env(1);
  auto log = open_log(env);
  for (int i = 0; i < 9; ++i)
    must(append(*log, 1, std::string(1000, static_cast<char>('a' + i)),
                i % 3 == 2 ? frame_kind::no_op : frame_kind::data));
  must(log->sync());
  log.reset();
  env.kill();
  log = open_log(env);
  const auto reader = log->reader();
  const auto publisher = log->publisher();
  CHECK(reader->end_offset() == record_offset(0));
  std::uint64_t offset = 0;
  for (std::uint64_t index = 1; index <= 9; ++index) {
    CAPTURE(index);
    if (index % 3 != 0) ++offset;
    const auto end = publisher.publish(log_index(index));
    REQUIRE(end.ok());
    CHECK(*end == record_offset(offset));
    CHECK(publisher.published() == log_index(index));
    const auto entries = reader->read_entries(log_index(1), {.published_only = true});
    REQUIRE(entries.ok());
    CHECK(entries->size() == index);
    const auto records = reader->read(record_offset(0), {});
    REQUIRE(records.ok());
    CHECK(records->size() == offset);
  }
  CHECK(*publisher.publish(log_index(2)) == record_offset(6));
  CHECK(reader->end_offset() == record_offset(6));
}

TEST_CASE("publisher: another thread publishes while the writer appends, rolls and trims") {
  // On real files: the simulated disk has a lock of its own, which would hide a race.
  const temporary_directory directory;
  const auto env = storage::make_posix_env();
  storage::log_config config = small_config();
  config.publish_on_open = false;
  storage::recovery_report report;
  auto opened = segmented_log::open(*env, directory.path() + "/log", config, report);
  REQUIRE(opened.ok());
  auto log = std::move(*opened);
  must(append(*log, 1, "c", frame_kind::config));
  must(log->sync());
  constexpr std::uint64_t k_entries = 600;
  std::atomic<std::uint64_t> durable{1};
  const auto publisher = log->publisher();
  const auto reader = log->reader();
  std::thread committer([&] {
    std::uint64_t last = 0;
    while (last < k_entries) {
      const auto now = durable.load();
      if (now == last) std::this_thread::yield();
      if (now > last) REQUIRE(publisher.publish(log_index(now)).ok());
      last = now;
      const auto end = reader->end_offset();
      const auto from =
          std::max(reader->lowest_offset(), record_offset(end.value() - end.value() / 8));
      const auto frames = reader->read(from, {.bytes_max = 2000});
      if (frames.ok() && from < end) CHECK_FALSE(frames->empty());
      if (!frames.ok()) CHECK(frames.code() == errc::offset_trimmed);
    }
  });
  for (std::uint64_t i = 2; i <= k_entries; ++i) {
    must(append(*log, 1 + i / 200, std::string(i % 500, 'x'),
                i % 7 == 0 ? frame_kind::no_op : frame_kind::data));
    must(log->sync());
    if (i % 50 == 0 && publisher.published().plus(1) < log->next_index()) {
      // A follower's conflict: the last entry is replaced.
      must(log->truncate_suffix(log_index(i)));
      must(append(*log, 1 + i / 200, "instead"));
      must(log->sync());
    }
    durable = i;
    if (i % 100 == 0) must(log->trim_to_bytes(20'000));
    while (log->background()->run_one()) {
    }
  }
  committer.join();
  CHECK(publisher.published() == log_index(k_entries));
}

TEST_CASE("reserve: what was promised is kept on a full disk, and more is refused whole") {
  for (const std::uint64_t bytes : {100ULL, 3000ULL, 5000ULL, 20'000ULL}) {
    sim_env env(1);
    CAPTURE(bytes);
    auto log = open_log(env);
    auto first = next_frame(*log, 1, std::string(2000, 'a'));
    first.timestamp_ms = env.now_ms();
    REQUIRE(log->append({&first, 1}).ok());
    must(log->sync());
    must(log->reserve(bytes));
    CHECK(log->room_bytes() >= bytes);
    env.set_capacity_bytes(env.used_bytes());
    std::uint64_t left = bytes;
    while (left >= storage::frame_stride_bytes(0)) {
      const auto payload = std::min<std::uint64_t>(left - storage::k_frame_header_bytes, 2048);
      if (storage::frame_stride_bytes(payload) > left) break;
      must(append(*log, 1, std::string(payload, 'b')));
      must(log->sync());
      left -= storage::frame_stride_bytes(payload);
    }
    const auto next = log->next_offset();
    CHECK(log->reserve(1 * k_mib_bytes).code() == errc::disk_full);
    CHECK(append(*log, 1, std::string(9000, 'c')).code() == errc::disk_full);
    CHECK(log->next_offset() == next);
    CHECK_FALSE(log->fenced());
    env.set_capacity_bytes({});
    must(log->reserve(1 * k_mib_bytes));
    must(append(*log, 1, std::string(9000, 'c')));
  }
}

TEST_CASE("reserve: segments keep their size while the disk has room, whatever was reserved") {
  sim_env env(1);
  auto log = open_log(env);
  for (int i = 0; i < 40; ++i) {
    if (log->room_bytes() < 20'000) must(log->reserve(100'000));
    auto frame = next_frame(*log, 1, std::string(900, 'x'));
    frame.timestamp_ms = env.now_ms();
    REQUIRE(log->append({&frame, 1}).ok());
    must(log->sync());
  }
  CHECK(log->segments().size() >= 10);
  for (const auto& part : log->segments())
    CHECK(part.size_bytes <= small_config().segment_bytes);
}

TEST_CASE("reserve: a segment begun early takes frames of a leader whose clock is behind") {
  sim_env env(1);
  auto log = open_log(env);
  must(log->reserve(100));
  auto frame = next_frame(*log, 1, "early");
  frame.timestamp_ms = 5;
  REQUIRE(log->append({&frame, 1}).ok());
  must(log->sync());
  CHECK(log->last_timestamp_ms() == 5);
  CHECK(log->segments().size() == 1);
  log.reset();
  env.crash();
  log = open_log(env);
  CHECK(log->next_index() == log_index(2));
  CHECK(log->reader()->read_entries(log_index(1), {})->size() == 1);
}
