#pragma once
// Readers of a segmented log. Thread-safe: any number of threads may read while one appends, rolls
// and trims. A reader sees only what has been published, and checks both checksums of every frame
// it returns.

#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/result.hpp"
#include "storage/frame.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace cairn::storage {

struct log_shared;

/// A frame as it was stored. `payload` shares one buffer with the other frames of the same read.
struct stored_frame {
  frame_header header;
  shared_bytes payload;
};

/// What a read may cost. At least one frame comes back if there is one, however large.
struct read_limits {
  std::uint64_t bytes_max = 1024 * 1024;  ///< of frames
  std::uint64_t records_max =
      0xffff'ffff;           ///< enough frames to cover that many records from the start on
  bool cached_only = false;  ///< fail with would_block rather than wait for the disk
  /// read_entries() only: stop before this entry.
  log_index before{0xffff'ffff'ffff'ffff};
  /// read_entries() only: nothing that has not been published. Needed on any thread but the log's.
  bool published_only = false;
};

class log_reader {
public:
  explicit log_reader(std::shared_ptr<log_shared> shared);

  /// The published range, [lowest, end).
  [[nodiscard]] record_offset lowest_offset() const;
  [[nodiscard]] record_offset end_offset() const;

  /// Data frames in offset order that cover records from `from` on; the first may begin before it.
  /// Empty when `from` is the end. The bytes are copied once, from the page cache into the buffer
  /// that is returned. offset_not_written beyond the end, offset_trimmed below the lowest,
  /// would_block, io_error, corruption (names file and position).
  [[nodiscard]] result<std::vector<stored_frame>> read(record_offset from,
                                                       const read_limits& limits) const;

  /// Frames of every kind in index order from `from` on, also unpublished ones: what Raft sends to
  /// a follower. Empty when `from` is the next index. invalid_argument below the first index; else
  /// as read(). Only the log's owner thread may read above the published end.
  [[nodiscard]] result<std::vector<stored_frame>> read_entries(log_index from,
                                                               const read_limits& limits) const;

  /// Offset of the first record whose timestamp is not older than `time_ms`; the end when all are.
  /// Errors as read().
  [[nodiscard]] result<record_offset> find_time(unix_ms time_ms, bool cached_only = false) const;

private:
  std::shared_ptr<log_shared> shared_;
};

}  // namespace cairn::storage
