#pragma once
// The gateway's metrics. Each thread counts in plain memory and adds what it has counted to the
// shared registry a few times a second: a request costs a few increments and no atomic operation.

#include "net/http/request.hpp"
#include "net/http/router.hpp"
#include "net/http/status.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace prometheus {
class Registry;
}

namespace cairn::net {

/// Why a connection was turned away.
enum class refusal : std::uint8_t { too_many_connections, bad_request, timed_out };
inline constexpr std::size_t k_refusal_count = 3;

/// The families in the registry. Shared by the gateway's threads; thread-safe.
class http_metrics {
public:
  /// Registers the cairn_http_* families.
  explicit http_metrics(prometheus::Registry& registry);
  ~http_metrics();
  http_metrics(const http_metrics&) = delete;
  http_metrics& operator=(const http_metrics&) = delete;

private:
  friend class worker_metrics;
  struct families;
  std::unique_ptr<families> families_;
};

/// What one gateway thread has counted since its last flush. Owner: that thread.
class worker_metrics {
public:
  explicit worker_metrics(http_metrics& shared);

  /// A request was answered, `took` after its head had come.
  void count_request(http_method method, route_id route, int status, std::chrono::nanoseconds took);
  void count_bytes_in(std::uint64_t bytes) { bytes_in_ += bytes; }
  void count_bytes_out(std::uint64_t bytes) { bytes_out_ += bytes; }
  void count_connection() { ++connections_; }
  void count_refused(refusal why) { ++refused_[static_cast<std::size_t>(why)]; }

  /// Adds the counts to the registry. `open_connections` and `in_flight` are this thread's now.
  void flush(std::size_t open_connections, std::size_t in_flight);

private:
  static constexpr std::size_t k_slot_count = k_route_count * k_method_count * k_status_count;
  static constexpr std::size_t k_bucket_count = 16;

  struct route_latency {
    std::array<std::uint32_t, k_bucket_count> buckets{};
    double sum_s = 0;
    bool dirty = false;
  };

  void flush_requests();
  void flush_latencies();

  http_metrics* shared_;
  std::vector<std::uint32_t> requests_;        // by slot
  std::vector<std::uint32_t> dirty_requests_;  // slots that are not 0
  std::array<route_latency, k_route_count> latencies_;
  std::array<std::uint64_t, k_refusal_count> refused_{};
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
  std::uint64_t connections_ = 0;
  std::size_t flushed_open_ = 0;
  std::size_t flushed_in_flight_ = 0;
};

/// The text of GET /metrics: everything in `registry`, as Prometheus reads it.
[[nodiscard]] std::string format_metrics(prometheus::Registry& registry);

}  // namespace cairn::net
