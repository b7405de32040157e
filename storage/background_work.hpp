#pragma once
// A bounded queue of chores that storage hands to whichever thread has time for them.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

namespace cairn::storage {

/// Thread-safe. Chores are hints: dropping one costs speed, never data.
class background_work {
public:
  enum class kind : std::uint8_t {
    luxury,  ///< dropped by finish()
    tidy,    ///< run by finish(), so that the next start finds less to do
  };

  /// Adds a chore; the oldest is dropped when `k_chores_max` wait.
  void add(kind what, std::function<void()> chore);
  /// Runs the oldest chore on the calling thread. False when there was none.
  bool run_one();
  [[nodiscard]] bool empty() const;
  /// Drops all chores and waits for the one that is running. Later ones are refused.
  void stop();
  /// As stop(), but runs the tidy ones first, on the calling thread.
  void finish();

private:
  static constexpr std::size_t k_chores_max = 64;
  mutable std::mutex mutex_;
  std::mutex running_;
  struct chore_entry {
    kind what;
    std::function<void()> run;
  };
  std::deque<chore_entry> chores_;
  bool stopped_ = false;
};

}  // namespace cairn::storage
