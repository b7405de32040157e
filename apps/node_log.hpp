#pragma once
// The node's own log: one line an event on standard error.

#include <string>
#include <string_view>

namespace cairn::apps {

/// Makes spdlog write lines of `format` (text, json) from `level` on. Levels and formats as in
/// node_options.cpp.
void start_node_log(const std::string& level, const std::string& format,
                    const std::string& node_id);

/// Everything that was logged is out on return.
void flush_node_log();

/// `text` as a JSON string with its quotes. Bytes that are not UTF-8 are replaced.
[[nodiscard]] std::string json_quoted(std::string_view text);

}  // namespace cairn::apps
