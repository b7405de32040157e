#pragma once
// Reading times as clients write them.

#include "storage/base/ids.hpp"

#include <optional>
#include <string_view>

namespace cairn::net {

/// Milliseconds since the epoch of an RFC 3339 time such as 2026-11-22T21:14:00.123+01:00, or of a
/// plain number of milliseconds. A fraction finer than milliseconds is cut off. Nothing for
/// anything else, days that do not exist included.
[[nodiscard]] std::optional<unix_ms> parse_time(std::string_view text);

}  // namespace cairn::net
