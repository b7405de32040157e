#include "apps/sim/network.hpp"

#include <algorithm>

namespace cairn::sim {

network::network(scheduler& time, std::uint64_t seed, std::uint64_t machine_count,
                 const network_config& config, receiver deliver)
    : time_(time),
      random_(seed),
      machine_count_(machine_count),
      config_(config),
      deliver_(std::move(deliver)),
      links_(machine_count * machine_count) {
  for (directed_link& l : links_) {
    if (random_.one_in(8)) l.slowness = 1 + random_.below(8);
  }
}

void network::send(packet p) {
  ++sent_;
  const directed_link& l = link(p.from, p.to);
  if (l.cut || random_.below(100) < config_.loss_percent) return;
  const std::uint64_t delay_ns =
      l.slowness * (config_.delay_min_ns + random_.below(config_.delay_jitter_ns + 1));
  const std::uint64_t clog_ns =
      l.clogged_until_ns > time_.now_ns() ? l.clogged_until_ns - time_.now_ns() : 0;
  // Raft takes anything any number of times. Forwarded appends and their outcomes rely on the
  // connection between two nodes, which may end but repeats nothing.
  const bool repeatable = p.kind == actors::peer_kind::raft;
  if (repeatable && random_.below(100) < config_.replay_percent) {
    deliver_after(clog_ns + delay_ns + random_.below(config_.replay_delay_ns), p);
  }
  deliver_after(clog_ns + delay_ns, p);
}

// A cut stops what is under way, too: connections end with it.
void network::deliver_after(std::uint64_t delay_ns, const packet& p) {
  time_.after(delay_ns, [this, p] {
    if (!link(p.from, p.to).cut) deliver_(p);
  });
}

void network::partition(const std::vector<std::uint64_t>& sides, bool one_way) {
  for (std::uint64_t from = 0; from < machine_count_; ++from) {
    for (std::uint64_t to = 0; to < machine_count_; ++to) {
      const bool passes = sides[from] == sides[to] || (one_way && sides[from] == 0);
      link(from, to).cut = !passes;
    }
  }
}

void network::heal(bool calm) {
  for (directed_link& l : links_) {
    l.cut = false;
    l.clogged_until_ns = 0;
    if (calm) l.slowness = 1;
  }
  if (!calm) return;
  config_.loss_percent = 0;
  config_.replay_percent = 0;
  config_.delay_min_ns = std::min<std::uint64_t>(config_.delay_min_ns, k_ns_per_ms);
  config_.delay_jitter_ns = std::min<std::uint64_t>(config_.delay_jitter_ns, 5 * k_ns_per_ms);
}

}  // namespace cairn::sim
