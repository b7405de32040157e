#pragma once
// Where the core's random numbers come from: injected, so that a run can be repeated.

#include <cstdint>

namespace cairn::raft {

/// Owner: whoever owns the core; it is called from step() only, and must outlive the core.
class random_source {
public:
  virtual ~random_source() = default;
  /// Any 64 bits, uniformly.
  [[nodiscard]] virtual std::uint64_t next() = 0;
};

}  // namespace cairn::raft
