#pragma once
// What a node's hub does differently for observers: which envelopes may go to them, how many of
// theirs may wait, and how much is said about them.

#include "actors/peer_envelope.hpp"
#include "actors/peer_frame.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <utility>

namespace cairn::apps {

/// What may go out on a link, as peer_frame judges at its other end.
[[nodiscard]] inline bool may_carry(actors::peer_role role, actors::peer_kind kind) {
  switch (role) {
    case actors::peer_role::member:
      return true;
    case actors::peer_role::observer:
      return kind == actors::peer_kind::inspect_answer;
    case actors::peer_role::observed:
      return kind == actors::peer_kind::inspect;
  }
  return false;
}

/// Keeps an envelope's head, and counts it as unread until whoever got it has let go of it.
struct unread_ticket {
  unread_ticket(std::shared_ptr<std::atomic<std::size_t>> counted, shared_bytes head)
      : unread(std::move(counted)), kept(std::move(head)) {}
  ~unread_ticket() { unread->fetch_sub(1, std::memory_order_relaxed); }
  unread_ticket(const unread_ticket&) = delete;
  unread_ticket& operator=(const unread_ticket&) = delete;

  std::shared_ptr<std::atomic<std::size_t>> unread;
  shared_bytes kept;
};

/// Observers come and go as somebody at a terminal pleases, or a script: a line of each kind within
/// ten seconds is enough. Guarded by its owner's lock.
class few_lines {
public:
  /// What to say of `line`; empty: nothing.
  std::string admit(std::string line) {
    const auto now = std::chrono::steady_clock::now();
    if (said_ && now - last_ < k_every) {
      ++dropped_;
      return {};
    }
    said_ = true;
    last_ = now;
    const auto dropped = std::exchange(dropped_, 0);
    if (dropped == 0) return line;
    return fmt::format("{} ({} more like it since the last such line)", line, dropped);
  }

private:
  static constexpr std::chrono::seconds k_every{10};
  bool said_ = false;
  std::chrono::steady_clock::time_point last_;
  std::uint64_t dropped_ = 0;
};

}  // namespace cairn::apps
