// A log directory that was written well and then changed by the input: bytes overwritten, files
// cut, extended, deleted and exchanged. Opening it must end in a log that works or in an error;
// what it serves must be what was written.
//
// Input: one byte for "closed" or "killed", then changes of seven bytes each: file, kind, position
// (2), value (1), more (2).
#include "storage/log_reader.hpp"
#include "tests/fuzz/storage_seed.hpp"

#include <cstdint>

using namespace cairn;
using namespace cairn::testing;

namespace {

constexpr std::size_t k_change_bytes = 7;
constexpr std::size_t k_changes_max = 32;

void apply(sim_env& env, byte_span change) {
  const auto names = env.names("/log");
  if (names.empty()) return;
  const auto number = [&](std::size_t at) { return std::to_integer<std::uint64_t>(change[at]); };
  const auto path = "/log/" + names[number(0) % names.size()];
  const auto size = env.bytes(path).size();
  const auto position = (number(2) << 8U | number(3)) % (size + 1);
  switch (number(1) % 6) {
    case 0: {
      const std::byte value = change[4];
      env.overwrite(path, position, {&value, 1});
      return;
    }
    case 1:
      if (position < size) env.flip_bit(path, position, number(4) % 8);
      return;
    case 2:
      env.resize_file(path, position);
      return;
    case 3:
      env.resize_file(path, size + number(4));
      return;
    case 4:
      env.erase_file(path);
      return;
    default: {
      // Bytes of one place to another: whole frames in the wrong place.
      const auto bytes = env.bytes(path);
      const auto from = (number(5) << 8U | number(6)) % (size + 1);
      const auto count = std::min<std::size_t>(number(4) * 8, size - from);
      env.overwrite(path, position, byte_span(bytes).subspan(from, count));
    }
  }
}

void check_log(storage::segmented_log& log) {
  const auto reader = log.reader();
  auto index = log.first_index();
  while (index < log.next_index()) {
    const auto some = reader->read_entries(index, {.bytes_max = 1});
    if (!some) {
      CAIRN_CHECK(some.code() == errc::corruption, "{}", some.error().detail);
      index = index.next();
      continue;
    }
    CAIRN_CHECK(some->size() == 1, "{} entries", some->size());
    const auto& frame = some->front();
    CAIRN_CHECK(frame.header.index == index, "entry {}", frame.header.index.value());
    CAIRN_CHECK(frame.payload.text() == fuzz_payload(index.value()), "entry {} has other bytes",
                index.value());
    index = index.next();
  }
  [[maybe_unused]] const auto by_offset = reader->read(log.lowest_offset(), {});
  [[maybe_unused]] const auto by_time = reader->find_time(1'700'000'000'007);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto* const k_closed = fuzz_log(true).release();
  static const auto* const k_killed = fuzz_log(false).release();
  const byte_span bytes = std::as_bytes(std::span(data, size));
  if (bytes.empty()) return 0;
  const bool closed = (std::to_integer<unsigned>(bytes[0]) & 1U) != 0;
  const auto env = (closed ? k_closed : k_killed)->clone_crashed(1, crash_keep::all);
  auto rest = bytes.subspan(1);
  for (std::size_t i = 0; i < k_changes_max && rest.size() >= k_change_bytes; ++i) {
    apply(*env, rest.first(k_change_bytes));
    rest = rest.subspan(k_change_bytes);
  }

  storage::recovery_report report;
  auto log = storage::segmented_log::open(*env, "/log", fuzz_config(), report);
  if (!log) {
    CAIRN_CHECK(!log.error().detail.empty(), "a refusal without a reason");
    return 0;
  }
  check_log(**log);
  fuzz_append(**log, 3);
  check_log(**log);
  const auto next = (*log)->next_offset();
  CAIRN_CHECK((*log)->close().ok(), "close");
  log->reset();
  env->kill();
  storage::recovery_report second;
  log = storage::segmented_log::open(*env, "/log", fuzz_config(), second);
  CAIRN_CHECK(log.ok(), "opened once, but not twice: {}", log.error().detail);
  CAIRN_CHECK((*log)->next_offset() == next, "the end moved");
  check_log(**log);
  return 0;
}
