#pragma once
// How appends that waited together become frames. A pure function of its arguments: no log, no
// actor, no clock. With Raft this is the proposer's half of the write path: whoever leads knows
// term, index and next offset, and hands the frames to the log.

#include "actors/messages.hpp"
#include "storage/base/units.hpp"
#include "storage/segmented_log.hpp"

#include <cstdint>
#include <vector>

namespace cairn::actors {

/// Where and when the first frame of a group will stand.
struct append_position {
  record_offset next_offset;
  log_index next_index;
  term_id term;
  unix_ms timestamp_ms = 0;  ///< of all frames of the group
  std::uint64_t now_ns = 0;  ///< env::monotonic_ns(), against which deadlines are held
};

/// Merging stops when a frame has this much payload. A single larger append stays one frame.
inline constexpr std::uint64_t k_merged_payload_bytes = 64 * k_kib_bytes;

/// A group of appends, ready to be written with one write and one sync.
class append_plan {
public:
  /// Decides on every item of `batches`, in order: refused (deadline passed: unavailable; expected
  /// offset is another: expected_offset_missed) or given its place. Neighbours are merged into one
  /// frame by concatenating payloads, up to k_merged_payload_bytes; those with a stamp
  /// (proto/append_stamp.hpp) among themselves. What stamps say is not looked at.
  append_plan(const std::vector<append_batch>& batches, const append_position& at);
  /// Likewise for items that need no port.
  append_plan(const std::vector<append_item>& items, const append_position& at);

  /// Frames in order; empty when every item was refused.
  [[nodiscard]] const std::vector<storage::frame_input>& frames() const { return frames_; }
  /// One per item in the order of the batches; to be moved out once the group's fate is known.
  [[nodiscard]] std::vector<append_outcome>& outcomes() { return outcomes_; }

  [[nodiscard]] std::uint64_t accepted() const { return accepted_; }  ///< appends in frames()
  [[nodiscard]] std::uint64_t records() const { return records_; }    ///< records in frames()
  [[nodiscard]] std::uint64_t payload_bytes() const { return payload_bytes_; }
  /// End of the log once the frames are in.
  [[nodiscard]] record_offset end() const { return end_; }

  /// The frames were not, or may not have been, stored: gives every append in them this outcome.
  /// With outcome_unknown nobody knows the next offset, so items refused for their expected offset
  /// become unavailable; otherwise these are judged again against `next_offset`, for what they were
  /// held against has not come to be.
  void fail(errc code, const std::string& detail, record_offset next_offset);

private:
  void decide(const append_item& item, const append_position& at);
  void place(const append_item& item, const append_position& at);

  std::vector<storage::frame_input> frames_;
  std::vector<append_outcome> outcomes_;
  std::vector<record_offset> expected_;  // of outcomes_ that missed, else unused
  record_offset end_;
  std::uint64_t open_frame_bytes_ = 0;
  bool open_frame_stamped_ = false;
  std::uint64_t accepted_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t payload_bytes_ = 0;
};

}  // namespace cairn::actors
