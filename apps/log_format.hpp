#pragma once
// How a line of the node's own log looks: as text for people, as JSON for machines.
// docs/logging.md shows both.

#include "storage/base/ids.hpp"
#include "storage/base/log_line.hpp"
#include "storage/base/result.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::apps {

enum class log_format : std::uint8_t { text, json };

/// `2026-01-31T12:00:00.000Z warning n1 raft: message key=value key="two words"` without the
/// newline. Control characters of the message and the values are escaped: a line is a line, whoever
/// chose the words in it.
[[nodiscard]] std::string text_line(const log_record& line, std::string_view node_id,
                                    unix_ms time_ms);
/// `{"time":...,"level":...,"node":...,"component":...,"message":...,` and the fields `}`.
[[nodiscard]] std::string json_line(const log_record& line, std::string_view node_id,
                                    unix_ms time_ms);
[[nodiscard]] std::string formatted(log_format format, const log_record& line,
                                    std::string_view node_id, unix_ms time_ms);

/// `text` as a JSON string with its quotes. Bytes that are not UTF-8 are replaced.
[[nodiscard]] std::string json_quoted(std::string_view text);

/// A message and its fields in one string, for queues that know of strings alone.
[[nodiscard]] std::string packed(const log_record& line);
/// What packed() made; component and level are not in it.
[[nodiscard]] log_record unpacked(std::string_view text);

/// A level for each component.
using log_levels = std::array<log_level, k_log_components>;

/// Parses `info`, `raft=debug`, `warning,raft=debug,peer=trace`: at most one level for all, which
/// is info if there is none, and others for single components.
/// Fails with invalid_argument, which names the word that is wrong and those that are right.
[[nodiscard]] result<log_levels> parse_log_levels(std::string_view text);

/// "node, raft, ..." and "trace, debug, ...", for messages.
[[nodiscard]] std::string component_names();
[[nodiscard]] std::string level_names();

}  // namespace cairn::apps
