#pragma once
// Where actors leave messages for a gateway thread.

#include <caf/mailbox_element.hpp>
#include <functional>
#include <mutex>
#include <vector>

namespace cairn::apps {

/// Many threads put, one takes. Outlives neither side: shared by the port and its companion actor,
/// whose enqueue callback runs in the sender's thread, so that a message costs one wake-up and no
/// scheduler.
class port_inbox {
public:
  explicit port_inbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  /// Any thread. Wakes the owner when the inbox was empty.
  void put(caf::mailbox_element_ptr message) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      messages_.push_back(std::move(message));
      if (messages_.size() > 1) return;
    }
    wake_();
  }

  /// Takes all. Owner's thread.
  [[nodiscard]] std::vector<caf::mailbox_element_ptr> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(messages_, {});
  }

  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return messages_.size();
  }

  /// Wakes the owner for something it has left for itself.
  void wake() const { wake_(); }

  /// Drops what is there and what comes.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    messages_.clear();
  }

private:
  std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::vector<caf::mailbox_element_ptr> messages_;  // guarded by mutex_
  bool closed_ = false;                             // guarded by mutex_
};

}  // namespace cairn::apps
