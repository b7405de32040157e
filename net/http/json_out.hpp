#pragma once
// Writing JSON text: strings with escapes, numbers. Reading is simdjson's work.

#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::net {

/// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD, so that
/// the answer is always valid JSON.
void append_json_lossy(std::string& out, std::string_view text);

/// Appends a decimal number.
void append_number(std::string& out, std::uint64_t value);

/// Appends `"name":` with a comma before it unless `out` ends with `{`.
void append_json_key(std::string& out, std::string_view name);

}  // namespace cairn::net
