#include "actors/log_gate.hpp"

#include <fmt/format.h>

namespace cairn::actors {

log_gate::log_gate(const log_limits& limits)
    : waiting_readers(limits.waiting_readers_max),
      cold_reads(limits.cold_reads_max),
      segment_reads_max(limits.segment_reads_max),
      appends_(limits.queued_appends_max),
      bytes_(limits.queued_bytes_max) {}

bool log_gate::admit_append(std::uint64_t bytes) {
  if (appends_.try_add(1)) {
    if (bytes_.try_add_or_alone(bytes)) return true;
    appends_.remove(1);
  }
  count_refused();
  return false;
}

void log_gate::release_appends(std::uint64_t count, std::uint64_t bytes) {
  appends_.remove(count);
  bytes_.remove(bytes);
}

void log_gate::fence(std::string reason) {
  const std::lock_guard lock(mutex_);
  if (fenced_.load(std::memory_order_relaxed)) return;
  fence_reason_ = std::move(reason);
  fenced_.store(true, std::memory_order_release);
}

std::string log_gate::closed_reason() const {
  if (fenced()) {
    const std::lock_guard lock(mutex_);
    return fence_reason_;
  }
  return closing() ? "the node is shutting down" : "";
}

std::vector<std::string> log_gate::unready_reasons(std::uint64_t now_ns) const {
  std::vector<std::string> reasons;
  if (auto closed = closed_reason(); !closed.empty()) reasons.push_back(std::move(closed));
  if (disk_full()) {
    reasons.emplace_back("the disk is full: appends are refused, reads go on");
  }
  const auto since = write_since_ns_.load();
  if (since != 0 && now_ns > since + k_hung_write_ns) {
    reasons.push_back(fmt::format("a write to the disk has not returned for {} s",
                                  (now_ns - since) / 1'000'000'000));
  }
  return reasons;
}

}  // namespace cairn::actors
