#pragma once
// Letter case in header values.

#include <algorithm>
#include <string_view>

namespace cairn::net {

/// True if the texts are the same but for the case of ASCII letters. Not boost::beast::iequals:
/// that of Boost 1.81 reads one byte behind the ends of texts that differ in case.
[[nodiscard]] inline bool same_but_for_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace cairn::net
