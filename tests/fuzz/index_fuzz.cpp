// The bytes of an index file, of a sealed segment and of the last one. Whatever they are, the log
// opens and reads the same: an index is only a cache.
#include "storage/index_entry.hpp"
#include "storage/log_reader.hpp"
#include "tests/fuzz/storage_seed.hpp"

#include <cstdint>

using namespace cairn;
using namespace cairn::testing;

namespace {

constexpr std::size_t k_index_bytes_max = 1024;

void search(byte_span bytes) {
  // The searches must stay in bounds for entries of any order.
  std::vector<storage::index_entry> entries(bytes.size() / sizeof(storage::index_entry));
  if (!entries.empty()) {
    std::memcpy(entries.data(), bytes.data(), entries.size() * sizeof(storage::index_entry));
  }
  [[maybe_unused]] const bool plausible = storage::plausible_index(entries);
  for (const std::uint64_t key : {0ULL, 1ULL, 64ULL, 1000ULL, 0xffffffffULL, 0x100000000ULL}) {
    CAIRN_CHECK(storage::count_below_offset(entries, key) <= entries.size(), "beyond the end");
    CAIRN_CHECK(storage::count_to_position(entries, key) <= entries.size(), "beyond the end");
    CAIRN_CHECK(storage::find_by_time(entries, key) <= entries.size(), "beyond the end");
    if (!entries.empty()) {
      CAIRN_CHECK(storage::find_by_offset(entries, key) < entries.size(), "beyond the end");
    }
  }
}

void check_same(const sim_env& seed, const std::string& name, byte_span index) {
  const auto env = seed.clone_crashed(1, crash_keep::all);
  env->put_file("/log/" + name, index);
  storage::recovery_report report;
  const auto log = storage::segmented_log::open(*env, "/log", fuzz_config(), report);
  CAIRN_CHECK(log.ok(), "{}", log.error().detail);
  const auto reader = (*log)->reader();
  std::uint64_t expected = 1;
  auto offset = record_offset();
  while (offset < (*log)->next_offset()) {
    const auto some = reader->read(offset, {.bytes_max = 400});
    CAIRN_CHECK(some.ok() && !some->empty(), "read at {}", offset.value());
    for (const auto& frame : *some) {
      CAIRN_CHECK(frame.header.base_offset == offset, "offset {}", offset.value());
      CAIRN_CHECK(frame.payload.text() == fuzz_payload(expected), "entry {}", expected);
      offset = frame.header.next_offset();
      ++expected;
    }
  }
  CAIRN_CHECK(expected == 16, "{} entries", expected);
  const auto time = reader->find_time(1'700'000'000'003);
  CAIRN_CHECK(time.ok() && time->value() == 3, "find by time");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto* const k_closed = fuzz_log(true).release();
  static const auto* const k_killed = fuzz_log(false).release();
  static const auto k_names = [] {
    std::vector<std::string> names;
    for (const auto& name : k_closed->names("/log")) {
      if (name.ends_with(".index")) names.push_back(name);
    }
    CAIRN_CHECK(names.size() == 3, "{} indexes", names.size());
    return names;
  }();
  if (size == 0 || size > k_index_bytes_max) return 0;
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
  search(bytes);
  check_same((data[0] & 1U) != 0 ? *k_closed : *k_killed, k_names[data[0] / 2U % 3], bytes);
  return 0;
}
