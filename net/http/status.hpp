#pragma once
// Status codes, their reason phrases and their ready-made status lines.

#include <cstddef>
#include <string_view>

namespace cairn::net {

/// "Not Found" for 404; "Unknown" for a status that the gateway never sends.
[[nodiscard]] std::string_view reason_of(int status);

/// "HTTP/1.1 404 Not Found\r\n".
[[nodiscard]] std::string_view status_line_of(int status);

/// Position of a status in a dense table, for counters. Below `k_status_count`.
[[nodiscard]] std::size_t status_slot_of(int status);
/// The inverse.
[[nodiscard]] int status_in_slot(std::size_t slot);

inline constexpr std::size_t k_status_count = 25;

}  // namespace cairn::net
