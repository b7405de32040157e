#pragma once
// One node's log as a power cut at this moment would surely leave it: read from the durable image
// of its simulated disk, not from what the node says.

#include "storage/base/ids.hpp"
#include "storage/frame.hpp"
#include "tests/support/sim_env.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace cairn::sim {

/// What an entry is, payload included.
struct entry_facts {
  log_index index;
  term_id term;
  record_offset base_offset;
  std::uint32_t record_count = 0;
  storage::frame_kind kind = storage::frame_kind::data;
  std::uint64_t payload_checksum = 0;
  unix_ms timestamp_ms = 0;

  [[nodiscard]] record_offset next_offset() const { return base_offset.plus(record_count); }
  bool operator==(const entry_facts&) const = default;
};

class durable_log {
public:
  durable_log(const testing::sim_env& disk, std::string directory)
      : disk_(disk), directory_(std::move(directory)) {}

  /// Reads what has been added. The log was neither cut nor replaced since the last look.
  void follow();
  /// Reads all of it again.
  void reload();

  /// Entries of one contiguous run, ascending.
  [[nodiscard]] const std::deque<entry_facts>& entries() const { return entries_; }
  [[nodiscard]] const entry_facts* find(log_index index) const;
  /// 0: no entry.
  [[nodiscard]] log_index last() const;

  /// Where reading has come to, for messages.
  [[nodiscard]] std::string position_text() const;

private:
  bool open_segment(const std::string& name);
  [[nodiscard]] bool read_frame();

  const testing::sim_env& disk_;
  std::string directory_;
  std::deque<entry_facts> entries_;
  std::string path_;  // of the segment that is being read; empty: none yet
  std::uint64_t identity_ = 0;
  std::uint64_t position_bytes_ = 0;
  record_offset next_offset_;
  log_index next_index_;
  std::vector<std::byte> buffer_;
};

}  // namespace cairn::sim
