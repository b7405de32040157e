#pragma once
// A closed-loop HTTP load from one thread: every connection sends its next request when the answer
// to the one before has come. Straight on epoll with one send and one receive per request, so that
// on a machine that also runs the node most of the work is the node's.
//
// A connection that breaks, or waits too long for an answer, takes its request with it: that one
// has failed (whether an append was stored nobody knows). The connection is made again, at the next
// of the servers, with short pauses between tries, and the run goes on.

#include "apps/cairn/latency_histogram.hpp"
#include "net/client/http_client.hpp"
#include "storage/base/result.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace cairn::cli {

struct load_options {
  /// The first one is begun with; after a break the next one is tried, in turn. @pre not empty
  std::vector<net::server_address> servers;
  std::uint32_t connection_count = 16;
  std::chrono::milliseconds warm_up{1000};  ///< not counted
  std::chrono::milliseconds duration{10'000};
  std::chrono::milliseconds connect_timeout{3000};
  std::chrono::milliseconds request_timeout{30'000};  ///< without any progress
  /// It gives up when every connection has been without an answer, and broken, for so long. Zero:
  /// after one more try.
  std::chrono::milliseconds failover_limit{0};
  /// The whole next request of a connection, to that one of `servers`. The reference must stay
  /// valid until the connection's next call.
  std::function<const std::string&(std::uint32_t connection, std::size_t server)> next_request;
  const std::atomic<bool>* interrupted = nullptr;
  std::function<void(double part, std::uint64_t answer_count)> progressed;
};

struct load_report {
  double elapsed_s = 0;
  std::uint64_t sent_bytes = 0;      ///< of whole requests
  std::uint64_t received_bytes = 0;  ///< of whole answers
  latency_histogram latencies;       ///< of answers with 2xx
  std::map<unsigned, std::uint64_t> failed_by_status;
  /// Connections that broke, each with one request under way; they are made anew.
  std::uint64_t broken_count = 0;
  std::string sample;  ///< the first answer that was not 2xx
  /// In which no connection got an answer with 2xx; the warm-up counts here.
  std::chrono::nanoseconds longest_gap{0};
  std::string gave_up;  ///< why it ended early, when no server could be connected to any more

  [[nodiscard]] std::uint64_t failed_count() const;
};

/// Runs the load. unavailable when the first server cannot be connected to at the beginning.
[[nodiscard]] result<load_report> run_load(const load_options& options);

}  // namespace cairn::cli
