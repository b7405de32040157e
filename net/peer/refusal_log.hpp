#pragma once
// Lines about refused connections, few of each kind: whoever can reach the port must not fill the
// disk.

#include "net/peer/hello.hpp"
#include "storage/base/repeat_limiter.hpp"

#include <chrono>
#include <fmt/format.h>
#include <functional>
#include <string>
#include <string_view>

namespace cairn::net {

class refusal_log {
public:
  using time_point = std::chrono::steady_clock::time_point;

  explicit refusal_log(std::function<void(std::string_view)> sink) : sink_(std::move(sink)) {}

  /// A line of the given kind; only counted when there was one within the last ten seconds.
  void add(peer_refusal why, bool inbound, time_point now, const std::string& line) {
    const auto kind = static_cast<std::uint64_t>(why) * 2 + (inbound ? 0 : 1);
    const auto now_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
    const auto said = kinds_.ask(kind, now_ms);
    if (!said.pass || !sink_) return;
    sink_(said.held_before == 0 ? line
                                : fmt::format("{} ({} more like it since the last such line)", line,
                                              said.held_before));
  }

private:
  struct nothing {};
  std::function<void(std::string_view)> sink_;
  repeat_limiter<nothing> kinds_{1};
};

}  // namespace cairn::net
