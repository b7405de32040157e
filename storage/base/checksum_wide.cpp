#include "storage/base/checksum_wide.hpp"

// Not inlined: on x86-64 libxxhash chooses between SSE2, AVX2 and AVX-512 when it runs, so that one
// binary is fast on a new CPU and correct on an old one. The macros of the second header put that
// choice behind the usual names.
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>
#if defined(__x86_64__)
#include <xxh_x86dispatch.h>
#endif

namespace cairn::wide {

std::uint64_t checksum64(byte_span bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::uint64_t checksum64(std::span<const byte_span> pieces, std::uint64_t seed) {
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_64bits_reset_withSeed(&state, seed);
  for (const auto piece : pieces)
    XXH3_64bits_update(&state, piece.data(), piece.size());
  return XXH3_64bits_digest(&state);
}

}  // namespace cairn::wide
