#pragma once
// The value of the file "log.start": where the log begins. docs/formats/hard_state.md.

#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"

#include <optional>
#include <vector>

namespace cairn::storage {

/// Where a log begins. The entry before the first one kept has gone, but its position is part of
/// every Raft message about the first one.
struct log_start {
  record_offset lowest;        ///< lowest offset that readers may ask for
  log_index index;             ///< of the entry before the first one kept; 0: none has gone
  term_id term;                ///< of that entry
  record_offset first_offset;  ///< behind that entry: the base offset of the first segment
  /// Of that entry: what follows is not older. 0: not known, the program that wrote it kept none.
  unix_ms last_timestamp_ms = 0;
  /// The log is being dropped, to begin anew here: every segment that is found is of the old one.
  bool installing = false;
  /// Only the lowest offset is known, as version 1 has it: the first segment tells the rest.
  bool offset_only = false;

  bool operator==(const log_start&) const = default;
};

[[nodiscard]] std::vector<std::byte> encode_log_start(const log_start& start);

/// Nothing if `value` has a length or a version that this program does not know.
[[nodiscard]] std::optional<log_start> decode_log_start(byte_span value);

}  // namespace cairn::storage
