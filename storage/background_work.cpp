#include "storage/background_work.hpp"

#include <utility>

namespace cairn::storage {

void background_work::add(kind what, std::function<void()> chore) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  if (chores_.size() == k_chores_max) chores_.pop_front();
  chores_.push_back({what, std::move(chore)});
}

bool background_work::run_one() {
  const std::lock_guard running(running_);
  std::function<void()> chore;
  {
    const std::lock_guard lock(mutex_);
    if (chores_.empty()) return false;
    chore = std::move(chores_.front().run);
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

void background_work::finish() {
  std::deque<chore_entry> left;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    left.swap(chores_);
  }
  const std::lock_guard running(running_);
  for (const auto& chore : left) {
    if (chore.what == kind::tidy) chore.run();
  }
}

}  // namespace cairn::storage
