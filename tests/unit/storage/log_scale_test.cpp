// Many segments with few descriptors, positions near 4 GiB, and files of earlier versions.
#include "storage/base/units.hpp"
#include "storage/log_reader.hpp"
#include "storage/posix_env.hpp"
#include "storage/segmented_log.hpp"
#include "tests/support/sim_env.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>

using namespace cairn;
using namespace cairn::testing;
using storage::frame_input;
using storage::segmented_log;

namespace {

// Twelve gigabytes go through the checksum: too slow for an instrumented program, and nothing in it
// is of a kind that only sanitizers see.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool k_sanitized = true;
#else
constexpr bool k_sanitized = false;
#endif

std::unique_ptr<segmented_log> must_open(storage::env& env, const std::string& directory,
                                         const storage::log_config& config,
                                         storage::recovery_report& report) {
  auto opened = segmented_log::open(env, directory, config, report);
  REQUIRE_MESSAGE(opened.ok(), (opened.ok() ? "" : opened.error().detail));
  return std::move(*opened);
}

frame_input next_frame(const segmented_log& log, shared_bytes payload) {
  frame_input frame;
  frame.term = std::max(log.last_term(), term_id(1));
  frame.index = log.next_index();
  frame.timestamp_ms = 1'700'000'000'000 + static_cast<unix_ms>(frame.index.value());
  frame.record_count = 1;
  frame.payload = {std::move(payload)};
  return frame;
}

void must_append(segmented_log& log, const std::string& payload) {
  const auto frame = next_frame(log, shared_bytes::copy_of(as_byte_span(payload)));
  REQUIRE(log.append({&frame, 1}).ok());
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    ++count;
  return count;
}

std::string payload_at(const storage::log_reader& reader, std::uint64_t offset) {
  const auto got = reader.read(record_offset(offset), {.bytes_max = 1});
  REQUIRE_MESSAGE(got.ok(), (got.ok() ? "" : got.error().detail));
  REQUIRE(got->size() == 1);
  return std::string(got->front().payload.text());
}

}  // namespace

TEST_CASE("scale: ten thousand segments need few descriptors, and every one is read") {
  constexpr std::uint64_t k_segments = 10'000;
  const temporary_directory dir;
  auto env = storage::make_posix_env();
  storage::log_config config;
  config.segment_bytes = 4 * k_kib_bytes;
  config.index_bytes = 16;  // one frame fills an index
  config.prefill_bytes = 4 * k_kib_bytes;
  config.open_segments_max = 16;
  config.spare_segments_max = 0;
  // Files are made by hand: ten thousand rolls would wait for as many syncs.
  {
    sim_env memory(1);
    storage::recovery_report report;
    auto log = must_open(memory, "/log", config, report);
    for (std::uint64_t i = 0; i < k_segments; ++i)
      must_append(*log, fmt::format("record {}", i));
    REQUIRE(log->segments().size() == k_segments);
    REQUIRE(log->close().ok());
    for (const auto& name : memory.names("/log")) {
      const auto bytes = memory.bytes("/log/" + name);
      std::ofstream out(dir.file(name), std::ios::binary);
      out.write(reinterpret_cast<const char*>(bytes.data()),
                static_cast<std::streamsize>(bytes.size()));
    }
  }
  const auto before = open_descriptors();
  storage::recovery_report report;
  auto log = must_open(*env, dir.path(), config, report);
  CHECK(report.clean);
  CHECK(log->segments().size() == k_segments);
  CHECK(log->next_offset() == record_offset(k_segments));
  CHECK(open_descriptors() <= before + 8);
  const auto reader = log->reader();
  for (std::uint64_t i = 0; i < k_segments; i += 7)
    REQUIRE(payload_at(*reader, i) == fmt::format("record {}", i));
  CHECK(open_descriptors() <= before + 2 * config.open_segments_max + 8);
  const auto at = reader->find_time(1'700'000'000'000 + 5000);
  REQUIRE(at.ok());
  CHECK(at->value() == 4999);
  // One read over many of them.
  const auto many = reader->read(record_offset(100), {.bytes_max = 1 * k_mib_bytes});
  REQUIRE(many.ok());
  CHECK(many->size() > 1000);
  REQUIRE(log->trim_prefix(record_offset(k_segments - 10)).ok());
  CHECK(log->segments().size() == 10);
}

TEST_CASE("scale: frames are written and found up to the last position of a 4 GiB segment" *
          doctest::skip(k_sanitized)) {
  // Zeros take no memory in the simulated env, so the test takes no 4 GiB.
  sim_env env(1);
  storage::log_config config;
  config.segment_bytes = 4 * k_gib_bytes - 1;
  config.index_bytes = 64 * k_kib_bytes;
  config.prefill_bytes = 64 * k_kib_bytes;
  config.spare_segments_max = 0;
  storage::recovery_report report;
  auto log = must_open(env, "/log", config, report);
  const auto zeros = std::make_shared<std::vector<std::byte>>(storage::k_frame_payload_bytes_max);
  const shared_bytes big(zeros, *zeros);
  std::uint64_t count = 0;
  while (log->segments().size() <= 1) {
    const auto frame = next_frame(*log, big);
    REQUIRE(log->append({&frame, 1}).ok());
    ++count;
    must_append(*log, fmt::format("marker {}", count));
    REQUIRE(log->sync().ok());
    REQUIRE(count < 70);
  }
  const auto parts = log->segments();
  REQUIRE(parts.size() == 2);
  CHECK(parts[0].size_bytes > 4 * k_gib_bytes - 130 * k_mib_bytes);
  CHECK(parts[0].size_bytes < 4 * k_gib_bytes);
  log->publish(log->next_offset());
  const auto last_of_first = parts[0].next_offset.value() - 1;
  const auto reader = log->reader();
  for (const auto offset : {last_of_first, last_of_first - 1, last_of_first + 1}) {
    const auto got = reader->read(record_offset(offset), {.bytes_max = 1});
    REQUIRE(got.ok());
    REQUIRE(got->size() == 1);
    CHECK(got->front().header.base_offset.value() == offset);
    if (offset % 2 == 1) {
      CHECK(got->front().payload.text() == fmt::format("marker {}", offset / 2 + 1));
    }
  }
  log.reset();
  env.kill();
  storage::recovery_report second;
  log = must_open(env, "/log", config, second);
  CHECK(log->segments().size() == 2);
  CHECK(log->next_offset() == parts[1].next_offset);
}

TEST_CASE("scale: a file of each version of the format still opens, clean or killed") {
  for (const std::string name : {"v1_closed", "v1_killed"}) {
    CAPTURE(name);
    const auto golden = std::filesystem::path(CAIRN_TEST_DATA_DIR) / "golden" / name;
    // A copy: opening may repair.
    sim_env env(1);
    REQUIRE(std::filesystem::is_directory(golden));
    for (const auto& entry : std::filesystem::directory_iterator(golden)) {
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(in), {}};
      env.put_file("/log/" + entry.path().filename().string(), as_byte_span(bytes));
    }
    storage::log_config config;
    config.segment_bytes = 4 * k_kib_bytes;
    config.index_bytes = 256;
    config.prefill_bytes = 4 * k_kib_bytes;
    config.spare_segments_max = 0;
    config.log_id = 0x601d;
    storage::recovery_report report;
    auto log = must_open(env, "/log", config, report);
    CHECK(report.clean == (name == "v1_closed"));
    CHECK(report.torn_bytes == 0);
    CHECK(log->lowest_offset() == record_offset(1));
    CHECK(log->next_offset() == record_offset(12));
    CHECK(log->next_index() == log_index(13));
    const auto reader = log->reader();
    for (std::uint64_t offset = 1; offset < 12; ++offset)
      CHECK(payload_at(*reader, offset) == fmt::format("golden record {}", offset));
    must_append(*log, "golden record 12");
    REQUIRE(log->sync().ok());
    log->publish(log->next_offset());
    CHECK(payload_at(*reader, 12) == "golden record 12");
  }
}
