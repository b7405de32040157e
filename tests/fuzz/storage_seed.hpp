#pragma once
// What the fuzzers of storage have in common: a small log that was really written, to be damaged.

#include "storage/base/check.hpp"
#include "storage/segmented_log.hpp"
#include "tests/support/sim_env.hpp"

#include <memory>
#include <string>
#include <vector>

namespace cairn::testing {

inline storage::log_config fuzz_config() {
  storage::log_config config;
  config.segment_bytes = 4 * k_kib_bytes;
  config.index_bytes = 16 * 16;
  config.prefill_bytes = 4 * k_kib_bytes;
  config.spare_segments_max = 0;
  return config;
}

/// The payload of entry `index`: its length differs from that of its neighbours.
inline std::string fuzz_payload(std::uint64_t index) {
  return "payload of entry " + std::to_string(index) + std::string(index * 37 % 200, '.');
}

/// Appends `count` entries of one or two records each, synced.
inline void fuzz_append(storage::segmented_log& log, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    storage::frame_input frame;
    frame.term = term_id(1 + log.next_index().value() / 7);
    frame.index = log.next_index();
    frame.timestamp_ms = 1'700'000'000'000 + static_cast<unix_ms>(frame.index.value());
    frame.record_count = 1 + static_cast<std::uint32_t>(frame.index.value() % 2);
    frame.payload = {shared_bytes::copy_of(as_byte_span(fuzz_payload(frame.index.value())))};
    CAIRN_CHECK(log.append({&frame, 1}).ok() && log.sync().ok(), "append to a sound log");
  }
}

/// A log of three segments under /log, closed or killed.
inline std::unique_ptr<sim_env> fuzz_log(bool closed) {
  auto env = std::make_unique<sim_env>(1);
  storage::recovery_report report;
  auto log = storage::segmented_log::open(*env, "/log", fuzz_config(), report);
  CAIRN_CHECK(log.ok(), "open an empty log");
  for (int i = 0; i < 3; ++i) {
    CAIRN_CHECK((*log)->roll().ok(), "roll");
    fuzz_append(**log, 5);
  }
  if (closed) {
    CAIRN_CHECK((*log)->close().ok(), "close");
  }
  log->reset();
  env->kill();
  return env;
}

}  // namespace cairn::testing
