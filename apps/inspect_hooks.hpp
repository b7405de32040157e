#pragma once
// What a process tells its InspectActor about itself.

#include "actors/inspect/inspect_actor.hpp"
#include "storage/env.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace cairn::apps {

/// A text that one thread sets and others read.
class shared_text {
public:
  void set(std::string text) {
    const std::lock_guard lock(mutex_);
    text_ = std::move(text);
  }
  [[nodiscard]] std::string get() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

private:
  mutable std::mutex mutex_;
  std::string text_;  // guarded by mutex_
};

/// What the facts of a node are made of.
struct process_sources {
  std::string data_dir;
  std::string peer;                         ///< where other nodes reach it
  std::shared_ptr<const shared_text> http;  ///< where clients do; empty until the gateway listens
  unix_ms started_ms = 0;
  std::function<std::uint32_t()> observers;  ///< consoles that are linked
};

/// Fills in what the process knows: version, addresses, disk, memory, threads. Reads /proc and asks
/// the file system for its free space: well below a millisecond, and not on any append's way.
[[nodiscard]] std::function<void(v1::NodeFacts&)> process_facts_hook(process_sources sources);

}  // namespace cairn::apps
