#pragma once
// Lines about refused connections, few of each kind: whoever can reach the port must not fill the
// disk.

#include "net/peer/hello.hpp"

#include <array>
#include <chrono>
#include <fmt/format.h>
#include <functional>
#include <string>
#include <string_view>

namespace cairn::net {

class refusal_log {
public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds k_every{10};

  explicit refusal_log(std::function<void(std::string_view)> sink) : sink_(std::move(sink)) {}

  /// A line of the given kind; dropped when there was one within the last ten seconds.
  void add(peer_refusal why, bool inbound, time_point now, const std::string& line) {
    auto& kind = kinds_.at(static_cast<std::size_t>(why)).at(inbound ? 0 : 1);
    if (kind.said && now - kind.last < k_every) {
      ++kind.dropped;
      return;
    }
    kind.said = true;
    kind.last = now;
    if (sink_) {
      sink_(kind.dropped == 0
                ? line
                : fmt::format("{} ({} more like it since the last such line)", line, kind.dropped));
    }
    kind.dropped = 0;
  }

private:
  struct one_kind {
    bool said = false;
    time_point last;
    std::uint64_t dropped = 0;
  };
  std::function<void(std::string_view)> sink_;
  std::array<std::array<one_kind, 2>, k_peer_refusals> kinds_{};
};

}  // namespace cairn::net
