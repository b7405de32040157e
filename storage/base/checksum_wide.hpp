#pragma once
// XXH3-64 with the widest vectors that this CPU has, for inputs that are worth a call. An inner
// part of checksum.hpp.

#include "storage/base/bytes.hpp"

#include <cstdint>

namespace cairn::wide {

/// As checksum64().
[[nodiscard]] std::uint64_t checksum64(byte_span bytes, std::uint64_t seed);
[[nodiscard]] std::uint64_t checksum64(std::span<const byte_span> pieces, std::uint64_t seed);

}  // namespace cairn::wide
