#include "actors/append_times.hpp"

#include <algorithm>
#include <numeric>

namespace cairn::actors {

std::string_view to_string(append_stage stage) {
  switch (stage) {
    case append_stage::queue:
      return "queue";
    case append_stage::forward:
      return "forward";
    case append_stage::write:
      return "write";
    case append_stage::sync:
      return "sync";
    case append_stage::replicate:
      return "replicate";
    case append_stage::commit:
      return "commit";
    case append_stage::answer:
      return "answer";
    case append_stage::total:
      return "total";
  }
  return "?";
}

std::size_t time_bucket_of(std::uint64_t ns) {
  const auto bound = std::lower_bound(k_time_bounds_ns.begin(), k_time_bounds_ns.end(), ns);
  return static_cast<std::size_t>(bound - k_time_bounds_ns.begin());
}

std::uint64_t time_totals::count() const {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

void time_totals::add(const time_totals& more) {
  for (std::size_t i = 0; i < counts.size(); ++i)
    counts[i] += more.counts[i];
  sum_ns += more.sum_ns;
}

void time_counts::add(std::uint64_t ns, std::uint64_t weight) {
  if (weight == 0) return;
  increase(counts_[time_bucket_of(ns)], weight);
  increase(sum_ns_, ns * weight);
}

void time_counts::add(const time_tally& tally) {
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (tally.counts[i] != 0) increase(counts_[i], tally.counts[i]);
  }
  if (tally.sum_ns != 0) increase(sum_ns_, tally.sum_ns);
}

time_totals time_counts::totals() const {
  time_totals out;
  for (std::size_t i = 0; i < counts_.size(); ++i)
    out.counts[i] = counts_[i].load(std::memory_order_relaxed);
  out.sum_ns = sum_ns_.load(std::memory_order_relaxed);
  return out;
}

std::shared_ptr<stage_counts> append_times::open() {
  auto counts = std::make_shared<stage_counts>();
  const std::lock_guard lock(mutex_);
  writers_.push_back(counts);
  return counts;
}

std::shared_ptr<time_counts> append_times::open_peer(const std::string& node) {
  const std::lock_guard lock(mutex_);
  const auto known = peers_.find(node);
  if (known != peers_.end()) return known->second;
  if (peers_.size() >= k_peers_max) return nullptr;
  return peers_.emplace(node, std::make_shared<time_counts>()).first->second;
}

std::array<time_totals, k_append_stage_count> append_times::stages() const {
  std::array<time_totals, k_append_stage_count> out{};
  const std::lock_guard lock(mutex_);
  for (const auto& writer : writers_) {
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i].add(writer->of(static_cast<append_stage>(i)).totals());
  }
  return out;
}

std::map<std::string, time_totals> append_times::peers() const {
  std::map<std::string, time_totals> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [node, counts] : peers_)
    out.emplace(node, counts->totals());
  return out;
}

}  // namespace cairn::actors
