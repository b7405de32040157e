#pragma once
#include "actors/swim/types.hpp"
#include "tests/support/sim_random.hpp"

namespace cairn::testing {

class seeded : public swim::random_source {
public:
  explicit seeded(std::uint64_t seed) : random_(seed) {}
  std::uint64_t next() override { return random_.next(); }

private:
  sim_random random_;
};

}  // namespace cairn::testing
