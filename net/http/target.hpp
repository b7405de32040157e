#pragma once
// The path of a request target, split into decoded segments.

#include "net/http/problem.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::net {

inline constexpr std::size_t k_segments_max = 8;

/// A path and what follows the '?'. Views point into the target or into `decoded`.
struct request_target {
  std::array<std::string_view, k_segments_max> segments;
  std::size_t segment_count = 0;  ///< 0 for "/"
  bool trailing_slash = false;
  bool too_deep = false;  ///< more than k_segments_max: no path of ours
  bool asterisk = false;  ///< "*", as in OPTIONS *
  std::string_view query;
  std::string decoded;  ///< memory for segments that had percent-escapes

  request_target() = default;
  request_target(const request_target&) = delete;
  request_target& operator=(const request_target&) = delete;
};

/// Splits `target`, in origin form or absolute form, into `out`. What could mean another path to
/// somebody else is refused with 400: empty and dot segments, escapes of '/', NUL and controls,
/// escapes that are not two hex digits or not UTF-8.
[[nodiscard]] std::optional<problem> parse_target(std::string_view target, request_target& out);

/// Decodes percent-escapes and appends to `out`. False if an escape is not two hex digits.
[[nodiscard]] bool percent_decode(std::string_view text, std::string& out);

/// True if `text` is UTF-8 without overlong forms and surrogates.
[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace cairn::net
