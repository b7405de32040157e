#pragma once
// The load generator's one thread: epoll over all connections. Each keeps `in_flight` requests
// unanswered; every answer is followed by the next request at once.

#include "bench/compare/wire.hpp"

#include <cstdint>
#include <netinet/in.h>
#include <string>
#include <vector>

namespace cairn::bench {

struct load_plan {
  work_plan work;
  std::vector<sockaddr_in> addresses;  ///< connections are dealt to them in turn
  std::uint32_t connections = 1;
  std::uint32_t in_flight = 1;  ///< requests on each connection; more than 1 for NATS alone
  double warm_up_s = 0;         ///< before anything is counted
  double seconds = 1;           ///< at most
  std::uint64_t limit = 0;      ///< requests, after which it ends; 0: by time
  std::vector<int> server_pids;
};

/// What was seen after the warm-up.
struct load_figures {
  double seconds = 0;
  std::uint64_t requests = 0;
  std::uint64_t records = 0;
  std::uint64_t refusals = 0;
  std::string refusal;                 ///< the first one
  std::vector<std::uint32_t> took_us;  ///< of each answer
  std::vector<double> server_cpu_s;    ///< user and system time, in the order of the pids
  double own_cpu_s = 0;
};

/// Runs the load to its end. Fails when a server cannot be reached, breaks a connection, does not
/// speak its protocol, or answers nothing for 30 s.
[[nodiscard]] result<load_figures> run_load(const load_plan& plan, shared_state& shared);

}  // namespace cairn::bench
