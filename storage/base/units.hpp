#pragma once
// Byte units, spelled once.

#include <cstdint>

namespace cairn {

inline constexpr std::uint64_t k_kib_bytes = 1024;
inline constexpr std::uint64_t k_mib_bytes = 1024 * k_kib_bytes;
inline constexpr std::uint64_t k_gib_bytes = 1024 * k_mib_bytes;

}  // namespace cairn
