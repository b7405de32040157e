#pragma once
// Names of the files of a log directory.

#include "storage/base/ids.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::storage {

inline constexpr std::string_view k_store_suffix = ".store";
inline constexpr std::string_view k_index_suffix = ".index";
/// Files that are being made; removed at the next start.
inline constexpr std::string_view k_temporary_suffix = ".tmp";
/// Prepared or recycled store files that wait for their turn.
inline constexpr std::string_view k_spare_suffix = ".spare";
inline constexpr std::string_view k_mark_name = "durable.mark";
inline constexpr std::string_view k_start_name = "log.start";
inline constexpr std::string_view k_configs_name = "log.configs";

/// "00000000000000000042.store": zero-padded to 20 digits, so that names sort as numbers do.
[[nodiscard]] std::string segment_file_name(record_offset base, std::string_view suffix);

/// The base offset in a name made by segment_file_name() with this suffix; nothing for any other
/// name.
[[nodiscard]] std::optional<record_offset> parse_segment_file_name(std::string_view name,
                                                                   std::string_view suffix);

/// The directory part of a path; "." when there is none.
[[nodiscard]] std::string parent_path(const std::string& path);

[[nodiscard]] std::string join_path(const std::string& directory, std::string_view name);

}  // namespace cairn::storage
