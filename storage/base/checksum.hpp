#pragma once
// XXH3-64, the one checksum of Cairn (file headers, frames, hard state), and XXH3-128 for names
// that are stored by their hash.

#include "storage/base/bytes.hpp"

#include <array>
#include <cstdint>

namespace cairn {

/// XXH3-64 of `bytes` with `seed`. Not cryptographic: it finds accidents, not attackers.
[[nodiscard]] std::uint64_t checksum64(byte_span bytes, std::uint64_t seed = 0);

/// The same over several pieces as if they stood in one buffer.
[[nodiscard]] std::uint64_t checksum64(std::span<const byte_span> pieces, std::uint64_t seed = 0);

/// XXH3-128 in its canonical order of bytes.
using hash128 = std::array<std::byte, 16>;

/// XXH3-128 of `bytes`: two different names do not meet by accident, but may be made to meet.
[[nodiscard]] hash128 checksum128(byte_span bytes);

}  // namespace cairn
