#include "storage/base/checksum.hpp"

// Inlined for speed: short inputs would otherwise pay more for the call than for the hash.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace cairn {

std::uint64_t checksum64(byte_span bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::uint64_t checksum64(std::span<const byte_span> pieces, std::uint64_t seed) {
  if (pieces.size() == 1) return checksum64(pieces[0], seed);
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_64bits_reset_withSeed(&state, seed);
  for (const auto piece : pieces)
    XXH3_64bits_update(&state, piece.data(), piece.size());
  return XXH3_64bits_digest(&state);
}

}  // namespace cairn
