#pragma once
// Latencies in buckets whose width is at most 1.6 % of their value: constant memory, constant work.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace cairn::cli {

class latency_histogram {
public:
  void add(std::uint64_t latency_ns) {
    ++buckets_[bucket_of(latency_ns)];
    ++count_;
    sum_ns_ += latency_ns;
    max_ns_ = std::max(max_ns_, latency_ns);
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t max_ns() const { return max_ns_; }
  [[nodiscard]] double mean_ns() const {
    return count_ == 0 ? 0 : static_cast<double>(sum_ns_) / static_cast<double>(count_);
  }

  /// The smallest bucket bound that at least `part` (0 to 1) of the latencies do not exceed.
  [[nodiscard]] std::uint64_t quantile_ns(double part) const {
    const auto wanted = static_cast<std::uint64_t>(part * static_cast<double>(count_) + 0.5);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen >= wanted && seen > 0) return std::min(upper_bound_of(i), max_ns_);
    }
    return max_ns_;
  }

private:
  // Values below 64 have a bucket each; above, every power of two is cut into 64.
  static constexpr unsigned k_cut_bits = 6;
  static constexpr std::size_t k_cut = std::size_t{1} << k_cut_bits;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < k_cut) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - k_cut_bits - 1;
    return (shift + 1) * k_cut + ((value >> shift) - k_cut);
  }

  static std::uint64_t upper_bound_of(std::size_t bucket) {
    if (bucket < k_cut) return bucket;
    const auto shift = bucket / k_cut - 1;
    return ((bucket % k_cut + k_cut + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - k_cut_bits + 1) * k_cut> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ns_ = 0;
  std::uint64_t max_ns_ = 0;
};

}  // namespace cairn::cli
