#pragma once
// Reading a store file from front to back: what recovery, index rebuild and verify are made of.

#include "storage/base/ids.hpp"
#include "storage/base/result.hpp"
#include "storage/env.hpp"
#include "storage/frame.hpp"
#include "storage/index_entry.hpp"
#include "storage/store_header.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace cairn::storage {

/// How far the good frames of a store reach.
struct store_extent {
  std::uint64_t end_bytes = k_store_header_bytes;
  std::uint64_t frames = 0;
  record_offset next_offset;
  log_index next_index;
  term_id first_term;  ///< 0 without frames, as last_term
  term_id last_term;
  unix_ms last_timestamp_ms = 0;

  /// Counts one more frame.
  void add(const frame_header& frame);
};

/// The extent of a store without frames.
[[nodiscard]] store_extent empty_extent(const store_header& header);

/// The index entry of a frame. @pre it fits the segment (append sees to that).
[[nodiscard]] index_entry make_index_entry(const store_header& store, const frame_header& frame,
                                           std::uint64_t position);

/// True if `frame` can stand at the end of `extent`: next offset, next index, term and time not
/// falling.
[[nodiscard]] bool continues(const store_extent& extent, const frame_header& frame);

struct store_scan {
  store_extent extent;
  std::vector<index_entry> entries;
  std::uint64_t file_bytes = 0;
  /// What stands at extent.end_bytes: nothing or zeros to the next header's length, or something
  /// that is no good frame.
  bool stopped_at_data = false;
};

/// Called after each good frame with its position and how much has been read.
using scan_visitor = std::function<void(const frame_header&, std::uint64_t position)>;

/// Checks frames one after the other, payloads included, until the first that is not good. Reads
/// ahead in large pieces. io_error when the file cannot be read.
[[nodiscard]] result<store_scan> scan_store(file& store, const store_header& header,
                                            const scan_visitor& visit = {});

/// What lies behind the place where a scan stopped.
struct tail_evidence {
  /// The highest position that an intact frame header behind it says was durable when it was
  /// written; 0: none found.
  std::uint64_t durable_bytes = 0;
  /// End of the last frame whose header is intact; where to zero up to. 0: none found.
  std::uint64_t frames_end_bytes = 0;
};

/// Looks for intact frame headers of this segment at every place from `position` on.
[[nodiscard]] result<tail_evidence> search_tail(file& store, const store_header& header,
                                                std::uint64_t position, std::uint64_t file_bytes);

}  // namespace cairn::storage
