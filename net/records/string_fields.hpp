#pragma once
// A JSON object of strings: the bodies of requests that change the cluster.

#include "storage/base/result.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::net {

/// The values of exactly these fields, in their order: each must be there once, as a string, and
/// nothing else. invalid_argument names the field.
[[nodiscard]] result<std::vector<std::string>> parse_string_fields(
    std::string_view body, std::span<const std::string_view> names);

}  // namespace cairn::net
