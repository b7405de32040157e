#include "storage/base/checksum.hpp"

#include "storage/base/checksum_wide.hpp"

// Inlined for speed: short inputs would otherwise pay more for the call than for the hash.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace cairn {

namespace {

/// From here on the vectors of wide:: win more than the way to them costs.
constexpr std::size_t k_wide_bytes_min = 512;

std::size_t total_size(std::span<const byte_span> pieces) {
  std::size_t size = 0;
  for (const auto piece : pieces)
    size += piece.size();
  return size;
}

}  // namespace

std::uint64_t checksum64(byte_span bytes, std::uint64_t seed) {
  if (bytes.size() >= k_wide_bytes_min) return wide::checksum64(bytes, seed);
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::uint64_t checksum64(std::span<const byte_span> pieces, std::uint64_t seed) {
  if (pieces.size() == 1) return checksum64(pieces[0], seed);
  if (total_size(pieces) >= k_wide_bytes_min) return wide::checksum64(pieces, seed);
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_64bits_reset_withSeed(&state, seed);
  for (const auto piece : pieces)
    XXH3_64bits_update(&state, piece.data(), piece.size());
  return XXH3_64bits_digest(&state);
}

hash128 checksum128(byte_span bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  static_assert(sizeof(canonical.digest) == sizeof(hash128));
  hash128 out;
  std::memcpy(out.data(), canonical.digest, out.size());
  return out;
}

}  // namespace cairn
