#pragma once
// What the ClusterActor shares with ports and probes without a message: who is in the cluster and
// why this node does not serve as a member.

#include "actors/messages.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace cairn::actors {

/// Thread-safe.
class cluster_view {
public:
  void set(cluster_report report) {
    auto next = std::make_shared<const cluster_report>(std::move(report));
    const std::lock_guard lock(mutex_);
    report_ = std::move(next);
  }
  /// Never null.
  [[nodiscard]] std::shared_ptr<const cluster_report> get() const {
    const std::lock_guard lock(mutex_);
    return report_;
  }

  /// Empty: nothing stands against serving.
  void set_unready(std::string reason) {
    const std::lock_guard lock(mutex_);
    unready_ = std::move(reason);
  }
  [[nodiscard]] std::string unready() const {
    const std::lock_guard lock(mutex_);
    return unready_;
  }

private:
  mutable std::mutex mutex_;
  std::shared_ptr<const cluster_report> report_ = std::make_shared<const cluster_report>();
  std::string unready_;
};

}  // namespace cairn::actors
