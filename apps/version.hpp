#pragma once

#include <string_view>

namespace cairn::apps {

/// The project's version; CMakeLists.txt at the root sets it.
inline constexpr std::string_view k_version = CAIRN_VERSION;

}  // namespace cairn::apps
