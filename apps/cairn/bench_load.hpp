#pragma once
// A closed-loop HTTP load from one thread: every connection sends its next request when the answer
// to the one before has come. Straight on epoll with one send and one receive per request, so that
// on a machine that also runs the node most of the work is the node's.

#include "apps/cairn/latency_histogram.hpp"
#include "net/client/http_client.hpp"
#include "storage/base/result.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace cairn::cli {

struct load_options {
  net::server_address server;
  std::uint32_t connection_count = 16;
  std::chrono::milliseconds warm_up{1000};  ///< not counted
  std::chrono::milliseconds duration{10'000};
  /// The whole next request of a connection. The reference must stay valid until its next call.
  std::function<const std::string&(std::uint32_t connection)> next_request;
  const std::atomic<bool>* interrupted = nullptr;
  std::function<void(double part, std::uint64_t answer_count)> progressed;
};

struct load_report {
  double elapsed_s = 0;
  std::uint64_t sent_bytes = 0;      ///< of whole requests
  std::uint64_t received_bytes = 0;  ///< of whole answers
  latency_histogram latencies;       ///< of answers with 2xx
  std::map<unsigned, std::uint64_t> failed_by_status;
  std::uint64_t broken_count = 0;  ///< connections that broke; they are made anew
  std::string sample;              ///< the first answer that was not 2xx

  [[nodiscard]] std::uint64_t failed_count() const;
};

/// Runs the load. unavailable when the node cannot be connected to at first.
[[nodiscard]] result<load_report> run_load(const load_options& options);

}  // namespace cairn::cli
