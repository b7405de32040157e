#pragma once
// The simulated network: every directed link has its own delay, loss, replay, cut and clog. What
// goes in are the bytes that real nodes would send each other.

#include "actors/peer_envelope.hpp"
#include "apps/sim/scheduler.hpp"
#include "storage/base/bytes.hpp"
#include "tests/support/sim_random.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace cairn::sim {

struct network_config {
  std::uint64_t delay_min_ns = 100'000;
  std::uint64_t delay_jitter_ns = 500'000;
  std::uint64_t loss_percent = 0;
  std::uint64_t replay_percent = 0;  ///< of messages that come once more, later
  std::uint64_t replay_delay_ns = 500 * k_ns_per_ms;
};

struct packet {
  std::uint64_t from = 0;  ///< positions of machines, from 0
  std::uint64_t to = 0;
  actors::peer_kind kind = actors::peer_kind::raft;
  shared_bytes head;
  shared_bytes body;
};

class network {
public:
  using receiver = std::function<void(const packet&)>;

  network(scheduler& time, std::uint64_t seed, std::uint64_t machine_count,
          const network_config& config, receiver deliver);

  /// Lost, late, in another order or twice, as configured.
  void send(packet p);

  void cut(std::uint64_t from, std::uint64_t to) { link(from, to).cut = true; }
  /// Messages of the link stay on the way until then, and come all at once.
  void clog(std::uint64_t from, std::uint64_t to, std::uint64_t until_ns) {
    link(from, to).clogged_until_ns = until_ns;
  }
  /// Only messages between machines of one side pass. `one_way`: those from side 0 pass anyway.
  void partition(const std::vector<std::uint64_t>& sides, bool one_way);
  /// All links as at the start; `calm`: without loss and replay, and quick, from now on.
  void heal(bool calm);

  [[nodiscard]] bool connected(std::uint64_t from, std::uint64_t to) const {
    return !links_[from * machine_count_ + to].cut;
  }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }

private:
  struct directed_link {
    bool cut = false;
    std::uint64_t clogged_until_ns = 0;
    std::uint64_t slowness = 1;  // factor of the delay
  };

  directed_link& link(std::uint64_t from, std::uint64_t to) {
    return links_[from * machine_count_ + to];
  }
  void deliver_after(std::uint64_t delay_ns, const packet& p);

  scheduler& time_;
  testing::sim_random random_;
  std::uint64_t machine_count_;
  network_config config_;
  receiver deliver_;
  std::vector<directed_link> links_;
  std::uint64_t sent_ = 0;
};

}  // namespace cairn::sim
