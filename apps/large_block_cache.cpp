#include "apps/large_block_cache.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <limits>
#include <type_traits>

namespace cairn::apps {

static_assert(std::is_trivially_destructible_v<large_block_cache>);

std::size_t large_block_cache::rounded(std::size_t bytes) noexcept {
  const std::size_t step = std::bit_floor(bytes) / 8;
  if (bytes > std::numeric_limits<std::size_t>::max() - step) return bytes;
  return (bytes + step - 1) / step * step;
}

large_block_cache::idle_block large_block_cache::remove(std::size_t place) noexcept {
  const idle_block removed = idle_.at(place);
  std::move(idle_.begin() + static_cast<std::ptrdiff_t>(place) + 1,
            idle_.begin() + static_cast<std::ptrdiff_t>(count_),
            idle_.begin() + static_cast<std::ptrdiff_t>(place));
  --count_;
  idle_bytes_ -= removed.bytes;
  return removed;
}

void* large_block_cache::take(std::size_t bytes) noexcept {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = count_; i-- > 0;) {
    const std::size_t held = idle_.at(i).bytes;
    if (held >= bytes && held - bytes <= bytes / 2) return remove(i).block;
  }
  return nullptr;
}

bool large_block_cache::keep(void* block, std::size_t bytes) noexcept {
  if (bytes < k_block_bytes_min || bytes > k_idle_bytes_max) return false;
  std::array<void*, k_idle_blocks_max> given_up;
  std::size_t given_up_count = 0;
  {
    const std::lock_guard lock(mutex_);
    while (count_ == k_idle_blocks_max || idle_bytes_ + bytes > k_idle_bytes_max)
      given_up.at(given_up_count++) = remove(0).block;
    idle_.at(count_++) = {block, bytes};
    idle_bytes_ += bytes;
  }
  for (std::size_t i = 0; i < given_up_count; ++i)
    std::free(given_up.at(i));
  return true;
}

std::size_t large_block_cache::idle_bytes() noexcept {
  const std::lock_guard lock(mutex_);
  return idle_bytes_;
}

}  // namespace cairn::apps
