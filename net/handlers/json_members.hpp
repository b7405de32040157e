#pragma once
// Members of JSON objects, for the handlers that write them.

#include "net/http/json_out.hpp"
#include "net/records/record_format.hpp"
#include "storage/base/ids.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace cairn::net {

inline void member(std::string& out, std::string_view name, std::string_view value) {
  append_json_key(out, name);
  append_json_lossy(out, value);
}

template <class T>
requires std::is_integral_v<T>
void member(std::string& out, std::string_view name, T value) {
  append_json_key(out, name);
  if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
  } else {
    append_number(out, value);
  }
}

inline void append_or_null(std::string& out, std::optional<std::uint64_t> value) {
  if (value) {
    append_number(out, *value);
  } else {
    out += "null";
  }
}

inline void append_or_null(std::string& out, const std::string& text) {
  if (text.empty()) {
    out += "null";
  } else {
    append_json_lossy(out, text);
  }
}

/// 0 becomes null: not known.
inline void time_member(std::string& out, std::string_view name, unix_ms time_ms) {
  append_json_key(out, name);
  if (time_ms == 0) {
    out += "null";
  } else {
    out += '"';
    append_rfc3339(out, time_ms);
    out += '"';
  }
}

/// `"name":[` each, separated by commas `]`.
template <class Range, class Append>
void list_member(std::string& out, std::string_view name, const Range& range, Append append) {
  append_json_key(out, name);
  out += '[';
  bool first = true;
  for (const auto& element : range) {
    if (!std::exchange(first, false)) out += ',';
    append(element);
  }
  out += ']';
}

}  // namespace cairn::net
