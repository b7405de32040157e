#pragma once
// XXH3-64, the one checksum of Cairn (file headers, frames, hard state).

#include "storage/base/bytes.hpp"

#include <cstdint>

namespace cairn {

/// XXH3-64 of `bytes` with `seed`. Not cryptographic: it finds accidents, not attackers.
[[nodiscard]] std::uint64_t checksum64(byte_span bytes, std::uint64_t seed = 0);

/// The same over several pieces as if they stood in one buffer.
[[nodiscard]] std::uint64_t checksum64(std::span<const byte_span> pieces, std::uint64_t seed = 0);

}  // namespace cairn
