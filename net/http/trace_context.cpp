#include "net/http/trace_context.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

namespace cairn::net {

namespace {

constexpr std::size_t k_version_00_bytes = 55;  // 00-<32>-<16>-<2>

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

}  // namespace

bool is_traceparent(std::string_view value) {
  if (value.size() < k_version_00_bytes) return false;
  const std::string_view version = value.substr(0, 2);
  if (!is_lower_hex(version) || version == "ff") return false;
  if (value.size() > k_version_00_bytes && (version == "00" || value[k_version_00_bytes] != '-')) {
    return false;
  }
  if (value[2] != '-' || value[35] != '-' || value[52] != '-') return false;
  const std::string_view trace = value.substr(3, 32);
  const std::string_view span = value.substr(36, 16);
  return is_lower_hex(trace) && !is_zero(trace) && is_lower_hex(span) && !is_zero(span) &&
         is_lower_hex(value.substr(53, 2));
}

std::string_view trace_id_of(std::string_view value) {
  return value.substr(3, 32);
}

void append_child_traceparent(std::string& out, std::string_view parent, std::uint64_t span_id) {
  out += "00-";
  out += trace_id_of(parent);
  fmt::format_to(std::back_inserter(out), "-{:016x}-", span_id);
  out += parent.substr(53, 2);
}

}  // namespace cairn::net
