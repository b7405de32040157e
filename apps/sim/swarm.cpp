#include "apps/sim/swarm.hpp"

#include <array>
#include <fmt/format.h>

namespace cairn::sim {
namespace {

class dice {
public:
  explicit dice(testing::sim_random& random) : random_(random) {}
  std::uint64_t between(std::uint64_t least, std::uint64_t most) {
    return least + random_.below(most - least + 1);
  }
  /// Nothing in all but one of `n` runs.
  std::uint64_t sometimes(std::uint64_t n, std::uint64_t least, std::uint64_t most) {
    return random_.one_in(n) ? between(least, most) : 0;
  }

private:
  testing::sim_random& random_;
};

void draw_machines(swarm& s, testing::sim_random& random, std::uint64_t nodes) {
  const std::uint64_t drawn = std::array<std::uint64_t, 8>{3, 3, 3, 4, 5, 5, 6, 7}[random.below(8)];
  s.nodes = nodes != 0 ? nodes : drawn;
  s.voters = s.nodes >= 4 && random.coin() ? s.nodes - 1 - random.below(s.nodes - 3) : s.nodes;
  s.small_windows = random.coin();
  s.append_bytes = random.coin() ? 1 : 600;
  s.segment_bytes = std::array<std::uint64_t, 3>{4096, 16 * 1024, 128 * 1024}[random.below(3)];
  s.quiesce = random.coin();
}

void draw_network(swarm& s, testing::sim_random& random) {
  dice d(random);
  s.net.delay_min_ns = 1000 * d.between(20, 1000);
  s.net.delay_jitter_ns =
      1000 * (random.one_in(4) ? d.between(5'000, 200'000) : d.between(10, 5000));
  s.net.loss_percent = d.sometimes(2, 1, 30);
  s.net.replay_percent = d.sometimes(2, 1, 50);
  s.net.replay_delay_ns = k_ns_per_ms * d.between(1, 3000);
  s.partition_ms = d.sometimes(2, 1500, 8000);
  s.isolate_ms = d.sometimes(3, 1500, 8000);
  s.clog_ms = d.sometimes(4, 500, 5000);
}

void draw_machine_faults(swarm& s, testing::sim_random& random) {
  dice d(random);
  s.mailbox_us = d.between(1, random.coin() ? 50 : 2000);
  s.disk_delay_us = d.between(100, random.one_in(3) ? 60'000 : 3000);
  s.power_cut_ms = d.sometimes(2, 1000, 8000);
  s.kill_ms = d.sometimes(3, 1000, 8000);
  s.all_percent = d.sometimes(2, 5, 40);
  s.down_ms = d.between(50, 4000);
  s.pause_ms = d.sometimes(4, 2000, 8000);
  s.sync_error_ms = d.sometimes(4, 2000, 10'000);
  s.disk_full_ms = d.sometimes(5, 3000, 10'000);
  s.disk_hang_ms = d.sometimes(4, 2000, 10'000);
  s.bit_flip_ms = d.sometimes(5, 3000, 10'000);
  s.clock_jump_ms = d.sometimes(3, 1000, 5000);
  s.clock_skew_percent = d.sometimes(3, 1, 20);
}

void draw_work(swarm& s, testing::sim_random& random) {
  dice d(random);
  s.clients = d.between(1, 6);
  s.think_ms = d.between(5, random.coin() ? 100 : 500);
  s.client_timeout_ms = d.between(500, 6000);
  s.batch_records_max = d.between(1, 6);
  s.record_bytes_max = random.one_in(4) ? d.between(500, 3000) : d.between(16, 200);
  s.conditional_percent = d.sometimes(2, 5, 60);
  s.read_percent = d.between(10, 70);
  s.linearizable_percent = d.between(0, 100);
  s.leader_percent = d.between(0, 90);
  s.member_ms = s.nodes >= 4 ? d.sometimes(2, 1000, 6000) : 0;
  s.transfer_ms = d.sometimes(3, 1000, 6000);
  s.trim_ms = d.sometimes(3, 500, 4000);
}

// Leaders that come and go with entries half replicated (paper, figure 8).
void make_coups(swarm& s, testing::sim_random& random) {
  dice d(random);
  s.small_windows = true;
  s.append_bytes = 1;
  s.coup_percent = 75;
  s.member_ms = s.trim_ms = s.disk_hang_ms = s.disk_full_ms = s.bit_flip_ms = 0;
  s.partition_ms = s.isolate_ms = s.power_cut_ms = s.kill_ms = s.pause_ms = 0;
  s.transfer_ms = s.sync_error_ms = s.clog_ms = 0;
  s.net.delay_min_ns = 10 * k_ns_per_ms;
  s.net.delay_jitter_ns = k_ns_per_ms * d.between(40, 150);
  s.disk_delay_us = d.between(100, 30'000);
  s.think_ms = d.between(5, 50);
  s.relay_percent = d.sometimes(2, 50, 100);
}

// Drawn last: what seeds meant before there were identities, they mean still.
void draw_identities(swarm& s, testing::sim_random& random) {
  dice d(random);
  s.identity_percent = d.sometimes(2, 20, 100);
  if (s.identity_percent == 0) return;
  s.give_up_percent = d.between(0, 30);
  s.checkpoint_bytes = std::array<std::uint64_t, 3>{0, 4096, 64 * 1024}[random.below(3)];
}

}  // namespace

swarm swarm::draw(testing::sim_random& random, std::uint64_t nodes) {
  swarm s;
  draw_machines(s, random, nodes);
  draw_network(s, random);
  draw_machine_faults(s, random);
  draw_work(s, random);
  if (random.one_in(8)) make_coups(s, random);
  draw_identities(s, random);
  return s;
}

std::string swarm::text() const {
  std::string text = fmt::format(
      "nodes {} voters {} segment {} B quiesce {} small windows {} append {} B\n"
      "net: delay {}-{} us loss {} % replay {} % within {} ms; disk {} us mailbox {} us",
      nodes, voters, segment_bytes, quiesce, small_windows, append_bytes, net.delay_min_ns / 1000,
      (net.delay_min_ns + net.delay_jitter_ns) / 1000, net.loss_percent, net.replay_percent,
      net.replay_delay_ns / k_ns_per_ms, disk_delay_us, mailbox_us);
  text += "\nevery ms:";
  const auto interval = [&text](const char* name, std::uint64_t value) {
    if (value != 0) text += fmt::format(" {} {}", name, value);
  };
  interval("power-cut", power_cut_ms);
  interval("kill", kill_ms);
  interval("pause", pause_ms);
  interval("partition", partition_ms);
  interval("isolate", isolate_ms);
  interval("clog", clog_ms);
  interval("sync-error", sync_error_ms);
  interval("disk-full", disk_full_ms);
  interval("disk-hang", disk_hang_ms);
  interval("bit-flip", bit_flip_ms);
  interval("clock-jump", clock_jump_ms);
  interval("members", member_ms);
  interval("transfer", transfer_ms);
  interval("trim", trim_ms);
  text += fmt::format("\nall at once {} % down {} ms coups {} % relays {} % clock skew {} %",
                      all_percent, down_ms, coup_percent, relay_percent, clock_skew_percent);
  text += fmt::format(
      "\nclients {} think {} ms timeout {} ms batch {} record {} B conditional {} % reads {} % "
      "linearizable {} % to leader {} % with identity {} % (given up {} %) checkpoint {} B",
      clients, think_ms, client_timeout_ms, batch_records_max, record_bytes_max,
      conditional_percent, read_percent, linearizable_percent, leader_percent, identity_percent,
      give_up_percent, checkpoint_bytes);
  return text;
}

}  // namespace cairn::sim
