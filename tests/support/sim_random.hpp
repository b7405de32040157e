#pragma once
// A seeded generator that gives the same numbers on every machine and compiler, unlike the
// distributions of <random>. splitmix64, Steele, Lea and Flood, "Fast splittable pseudorandom
// number generators" (2014).

#include <cstdint>

namespace cairn::testing {

class sim_random {
public:
  explicit sim_random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  /// 0 .. limit - 1; 0 when `limit` is 0. The bias of the remainder does not matter to tests.
  std::uint64_t below(std::uint64_t limit) { return limit == 0 ? 0 : next() % limit; }
  /// True once in `n` times on average.
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  bool coin() { return (next() & 1U) != 0; }

private:
  std::uint64_t state_;
};

}  // namespace cairn::testing
