#include "apps/sim/trace.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::sim {

std::string trace::text() const {
  std::string text;
  const std::uint64_t shown = std::min<std::uint64_t>(count_, ring_.size());
  for (std::uint64_t i = count_ - shown; i < count_; ++i) {
    const line& l = ring_[i % ring_.size()];
    text +=
        fmt::format("{:12.6f} s  {}  {} {} {} {}\n", static_cast<double>(l.time_ns) / 1e9,
                    l.node == 0 ? "world " : fmt::format("node {}", l.node), l.what, l.a, l.b, l.c);
  }
  return text;
}

}  // namespace cairn::sim
