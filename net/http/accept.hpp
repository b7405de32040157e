#pragma once
// Content negotiation: which of the offered media types a client wants most (RFC 9110, 12.5.1).

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace cairn::net {

/// Position of the best offer for the Accept header `accept` (all fields joined with commas), or
/// nothing when none will do. Each offer gets the quality of the most specific range that matches
/// it; among equals the earlier offer wins. An empty header accepts everything. Parameters other
/// than q are not compared; a range that cannot be read matches nothing.
/// @pre `offers` is not empty, each `type/subtype` in lower case.
[[nodiscard]] std::optional<std::size_t> negotiate(std::string_view accept,
                                                   std::span<const std::string_view> offers);

}  // namespace cairn::net
