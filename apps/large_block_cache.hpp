#pragma once
// Keeps a few large blocks of memory that were freed, so that the next of that size costs no page
// faults. Bodies, batches, frames and messages between nodes are close to 1 MiB each and live for
// milliseconds: with a fresh mapping for each, page faults were half of the processor time of bulk
// appends. The bound is in bytes and for the whole process, whatever clients do.

#include "storage/base/units.hpp"

#include <array>
#include <cstddef>
#include <mutex>

namespace cairn::apps {

/// Thread-safe. Constant-initialised and never torn down, since operator new is asked before main()
/// begins and after it has ended: what it still keeps at the end goes with the process.
class large_block_cache {
public:
  /// Smaller ones are the allocator's.
  static constexpr std::size_t k_block_bytes_min = 128 * k_kib_bytes;
  static constexpr std::size_t k_idle_bytes_max = 16 * k_mib_bytes;
  static constexpr std::size_t k_idle_blocks_max = 64;

  constexpr large_block_cache() = default;
  large_block_cache(const large_block_cache&) = delete;
  large_block_cache& operator=(const large_block_cache&) = delete;

  /// What to ask the allocator for, so that blocks for about as much fit each other's place: up to
  /// an eighth more. The rest is never touched, and so takes no memory. @pre `bytes` is at least
  /// k_block_bytes_min.
  [[nodiscard]] static std::size_t rounded(std::size_t bytes) noexcept;

  /// A kept block of at least `bytes` and at most half as much again, the one that was freed last;
  /// the caller's from now on. Null: there is none.
  [[nodiscard]] void* take(std::size_t bytes) noexcept;

  /// Keeps `block`, which came from malloc() and has `bytes`; the oldest of the others are freed
  /// when there is no room. False: it is too large or too small, and stays the caller's.
  [[nodiscard]] bool keep(void* block, std::size_t bytes) noexcept;

  [[nodiscard]] std::size_t idle_bytes() noexcept;

private:
  struct idle_block {
    void* block = nullptr;
    std::size_t bytes = 0;
  };

  /// @pre mutex_ is held.
  idle_block remove(std::size_t place) noexcept;

  std::mutex mutex_;
  std::array<idle_block, k_idle_blocks_max> idle_;  // guarded by mutex_; the oldest first
  std::size_t count_ = 0;                           // guarded by mutex_
  std::size_t idle_bytes_ = 0;                      // guarded by mutex_
};

}  // namespace cairn::apps
