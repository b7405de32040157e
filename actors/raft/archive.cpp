#include "actors/raft/archive.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>

namespace cairn::raft {

// One buffer of zeros serves all payloads. calloc, because nobody looks at the zeros: such memory
// is not there before it is touched.
void image_reader::elided(shared_bytes& payload) {
  const std::uint64_t size = number();
  if (size > k_payload_bytes_max) return fail();
  if (size > zeros_.size()) {
    const std::size_t capacity = std::max<std::size_t>(4096, std::bit_ceil(size));
    const std::shared_ptr<void> zeros(std::calloc(capacity, 1), &std::free);
    if (!zeros) return fail();
    zeros_ = {zeros, {static_cast<const std::byte*>(zeros.get()), capacity}};
  }
  payload = zeros_.slice(0, size);
}

}  // namespace cairn::raft
