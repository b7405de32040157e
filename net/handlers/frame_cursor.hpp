#pragma once
// Walks over the records of a read's frames.

#include "net/backend.hpp"
#include "proto/record_codec.hpp"

#include <optional>
#include <vector>

namespace cairn::net {

/// One record and where it stands. Points into its frame.
struct placed_record {
  record_offset offset;
  unix_ms timestamp_ms = 0;
  proto::record_view record;
};

/// Frames are let go of as the cursor passes them.
class frame_cursor {
public:
  /// Begins with the record `start`; `frames` may begin before it.
  void reset(std::vector<record_frame> frames, record_offset start);

  /// The next record; false when there is none or a frame is malformed. Valid until the next call.
  [[nodiscard]] bool next(placed_record& out);

  /// Makes the record that next() returned last come again.
  void put_back() { repeat_ = true; }

  /// A frame is not what its checksum promises. The log and position are in the detail.
  [[nodiscard]] bool failed() const { return failure_.has_value(); }
  [[nodiscard]] const failure& what() const { return *failure_; }

private:
  [[nodiscard]] bool open_frame();

  std::vector<record_frame> frames_;
  std::size_t frame_ = 0;
  std::optional<proto::batch_reader> reader_;
  record_offset next_;
  placed_record last_;
  bool repeat_ = false;
  std::optional<failure> failure_;
};

}  // namespace cairn::net
