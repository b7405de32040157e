// Real systems have shipped these bugs (the numbers are those of docs/protocol/raft.md). Each is
// planted in turn, in a swarm that favours its circumstances, and must be seen within a few seeds.

#include "storage/base/planted_bug.hpp"

#include "apps/sim/run.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace cairn::testing {
namespace {

// What is found must be a broken promise, and no accident of the simulation.
void must_be_found(int bug, std::uint64_t seeds_max, const sim::swarm_tweak& tweak) {
  // Without the bug the same swarm is clean, so that what is found is the bug.
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const sim::seed_result result = sim::run_seed(seed, 0, tweak);
    CHECK_MESSAGE(result.ok(), sim::failure_text(seed, 0, result));
  }
  planted_bug_number = bug;
  std::string found;
  for (std::uint64_t seed = 1; seed <= seeds_max && found.empty(); ++seed) {
    const sim::seed_result result = sim::run_seed(seed, 0, tweak);
    if (result.ok() || result.report.broken.find("liveness") != std::string::npos) continue;
    found = fmt::format("bug {}, seed {}: {}", bug, seed, result.report.broken);
  }
  planted_bug_number = 0;
  CHECK_MESSAGE(!found.empty(), fmt::format("bug {} not found in {} seeds", bug, seeds_max));
  if (!found.empty()) MESSAGE(found);
}

// Nothing but work.
void calm(sim::swarm& s) {
  const sim::swarm calm_swarm;
  s.power_cut_ms = s.kill_ms = s.pause_ms = s.partition_ms = s.isolate_ms = s.clog_ms = 0;
  s.sync_error_ms = s.disk_full_ms = s.disk_hang_ms = s.bit_flip_ms = s.clock_jump_ms = 0;
  s.member_ms = s.transfer_ms = s.trim_ms = s.coup_percent = s.identity_percent = 0;
  s.net = calm_swarm.net;
  s.disk_delay_us = calm_swarm.disk_delay_us;
  s.fault_ms = 10'000;
}

}  // namespace

TEST_CASE("planted bug 1: an entry of an earlier term is committed by counting") {
  // Paper, figure 8: leaders take turns, each with an entry that the others lack.
  must_be_found(1, 50, [](sim::swarm& s) {
    calm(s);
    s.nodes = s.voters = 5;
    s.relay_percent = 100;
    s.small_windows = true;
    s.append_bytes = 1;
    s.net.delay_min_ns = 5 * sim::k_ns_per_ms;
    s.net.delay_jitter_ns = 20 * sim::k_ns_per_ms;
    s.think_ms = 5000;
    s.clients = 1;
    s.quiesce = false;
    s.fault_ms = 60'000;
  });
}

TEST_CASE("planted bug 7: a leader counts itself before its own sync") {
  must_be_found(7, 20, [](sim::swarm& s) {
    calm(s);
    s.disk_delay_us = 30'000;
    s.power_cut_ms = 1500;
    s.all_percent = 50;
  });
}

TEST_CASE("planted bug 10: 'durable up to index i' is believed for bytes since overwritten") {
  must_be_found(10, 50, [](sim::swarm& s) {
    calm(s);
    s.nodes = s.voters = 3;
    s.disk_delay_us = 200'000;
    s.isolate_ms = 1500;
    s.net.delay_jitter_ns = 50 * sim::k_ns_per_ms;
    s.think_ms = 20;
    s.leader_percent = 90;
  });
}

TEST_CASE("planted bug 13: a vote is answered before it is durable") {
  must_be_found(13, 20, [](sim::swarm& s) {
    calm(s);
    s.disk_delay_us = 30'000;
    s.power_cut_ms = 1500;
  });
}

TEST_CASE("planted bug 21: a deposed leader answers a linearizable read by itself") {
  must_be_found(21, 50, [](sim::swarm& s) {
    calm(s);
    // A leader that stood still goes on and does not know yet that another one leads.
    s.pause_ms = 1500;
    s.isolate_ms = 3000;
    s.read_percent = 60;
    s.linearizable_percent = 100;
    s.leader_percent = 0;
    s.think_ms = 20;
  });
}

TEST_CASE("planted bug 22: a read index is taken before the term's first commit") {
  must_be_found(22, 50, [](sim::swarm& s) {
    calm(s);
    s.transfer_ms = 1000;
    s.kill_ms = 2000;
    s.read_percent = 60;
    s.linearizable_percent = 100;
    s.leader_percent = 0;
    s.think_ms = 10;
    s.disk_delay_us = 20'000;
  });
}

TEST_CASE("planted bug 41: a failed sync is ignored") {
  must_be_found(41, 20, [](sim::swarm& s) {
    calm(s);
    s.sync_error_ms = 500;
  });
}

TEST_CASE("planted bug 45: rot in the middle is taken for a write cut short") {
  must_be_found(45, 50, [](sim::swarm& s) {
    calm(s);
    s.nodes = s.voters = 5;
    s.kill_ms = 1000;
    s.bit_flip_ms = 500;
    s.segment_bytes = 128 * 1024;
    s.trim_ms = 0;
  });
}

// Clients do not wait long, and ask again, mostly another leader.
void retries(sim::swarm& s) {
  calm(s);
  s.isolate_ms = 1000;
  s.kill_ms = 2000;
  s.think_ms = 20;
  s.client_timeout_ms = 400;
  s.read_percent = 10;
  s.identity_percent = 100;
  s.give_up_percent = 0;
}

TEST_CASE(
    "planted bug 53: a new leader does not know what was stored before, so a retry appends twice") {
  must_be_found(53, 20, retries);
}

TEST_CASE("planted bug 54: an append counts as stored before it is committed") {
  must_be_found(54, 20, retries);
}

}  // namespace cairn::testing
