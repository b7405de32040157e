// A disk that is full, slow or hung; and readers that read all the while.
#include "storage/background_work.hpp"
#include "storage/base/units.hpp"
#include "tests/unit/storage/log_harness.hpp"

#include <atomic>
#include <condition_variable>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <mutex>
#include <thread>

using namespace cairn;
using namespace cairn::testing;

namespace {

/// Appends until the disk is full; everything acknowledged.
void fill(log_harness& h) {
  for (int i = 0; i < 10'000; ++i) {
    if (!h.append(1 + h.random().below(3), 900)) {
      REQUIRE(h.last_error().code == errc::disk_full);
      REQUIRE(h.acknowledge());
      return;
    }
    REQUIRE(h.acknowledge());
    h.work();
  }
  FAIL("the disk never got full");
}

}  // namespace

TEST_CASE("log: a refused allocation refuses the append, and the log goes on") {
  int refused = 0;
  for (const auto kind : {sim_op::allocate, sim_op::create}) {
    for (std::uint64_t nth = 1; nth < 60; ++nth) {
      sim_env env(nth);
      CAPTURE(nth);
      INFO(context_of_failure(env));
      env.fail(kind, nth, errc::disk_full);
      log_harness h(env, small_config(), 2);
      if (!h.open()) REQUIRE(h.open());
      for (int i = 0; i < 25; ++i) {
        if (!h.append(2, 1200)) {
          ++refused;
          REQUIRE(h.last_error().code == errc::disk_full);
        }
        REQUIRE(h.acknowledge());
        if (i % 5 == 4) h.work();
        if (i == 12) REQUIRE(h.trim_to(record_offset(h.published().value() / 2)));
        if (i == 17) {
          h.close();  // without room for a cut index it is not graceful, and loses nothing
          if (!h.open()) REQUIRE(h.open());
        }
      }
      h.check_everything();
      CHECK_FALSE(h.log().fenced());
      h.abandon();
      env.crash();
      REQUIRE(h.open());
    }
  }
  CHECK(refused > 10);
}

TEST_CASE("log: on a full disk reads and trims go on, and appends come back with the space") {
  for (std::uint64_t pages = 6; pages < 40; ++pages) {
    CAPTURE(pages);
    sim_env env(pages);
    INFO(context_of_failure(env));
    env.set_capacity_bytes(pages * k_sim_page_bytes);
    log_harness h(env, small_config(), pages);
    REQUIRE(h.open());
    fill(h);
    h.check_everything();
    CHECK_FALSE(h.log().fenced());
    // Still full after a power cut, and it opens all the same.
    h.abandon();
    env.crash();
    REQUIRE(h.open());
    h.check_everything();
    if (h.log().segments().size() < 2) continue;
    REQUIRE(h.trim_to(h.log().segments().back().base_offset));
    h.check_everything();
    env.set_capacity_bytes((pages + 20) * k_sim_page_bytes);
    REQUIRE(h.append(2, 900));
    REQUIRE(h.acknowledge());
    h.check_everything();
    REQUIRE(h.close());
    REQUIRE(h.open());
  }
}

TEST_CASE("log: what it cannot have is not tried, and the last bytes are left to others") {
  for (const bool by_reserve : {false, true}) {
    sim_env env(1);
    INFO(context_of_failure(env));
    env.set_capacity_bytes(200 * k_sim_page_bytes);
    auto config = small_config();
    config.segment_bytes = 64 * k_kib_bytes;
    config.index_bytes = 0;
    config.prefill_bytes = 16 * k_kib_bytes;
    log_harness h(env, config, 1);
    REQUIRE(h.open());
    storage::frame_input frame;
    const auto append = [&](std::size_t bytes) {
      frame.term = std::max(h.log().last_term(), term_id(1));
      frame.index = h.log().next_index();
      frame.timestamp_ms = std::max(h.log().last_timestamp_ms(), env.now_ms());
      frame.record_count = 1;
      frame.payload = {shared_bytes::copy_of(as_byte_span(std::string(bytes, 'x')))};
      return h.log().append({&frame, 1}).code();
    };
    errc refused = errc::none;
    while (refused == errc::none) {
      refused = by_reserve ? h.log().reserve(8000).code() : append(900);
      if (by_reserve && refused == errc::none) refused = append(5000);
    }
    CHECK(refused == errc::disk_full);
    // A quarter of a segment, but for what is rounded up to pages.
    CHECK(*env.free_bytes("/log") >= config.segment_bytes / 4 - 2 * k_sim_page_bytes);
    const auto before = env.operations();
    CHECK(append(60'000) == errc::disk_full);
    CHECK(h.log().reserve(60'000).code() == errc::disk_full);
    CHECK(env.operations() == before);
    REQUIRE(h.log().sync().ok());
  }
}

TEST_CASE("reserve: as many frames as it says find their room on a full disk, however small") {
  sim_env env(1);
  log_harness h(env, small_config(), 1);  // an index of 16 entries
  REQUIRE(h.open());
  for (int round = 0; round < 20; ++round) {
    CAPTURE(round);
    REQUIRE(h.log().reserve(2000).ok());
    env.set_capacity_bytes(env.used_bytes());
    const auto frames = h.log().room_frames();
    CHECK(frames > 0);
    std::vector<storage::frame_input> all(frames);
    for (std::uint64_t i = 0; i < frames; ++i) {
      all[i].term = std::max(h.log().last_term(), term_id(1));
      all[i].index = h.log().next_index().plus(i);
      all[i].timestamp_ms = std::max(h.log().last_timestamp_ms(), env.now_ms());
      all[i].record_count = 1;
      all[i].payload = {shared_bytes::copy_of(as_byte_span("a"))};
    }
    CHECK(frames * storage::frame_stride_bytes(1) <= h.log().room_bytes());
    CHECK(h.log().append(all).ok());
    REQUIRE(h.log().sync().ok());
    env.set_capacity_bytes(std::nullopt);
  }
}

TEST_CASE("log: trimming a full disk makes room for appends") {
  sim_env env(1);
  env.set_capacity_bytes(60 * k_sim_page_bytes);
  auto config = small_config();
  config.spare_segments_max = 0;
  log_harness h(env, config, 1);
  REQUIRE(h.open());
  for (int round = 0; round < 20; ++round) {
    CAPTURE(round);
    fill(h);
    REQUIRE(h.log().segments().size() > 5);
    REQUIRE(h.trim_to(h.log().segments()[4].base_offset));
    REQUIRE(h.append(2, 900));
    REQUIRE(h.acknowledge());
  }
}

TEST_CASE("log: readers go on while a sync hangs") {
  sim_env env(1);
  log_harness h(env, small_config(), 1);
  REQUIRE(h.open());
  REQUIRE(h.append(5, 500));
  REQUIRE(h.acknowledge());
  const auto published = h.published();
  REQUIRE(h.append(1, 100));

  std::mutex mutex;
  std::condition_variable changed;
  bool hanging = false;
  bool released = false;
  env.set_sync_hook([&](const std::string&) {
    std::unique_lock lock(mutex);
    hanging = true;
    changed.notify_all();
    changed.wait(lock, [&] { return released; });
  });
  bool synced = false;
  std::thread writer([&] { synced = h.log().sync().ok(); });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return hanging; });
  }
  const auto reader = h.log().reader();
  CHECK(reader->end_offset() == published);
  const auto got = reader->read(record_offset(), {});
  CHECK(got.ok());
  CHECK(reader->find_time(0).ok());
  {
    const std::lock_guard lock(mutex);
    released = true;
  }
  changed.notify_all();
  writer.join();
  CHECK(synced);
  env.set_sync_hook({});
}

TEST_CASE(
    "log: readers see a dense log while it is written, rolled, sealed, trimmed and recycled") {
  sim_env env(1);
  auto config = small_config();
  config.spare_segments_max = 2;
  log_harness h(env, config, 1);
  REQUIRE(h.open());
  REQUIRE(h.append(3, 300));
  REQUIRE(h.acknowledge());

  std::atomic<bool> stop{false};
  std::atomic<int> failures{0};
  std::atomic<std::uint64_t> frames_read{0};
  const auto reader = h.log().reader();
  const auto read_along = [&](std::uint64_t seed) {
    sim_random random(seed);
    while (!stop) {
      const auto low = reader->lowest_offset();
      auto from = low.plus(random.below(reader->end_offset().value() - low.value() + 1));
      const auto got = reader->read(from, {.bytes_max = random.below(8000)});
      if (got.code() == errc::offset_trimmed) continue;  // trimmed in between
      if (!got) {
        ++failures;
        continue;
      }
      for (const auto& frame : *got) {
        if (frame.header.base_offset > from || frame.header.next_offset() <= from) ++failures;
        from = frame.header.next_offset();
        ++frames_read;
      }
      const auto at =
          reader->find_time(1'700'000'000'000 + static_cast<unix_ms>(random.below(200)));
      if (!at && at.code() != errc::offset_trimmed) ++failures;
    }
  };
  std::vector<std::thread> readers;
  for (std::uint64_t seed = 1; seed <= 2; ++seed)
    readers.emplace_back(read_along, seed);
  const auto background = h.log().background();
  std::thread worker([&] {
    while (!stop) {
      if (!background->run_one()) std::this_thread::yield();
    }
  });
  for (int i = 0; i < 300; ++i) {
    REQUIRE(h.append(1 + h.random().below(3), 900));
    if (i % 7 == 3) {
      REQUIRE(h.sync());
      REQUIRE(h.append(2, 700));
      REQUIRE(h.truncate_some(2));
    }
    REQUIRE(h.acknowledge());
    if (i % 10 == 9) {
      const auto parts = h.log().segments();
      if (parts.size() > 3) REQUIRE(h.trim_to(parts[parts.size() - 2].base_offset));
    }
  }
  // On a busy machine the readers may not have had their turn yet.
  while (frames_read < 100 && failures == 0)
    std::this_thread::yield();
  stop = true;
  for (auto& thread : readers)
    thread.join();
  worker.join();
  CHECK(failures == 0);
  h.check_everything();
  REQUIRE(h.close());
  REQUIRE(h.open());
}
