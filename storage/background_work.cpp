#include "storage/background_work.hpp"

#include <utility>

namespace cairn::storage {

void background_work::add(std::function<void()> chore) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  if (chores_.size() == k_chores_max) chores_.pop_front();
  chores_.push_back(std::move(chore));
}

bool background_work::run_one() {
  const std::lock_guard running(running_);
  std::function<void()> chore;
  {
    const std::lock_guard lock(mutex_);
    if (chores_.empty()) return false;
    chore = std::move(chores_.front());
    chores_.pop_front();
  }
  chore();
  return true;
}

bool background_work::empty() const {
  const std::lock_guard lock(mutex_);
  return chores_.empty();
}

void background_work::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    chores_.clear();
  }
  const std::lock_guard running(running_);  // the one that runs has ended when we get this
}

}  // namespace cairn::storage
