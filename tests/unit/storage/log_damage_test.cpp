// Rot, lost files, swapped files: what is only a cache is repaired, anything else is named, and
// nothing that was acknowledged is ever silently missing.
#include "storage/base/units.hpp"
#include "storage/verify.hpp"
#include "tests/unit/storage/log_harness.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <functional>

using namespace cairn;
using namespace cairn::testing;

namespace {

/// A log with sealed segments and an active one, all acknowledged.
struct written_log {
  explicit written_log(bool closed) : h(env, small_config(), 11) {
    REQUIRE(h.open());
    for (int i = 0; i < 3; ++i) {
      REQUIRE(h.append(5, 300));
      REQUIRE(h.append_one("twenty-one bytes long", 2));
      REQUIRE(h.acknowledge());
      REQUIRE(h.roll());
    }
    REQUIRE(h.append(3, 200));
    REQUIRE(h.acknowledge());
    h.work();
    for (const auto& part : h.log().segments())
      bases.push_back(part.base_offset.value());
    active_end = h.log().segments().back().size_bytes;
    if (closed) {
      REQUIRE(h.close());
    } else {
      h.abandon();
      env.kill();
    }
    REQUIRE(bases.size() == 4);
  }

  sim_env env{11};
  log_harness h;
  std::vector<std::uint64_t> bases;
  std::uint64_t active_end = 0;
};

enum class outcome { identical, refused_open, refused_read };

/// Opens a damaged copy. Either everything is there, or somebody says which file is broken.
outcome try_damaged(const written_log& log, sim_env& disk, const std::string& file) {
  const auto names_file = [&](const error& refused) {
    REQUIRE_MESSAGE(refused.code == errc::corruption, refused.detail);
    REQUIRE_MESSAGE(refused.detail.find(file) != std::string::npos, refused.detail);
    REQUIRE_MESSAGE(refused.detail.find("position") != std::string::npos, refused.detail);
  };
  storage::recovery_report report;
  auto opened =
      storage::segmented_log::open(disk, log_harness::k_directory, small_config(), report);
  if (!opened) {
    names_file(opened.error());
    return outcome::refused_open;
  }
  const auto& entries = log.h.entries();
  REQUIRE((*opened)->next_offset() == log.h.next_offset());
  REQUIRE((*opened)->next_index().value() == entries.size() + 1);
  const auto reader = (*opened)->reader();
  auto result = outcome::identical;
  // One frame at a time: a broken one must not hide the others.
  for (const auto& entry : entries) {
    const auto got = reader->read_entries(entry.index, {.bytes_max = 1});
    if (!got) {
      names_file(got.error());
      result = outcome::refused_read;
      continue;
    }
    REQUIRE(got->size() == 1);
    REQUIRE(got->front().header.index == entry.index);
    REQUIRE(got->front().header.base_offset == entry.base_offset);
    REQUIRE(got->front().payload.text() == entry.payload);
    if (entry.record_count == 0) continue;
    // By time: the first record that is not older, wherever it stands.
    const auto same_time = std::find_if(entries.begin(), entries.end(), [&](const auto& other) {
      return other.record_count > 0 && other.timestamp_ms >= entry.timestamp_ms;
    });
    const auto by_time = reader->find_time(entry.timestamp_ms);
    if (by_time.ok()) {
      REQUIRE(*by_time == same_time->base_offset);
    } else {
      names_file(by_time.error());
      result = outcome::refused_read;
    }
    const auto by_offset = reader->read(entry.base_offset, {.bytes_max = 1});
    REQUIRE(by_offset.ok());
    REQUIRE(by_offset->front().payload.text() == entry.payload);
  }
  return result;
}

/// As try_damaged(), and the offline check must have come to the same conclusion.
outcome verify_and_try(const written_log& log, sim_env& disk, const std::string& file) {
  const auto report = storage::verify_log(disk, log_harness::k_directory, {});
  REQUIRE(report.ok());
  const auto result = try_damaged(log, disk, file);
  CHECK(report->damaged() == (result != outcome::identical));
  if (!report->damaged()) return result;
  const auto named =
      std::any_of(report->findings.begin(), report->findings.end(), [&](const auto& finding) {
        return finding.level == storage::verify_finding::severity::damage &&
               file.ends_with(finding.file);
      });
  CHECK(named);
  return result;
}

/// Flips one bit in each byte of [first, last) in turn and tells how often each outcome was.
std::map<outcome, int> flip_each(const written_log& log, const std::string& path,
                                 std::uint64_t first, std::uint64_t last) {
  std::map<outcome, int> seen;
  for (auto position = first; position < last; ++position) {
    CAPTURE(path);
    CAPTURE(position);
    const auto disk = log.env.clone_durable(position + 1);
    disk->flip_bit(path, position, static_cast<unsigned>(position % 8));
    ++seen[verify_and_try(log, *disk, path)];
  }
  return seen;
}

void check_identical(const written_log& log, const std::function<void(sim_env&)>& damage) {
  const auto disk = log.env.clone_durable();
  damage(*disk);
  const auto again = log.h.fork(*disk);
  REQUIRE(again->open());
  again->check_everything();
  for (int i = 0; i < 50; ++i)
    again->check_random_read();
  // And it is a log that can be written, closed and opened.
  REQUIRE(again->append(5, 400));
  REQUIRE(again->acknowledge());
  again->check_everything();
  REQUIRE(again->close());
  REQUIRE(again->open());
  again->check_everything();
}

}  // namespace

TEST_CASE("damage: a flipped bit in a file header is named, in a sealed and in the last segment") {
  for (const bool closed : {true, false}) {
    const written_log log(closed);
    for (const auto base : {log.bases.front(), log.bases.back()}) {
      const auto seen = flip_each(log, store_path(base), 0, 64);
      CHECK(seen.at(outcome::refused_open) == 64);
    }
  }
}

TEST_CASE("damage: a flipped bit in a frame is named, it never shortens the log") {
  for (const bool closed : {true, false}) {
    const written_log log(closed);
    for (const auto base : log.bases) {
      const auto path = store_path(base);
      const auto end = base == log.bases.back() ? log.active_end : log.env.bytes(path).size();
      const auto seen = flip_each(log, path, 64, end);
      CAPTURE(base);
      CAPTURE(closed);
      // Only the padding between frames is nobody's.
      const auto harmless = seen.contains(outcome::identical) ? seen.at(outcome::identical) : 0;
      CHECK(harmless <= 8 * 7);
      // After a kill all of the last segment is read again, so it does not open.
      if (!closed && base == log.bases.back()) CHECK_FALSE(seen.contains(outcome::refused_read));
    }
  }
}

TEST_CASE("damage: a flipped bit behind the last frame changes nothing") {
  const written_log log(false);
  const auto path = store_path(log.bases.back());
  const auto end = log.env.bytes(path).size();
  REQUIRE(end > log.active_end);
  const auto seen = flip_each(log, path, log.active_end, std::min(end, log.active_end + 200));
  CHECK(seen.size() == 1);
  CHECK(seen.contains(outcome::identical));
}

TEST_CASE("damage: a flipped bit in an index changes nothing that is read") {
  for (const bool closed : {true, false}) {
    const written_log log(closed);
    for (const auto base : log.bases) {
      const auto path = index_path(base);
      const auto size = log.env.bytes(path).size();
      const auto seen = flip_each(log, path, 0, size);
      CAPTURE(base);
      CAPTURE(closed);
      CHECK(seen.size() == 1);
      CHECK(seen.contains(outcome::identical));
    }
  }
}

TEST_CASE(
    "damage: an index of an earlier write, plausible and wrong, changes nothing that is read") {
  // A power cut can leave entries of frames that were cut and written again: at the same place,
  // with another time or size.
  for (const bool closed : {true, false}) {
    const written_log log(closed);
    for (const auto base : log.bases) {
      const auto path = index_path(base);
      const auto bytes = log.env.bytes(path);
      for (std::size_t entry = 0; entry + 16 <= bytes.size(); entry += 16) {
        for (const std::size_t field : {0U, 8U, 12U}) {  // offset, position, time
          for (const std::size_t other : {entry - 16, entry + 16}) {
            if (other >= bytes.size()) continue;  // before the first (wraps) or behind the last
            CAPTURE(path);
            CAPTURE(entry);
            CAPTURE(field);
            const auto disk = log.env.clone_durable();
            disk->overwrite(path, entry + field, byte_span(bytes).subspan(other + field, 4));
            CHECK(try_damaged(log, *disk, path) == outcome::identical);
          }
        }
      }
    }
  }
}

TEST_CASE("damage: a flipped bit in the durable mark changes nothing that is read") {
  for (const bool closed : {true, false}) {
    const written_log log(closed);
    const std::string path = "/log/durable.mark";
    const auto seen = flip_each(log, path, 0, log.env.bytes(path).size());
    CHECK(seen.size() == 1);
    CHECK(seen.contains(outcome::identical));
  }
}

TEST_CASE("damage: indexes deleted, emptied, cut, zeroed, extended or swapped are rebuilt") {
  for (const bool closed : {true, false}) {
    const written_log log(closed);
    CAPTURE(closed);
    for (const auto base : log.bases) {
      const auto path = index_path(base);
      CAPTURE(path);
      const auto size = log.env.bytes(path).size();
      check_identical(log, [&](sim_env& disk) { disk.erase_file(path); });
      for (const std::uint64_t left : {std::uint64_t{0}, std::uint64_t{1}, size / 2, size - 1,
                                       size - std::min<std::uint64_t>(size, 16)}) {
        CAPTURE(left);
        check_identical(log, [&](sim_env& disk) { disk.resize_file(path, left); });
      }
      check_identical(
          log, [&](sim_env& disk) { disk.overwrite(path, 0, std::vector<std::byte>(size)); });
      for (const std::uint64_t more : {1U, 16U, 4096U}) {
        CAPTURE(more);
        check_identical(log, [&](sim_env& disk) { disk.resize_file(path, size + more); });
        check_identical(log, [&](sim_env& disk) {
          disk.overwrite(path, size, std::vector<std::byte>(more, std::byte{0x5a}));
        });
      }
      // Two entries exchanged, and the middle one repeated.
      auto bytes = log.env.bytes(path);
      if (bytes.size() >= 48) {
        auto swapped = bytes;
        std::swap_ranges(swapped.begin(), swapped.begin() + 16, swapped.begin() + 16);
        check_identical(log, [&](sim_env& disk) { disk.overwrite(path, 0, swapped); });
        auto repeated = bytes;
        std::copy_n(bytes.begin() + 16, 16, repeated.begin() + 32);
        check_identical(log, [&](sim_env& disk) { disk.overwrite(path, 0, repeated); });
      }
    }
    for (const auto a : log.bases) {
      for (const auto b : log.bases) {
        if (a >= b) continue;
        check_identical(log, [&](sim_env& disk) { disk.swap_files(index_path(a), index_path(b)); });
      }
    }
    check_identical(log, [&](sim_env& disk) {
      for (const auto base : log.bases)
        disk.erase_file(index_path(base));
    });
  }
}

TEST_CASE("damage: a flipped bit in a sealed index never makes a truncation cut what is kept") {
  for (std::uint64_t position = 0;; ++position) {
    CAPTURE(position);
    sim_env env(position + 1);
    log_harness h(env, small_config(), 5);
    REQUIRE(h.open());
    // Synced but not published, as on a follower.
    for (int i = 0; i < 3; ++i) {
      REQUIRE(h.append(6, 200));
      REQUIRE(h.roll());
    }
    REQUIRE(h.append(2, 100));
    REQUIRE(h.sync());
    h.work();
    const auto parts = h.log().segments();
    REQUIRE(parts.size() == 4);
    const auto path = index_path(parts[1].base_offset.value());
    if (position >= env.bytes(path).size()) break;
    env.flip_bit(path, position, static_cast<unsigned>(position % 8));
    const auto third = parts[2].base_index.value() - 1;
    REQUIRE(h.truncate_some(h.entries().size() - third + 2));
    h.check_everything();
    REQUIRE(h.append(3, 300));
    REQUIRE(h.acknowledge());
    h.abandon();
    env.crash();
    REQUIRE(h.open());
  }
}

TEST_CASE("damage: a missing segment is named, first, middle or last") {
  for (const bool closed : {true, false}) {
    const written_log log(closed);
    CAPTURE(closed);
    for (const auto base : log.bases) {
      CAPTURE(base);
      const auto disk = log.env.clone_durable();
      disk->erase_file(store_path(base));
      storage::recovery_report report;
      const auto opened =
          storage::segmented_log::open(*disk, log_harness::k_directory, small_config(), report);
      REQUIRE(opened.code() == errc::corruption);
      CHECK(opened.error().detail.find("/log") != std::string::npos);
    }
  }
}

TEST_CASE("damage: all segments missing is not an empty log") {
  const written_log log(true);
  const auto disk = log.env.clone_durable();
  for (const auto base : log.bases) {
    disk->erase_file(store_path(base));
    disk->erase_file(index_path(base));
  }
  storage::recovery_report report;
  const auto opened =
      storage::segmented_log::open(*disk, log_harness::k_directory, small_config(), report);
  CHECK(opened.code() == errc::corruption);
}

TEST_CASE("damage: store files that were swapped or belong to another log are refused") {
  const written_log log(true);
  {
    const auto disk = log.env.clone_durable();
    disk->swap_files(store_path(log.bases[0]), store_path(log.bases[1]));
    CHECK(try_damaged(log, *disk, store_path(log.bases[0])) == outcome::refused_open);
  }
  auto config = small_config();
  config.log_id = 0x9999;
  storage::recovery_report report;
  const auto disk = log.env.clone_durable();
  const auto opened = storage::segmented_log::open(*disk, log_harness::k_directory, config, report);
  REQUIRE(opened.code() == errc::corruption);
  CHECK(opened.error().detail.find("9999") != std::string::npos);
}

TEST_CASE("damage: a bad sector under a frame is an error that names it, other frames are read") {
  const written_log log(true);
  const auto disk = log.env.clone_durable();
  const auto again = log.h.fork(*disk);
  REQUIRE(again->open());
  disk->set_bad_range(store_path(log.bases[0]), 64, 8);
  const auto reader = again->log().reader();
  const auto refused = reader->read_entries(log_index(1), {.bytes_max = 1});
  REQUIRE(refused.code() == errc::io_error);
  CHECK(refused.error().detail.find(store_path(log.bases[0])) != std::string::npos);
  CHECK(reader->read_entries(log_index(log.h.entries().size()), {}).ok());
  CHECK_FALSE(again->log().fenced());
}

TEST_CASE("damage: intact frames of an earlier use behind the tail of a recycled file never pass") {
  // Segments are trimmed and used again many times; whatever stands behind their ends was valid
  // once.
  bool recycled = false;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    sim_env env(seed);
    CAPTURE(seed);
    auto config = small_config();
    config.spare_segments_max = 3;
    log_harness h(env, config, seed);
    REQUIRE(h.open());
    for (int round = 0; round < 12; ++round) {
      REQUIRE(h.append(10, 600));
      REQUIRE(h.acknowledge());
      h.work();  // while sealing waits, a file is in use and not recycled
      REQUIRE(h.trim_to(h.published()));
      REQUIRE(h.roll());
      REQUIRE(h.append(1, 30));
      REQUIRE(h.acknowledge());
      // Far behind the end of the last frame there is more than zeros?
      const auto part = h.log().segments().back();
      const auto bytes = env.bytes(store_path(part.base_offset.value()));
      recycled =
          recycled || std::any_of(bytes.begin() + static_cast<std::ptrdiff_t>(part.size_bytes),
                                  bytes.end(), [](auto b) { return b != std::byte{}; });
      h.abandon();
      round % 2 == 0 ? env.kill() : env.crash();
      REQUIRE(h.open());
      CHECK(h.report().torn_bytes == 0);
    }
  }
  CHECK(recycled);
}
