#pragma once
// Every limit and deadline of the gateway, spelled once. The defaults are the contract of the HTTP
// API; tests make them small.

#include "storage/base/units.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace cairn::net {

/// Bounds on what one client, and all of them together, can make the gateway hold or wait for.
struct gateway_limits {
  using ms = std::chrono::milliseconds;

  // All connections.
  std::size_t max_connections = 10'000;   ///< served in full; beyond it 503 and close
  std::size_t overflow_connections = 64;  ///< accepted beyond, for probes and metrics only
  std::uint64_t max_held_bytes =
      512 * k_mib_bytes;  ///< bodies and answers in memory; beyond it 503

  // One connection.
  std::size_t max_pipelined = 16;  ///< requests read but not answered; then reading pauses
  std::size_t output_chunk_bytes = 64 * k_kib_bytes;  ///< a stream goes on once this is written

  // One request.
  std::size_t target_bytes = 8 * k_kib_bytes;
  std::size_t header_bytes = 16 * k_kib_bytes;  ///< all fields, without the request line
  std::size_t header_fields = 100;
  std::uint64_t body_bytes = 16 * k_mib_bytes;
  std::size_t chunk_line_bytes = 4 * k_kib_bytes;  ///< a chunk's size and extensions
  std::size_t trailer_bytes = 8 * k_kib_bytes;

  // Time. A header has one deadline in all; a body may take `body` plus what `body_min_bytes_per_s`
  // allows for the bytes that have come; a write must get some bytes out within `write`.
  ms header{10'000};
  ms body{30'000};
  std::uint64_t body_min_bytes_per_s = 64 * k_kib_bytes;
  ms idle{75'000};
  ms write{30'000};
  ms overflow{2'000};        ///< a connection over the cap must have asked by then
  ms linger{2'000};          ///< for the client to read an error before the connection closes
  ms backend_grace{1'000};   ///< past a request's own deadline, for the node to answer itself
  ms read_deadline{30'000};  ///< for a read, in addition to its wait_ms
  std::size_t node_event_streams = 32;  ///< of /v1/events, for each gateway thread; beyond it 429
  ms event_comment{15'000};             ///< between signs of life on a stream of events
  std::uint64_t linger_bytes = 32 * k_mib_bytes;  ///< discarded while lingering
};

/// Limits on what a client asks for, with the defaults of the API.
inline constexpr std::uint64_t k_append_timeout_ms_default = 10'000;
inline constexpr std::uint64_t k_append_timeout_ms_max = 60'000;
inline constexpr std::uint64_t k_read_wait_ms_max = 60'000;
inline constexpr std::uint64_t k_read_limit_default = 100;
inline constexpr std::uint64_t k_read_limit_max = 10'000;
inline constexpr std::uint64_t k_read_bytes_default = k_mib_bytes;
inline constexpr std::uint64_t k_read_bytes_max = 16 * k_mib_bytes;
/// What a stream asks of the node at a time: bounds what one connection holds.
inline constexpr std::uint64_t k_read_step_bytes = k_mib_bytes;

/// Bodies and answers from this size on count for max_held_bytes; smaller ones are bounded by the
/// number of requests.
inline constexpr std::size_t k_accounted_bytes = 16 * k_kib_bytes;

}  // namespace cairn::net
