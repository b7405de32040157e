#pragma once
// Finding out, at start, what a log directory holds. The rule (docs/adr/0003): a bad frame behind
// which nothing proves that it was ever durable is a write cut short and goes; any other bad frame
// is damage, and the log does not open.

#include "storage/durable_mark.hpp"
#include "storage/segment.hpp"
#include "storage/segmented_log.hpp"

#include <optional>
#include <string>
#include <vector>

namespace cairn::storage {

/// Names found in a log directory.
struct directory_content {
  std::vector<record_offset> segments;      ///< base offsets of stores, rising
  std::vector<std::string> orphan_indexes;  ///< names without a store
  std::vector<std::string> temporaries;     ///< names of files that were being made
  std::vector<directory_entry> spares;
};

[[nodiscard]] result<directory_content> list_log_directory(env& env, const std::string& directory);

/// Reads and checks the header of segment `base`. corruption also when it says another base or
/// another log.
[[nodiscard]] result<store_header> read_store_header(env& env, const std::string& directory,
                                                     record_offset base, std::uint64_t log_id);

/// Loads a segment that is not the last one. Its end must meet `next` exactly. Cheap when index and
/// store agree at both ends; else scans the store and rebuilds the index.
[[nodiscard]] result<std::shared_ptr<segment>> load_sealed_segment(env& env,
                                                                   const std::string& directory,
                                                                   const store_header& header,
                                                                   const store_header& next,
                                                                   recovery_report& report);

/// Loads the last segment for writing: finds its end, cuts what was never durable, opens both
/// files. What it changed is durable on return.
[[nodiscard]] result<std::shared_ptr<segment>> load_active_segment(
    env& env, const std::string& directory, const store_header& header,
    const std::optional<durable_mark::mark>& mark, std::uint64_t index_bytes,
    recovery_report& report);

/// Opens or makes an index for writing, with reserved room for `index_bytes`, holding exactly
/// `entries`. With a full disk it has only the room that it already had. The size is durable on
/// return.
[[nodiscard]] status open_writable_index(env& env, const std::string& path, index_span entries,
                                         std::uint64_t index_bytes, segment_handles& into);

/// Destroys the frames in [position, end) so that they can never be read as such again; durable on
/// return.
[[nodiscard]] status erase_frames(file& store, std::uint64_t position, std::uint64_t end_bytes);

}  // namespace cairn::storage
