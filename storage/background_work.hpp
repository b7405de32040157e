#pragma once
// A bounded queue of chores that storage hands to whichever thread has time for them.

#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>

namespace cairn::storage {

/// Thread-safe. Chores are hints: dropping one costs speed, never data.
class background_work {
public:
  /// Adds a chore; the oldest is dropped when `k_chores_max` wait.
  void add(std::function<void()> chore);
  /// Runs the oldest chore on the calling thread. False when there was none.
  bool run_one();
  [[nodiscard]] bool empty() const;
  /// Drops all chores and waits for the one that is running.
  void stop();

private:
  static constexpr std::size_t k_chores_max = 64;
  mutable std::mutex mutex_;
  std::mutex running_;
  std::deque<std::function<void()>> chores_;
  bool stopped_ = false;
};

}  // namespace cairn::storage
