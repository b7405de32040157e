#pragma once
// What the MembershipActor shares with ports and metrics without a message: who is there, as far as
// this node can tell.

#include "actors/swim/core.hpp"
#include "storage/base/ids.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace cairn::actors {

struct member_status {
  swim::member_info info;
  swim::member_state state = swim::member_state::alive;
  std::uint64_t incarnation = 0;
  unix_ms since_ms = 0;  ///< in this state, by this node's clock
  std::string by;        ///< who suspected it or gave it up; empty for alive
  bool linked = false;   ///< there is a link to it, or it is this node
};

struct membership_report {
  std::vector<member_status> members;  ///< ascending by node id; this node is one of them

  /// Null: not known.
  [[nodiscard]] const member_status* find(std::string_view node) const {
    for (const auto& one : members) {
      if (one.info.node_id == node) return &one;
    }
    return nullptr;
  }
};

struct membership_counters {
  swim::counters core;
  std::uint32_t health_score = 0;  ///< 0: this node itself works well (Lifeguard)
  std::uint64_t refused = 0;       ///< envelopes that no honest member sends
  std::uint64_t dropped = 0;       ///< messages that no link took
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
};

/// Thread-safe.
class membership_view {
public:
  void set(membership_report report) {
    auto next = std::make_shared<const membership_report>(std::move(report));
    const std::lock_guard lock(mutex_);
    report_ = std::move(next);
  }
  /// Never null.
  [[nodiscard]] std::shared_ptr<const membership_report> get() const {
    const std::lock_guard lock(mutex_);
    return report_;
  }

  void set(const membership_counters& counters) {
    const std::lock_guard lock(mutex_);
    counters_ = counters;
  }
  [[nodiscard]] membership_counters counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
  }

private:
  mutable std::mutex mutex_;
  std::shared_ptr<const membership_report> report_ = std::make_shared<const membership_report>();
  membership_counters counters_;
};

}  // namespace cairn::actors
