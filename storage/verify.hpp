#pragma once
// Offline check of a log directory, for `cairn verify` and tests. Reads everything, changes
// nothing.

#include "storage/base/ids.hpp"
#include "storage/base/result.hpp"
#include "storage/env.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace cairn::storage {

/// One thing that is wrong, in a sentence that names file and position.
struct verify_finding {
  enum class severity : std::uint8_t {
    note,    ///< repaired at the next start without loss (an index to rebuild, space to reclaim, an
             ///< unfinished write)
    damage,  ///< bytes that were stored are gone or changed
  };
  severity level = severity::damage;
  std::string file;
  std::uint64_t position_bytes = 0;
  std::string what;
};

struct verify_report {
  std::uint64_t segments = 0;
  std::uint64_t frames = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  record_offset lowest_offset;
  record_offset next_offset;
  std::vector<verify_finding> findings;  ///< at most 1000

  [[nodiscard]] bool damaged() const;
};

/// Checks every header, frame, payload, index entry and the joints between segments of the log in
/// `directory`. `progress` is called now and then with the bytes done and the bytes in all.
/// not_found when there is no such directory, io_error when a file cannot be read.
[[nodiscard]] result<verify_report> verify_log(
    env& env, const std::string& directory,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress);

}  // namespace cairn::storage
