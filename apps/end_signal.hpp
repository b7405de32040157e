#pragma once
// Why a node ends: somebody asks for it (SIGTERM, SIGINT), or something inside is broken.

#include <mutex>
#include <optional>
#include <string>

namespace cairn::apps {

/// Made by the main thread before any other thread starts, so that all of them inherit the blocked
/// signals; one in a process.
class end_signal {
public:
  end_signal();
  ~end_signal();
  end_signal(const end_signal&) = delete;
  end_signal& operator=(const end_signal&) = delete;

  /// Any thread; never blocks. The first reason stays.
  void fail(const std::string& reason);

  /// Any thread; never blocks. Ends one wait_for_wake(), the one under way or the next.
  void wake();
  /// Waits until woken or for `timeout_ms`, -1: any time (true), or until wait() would not have to
  /// (false). Main thread.
  [[nodiscard]] bool wait_for_wake(int timeout_ms = -1);

  /// Waits for a signal or a failure. Returns the failure's reason, or nothing after a signal. From
  /// then on a further signal ends the process at once. Main thread.
  [[nodiscard]] std::optional<std::string> wait();

private:
  int signals_ = -1;   // signalfd
  int failures_ = -1;  // eventfd
  int wakes_ = -1;     // eventfd
  std::mutex mutex_;
  std::optional<std::string> reason_;  // guarded by mutex_
};

}  // namespace cairn::apps
