#include "apps/large_block_cache.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <thread>
#include <vector>

namespace cairn::apps {
namespace {

constexpr std::size_t k_mib = std::size_t{k_mib_bytes};

struct block {
  void* address;
  std::size_t bytes;
};

block make_block(std::size_t bytes) {
  return {std::malloc(bytes), bytes};
}

// What a test leaves in a cache is freed here.
void empty(large_block_cache& cache) {
  for (std::size_t bytes = large_block_cache::k_block_bytes_min; cache.idle_bytes() > 0;
       bytes += bytes / 2) {
    while (void* const kept = cache.take(bytes))
      std::free(kept);
  }
}

}  // namespace

TEST_CASE("large blocks: one that was kept is handed out again, once") {
  large_block_cache cache;
  CHECK(cache.take(k_mib) == nullptr);
  const auto one = make_block(k_mib);
  REQUIRE(cache.keep(one.address, one.bytes));
  CHECK(cache.idle_bytes() == k_mib);
  CHECK(cache.take(k_mib) == one.address);
  CHECK(cache.idle_bytes() == 0);
  CHECK(cache.take(k_mib) == nullptr);
  std::free(one.address);
}

TEST_CASE("large blocks: nobody gets less than was asked for, or more than half as much again") {
  large_block_cache cache;
  const auto one = make_block(3 * k_mib);
  REQUIRE(cache.keep(one.address, one.bytes));
  CHECK(cache.take(3 * k_mib + 1) == nullptr);
  CHECK(cache.take(2 * k_mib - 1) == nullptr);
  CHECK(cache.take(2 * k_mib) == one.address);
  std::free(one.address);
}

TEST_CASE("large blocks: of those that fit, the one that was freed last is handed out") {
  large_block_cache cache;
  const auto first = make_block(k_mib);
  const auto second = make_block(k_mib);
  REQUIRE(cache.keep(first.address, first.bytes));
  REQUIRE(cache.keep(second.address, second.bytes));
  CHECK(cache.take(k_mib) == second.address);
  CHECK(cache.take(k_mib) == first.address);
  std::free(first.address);
  std::free(second.address);
}

TEST_CASE("large blocks: small ones and ones beyond the bound are not kept") {
  large_block_cache cache;
  const auto small = make_block(large_block_cache::k_block_bytes_min - 1);
  CHECK_FALSE(cache.keep(small.address, small.bytes));
  const auto huge = make_block(large_block_cache::k_idle_bytes_max + 1);
  CHECK_FALSE(cache.keep(huge.address, huge.bytes));
  CHECK(cache.idle_bytes() == 0);
  std::free(small.address);
  std::free(huge.address);
}

TEST_CASE("large blocks: what is kept stays within its bounds, and the oldest go first") {
  large_block_cache cache;
  SUBCASE("in bytes") {
    const auto oldest = make_block(10 * k_mib);
    REQUIRE(cache.keep(oldest.address, oldest.bytes));
    const auto newest = make_block(7 * k_mib);
    REQUIRE(cache.keep(newest.address, newest.bytes));
    CHECK(cache.idle_bytes() == 7 * k_mib);
    CHECK(cache.take(10 * k_mib) == nullptr);
  }
  SUBCASE("in blocks") {
    for (std::size_t i = 0; i < 2 * large_block_cache::k_idle_blocks_max; ++i) {
      const auto one = make_block(large_block_cache::k_block_bytes_min);
      REQUIRE(cache.keep(one.address, one.bytes));
    }
    CHECK(cache.idle_bytes() ==
          large_block_cache::k_idle_blocks_max * large_block_cache::k_block_bytes_min);
  }
  empty(cache);
}

TEST_CASE("large blocks: sizes are rounded up by an eighth at most") {
  for (std::size_t bytes = large_block_cache::k_block_bytes_min; bytes < 64 * k_mib;
       bytes += bytes / 7) {
    const auto rounded = large_block_cache::rounded(bytes);
    CHECK(rounded >= bytes);
    CHECK(rounded - bytes < bytes / 8 + 1);
    CHECK(large_block_cache::rounded(rounded) == rounded);
  }
  CHECK(large_block_cache::rounded(SIZE_MAX) == SIZE_MAX);
}

TEST_CASE("large blocks: no block is handed to two threads at once") {
  large_block_cache cache;
  std::vector<std::thread> threads;
  for (std::size_t t = 1; t <= 3; ++t) {
    threads.emplace_back([&cache, t] {
      for (std::size_t i = 0; i < 2000; ++i) {
        const std::size_t bytes = large_block_cache::k_block_bytes_min * (1 + (i + t) % 3);
        void* taken = cache.take(bytes);
        if (taken == nullptr) taken = std::malloc(bytes + bytes / 2);
        // ThreadSanitizer sees two that write to the same one.
        static_cast<char*>(taken)[bytes - 1] = static_cast<char>(t);
        if (!cache.keep(taken, bytes)) std::free(taken);
      }
    });
  }
  for (auto& thread : threads)
    thread.join();
  CHECK(cache.idle_bytes() <= large_block_cache::k_idle_bytes_max);
  empty(cache);
}

}  // namespace cairn::apps
