#pragma once
// A log on a simulated disk, and entries for it one by one, as Raft writes them.

#include "storage/segmented_log.hpp"
#include "tests/support/sim_env.hpp"
#include "tests/unit/storage/log_harness.hpp"

#include <doctest/doctest.h>
#include <memory>
#include <string_view>

namespace cairn::testing {

using storage::frame_input;
using storage::frame_kind;
using storage::segmented_log;

inline std::unique_ptr<segmented_log> open_log(storage::env& env, bool publish = false,
                                               storage::log_config config = small_config()) {
  config.publish_on_open = publish;
  storage::recovery_report report;
  auto log = segmented_log::open(env, "/log", config, report);
  REQUIRE_MESSAGE(log.ok(), log.error().detail);
  return std::move(*log);
}

inline shared_bytes bytes_of(std::string_view text) {
  return shared_bytes::copy_of(as_byte_span(text));
}

inline frame_input next_frame(const segmented_log& log, std::uint64_t term,
                              std::string_view payload, frame_kind kind = frame_kind::data) {
  frame_input frame;
  frame.kind = kind;
  frame.term = term_id(term);
  frame.index = log.next_index();
  frame.timestamp_ms = log.last_timestamp_ms();
  frame.record_count = kind == frame_kind::data ? 1 : 0;
  frame.payload = {bytes_of(payload)};
  frame.base_offset = log.next_offset();
  return frame;
}

inline status append(segmented_log& log, std::uint64_t term, std::string_view payload,
                     frame_kind kind = frame_kind::data) {
  const auto frame = next_frame(log, term, payload, kind);
  auto appended = log.append({&frame, 1});
  if (!appended) return appended.error();
  return {};
}

inline void must(const status& s) {
  REQUIRE_MESSAGE(s.ok(), s.error().detail);
}

}  // namespace cairn::testing
