#pragma once
// One simulated machine: a disk that stays, and a process on it that comes and goes.

#include "actors/log_store.hpp"
#include "actors/replica.hpp"
#include "apps/sim/durable_log.hpp"
#include "tests/support/sim_env.hpp"
#include "tests/support/sim_random.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cairn::sim {

inline const std::string k_log_directory = "/data/log";
/// The wall clock's time at the start of a run.
inline constexpr unix_ms k_epoch_ms = 1'700'000'000'000;

struct machine {
  struct generator final : raft::random_source {
    explicit generator(std::uint64_t seed) : random(seed) {}
    std::uint64_t next() override { return random.next(); }
    testing::sim_random random;
  };

  machine(std::uint64_t seed, raft::node_id number)
      : node(number), disk(seed), durable(disk, k_log_directory), random(~seed) {}

  [[nodiscard]] bool up() const { return replica != nullptr; }

  const raft::node_id node;

  // Stays when the power goes.
  testing::sim_env disk;
  durable_log durable;
  raft::hard_state durable_state;
  log_index sure_to;        // entries up to here must be found by the next start
  log_index durable_start;  // of the last snapshot installed, or of the log when it was opened
  bool flipped = false;     // a bit of the disk is not what was written
  bool ruined = false;      // and keeps the node from starting
  generator random;

  // A life of the process.
  std::uint64_t life = 0;  // counts starts and ends; what belongs to an earlier life is void
  std::unique_ptr<actors::log_store> store;
  std::unique_ptr<actors::replica> replica;
  raft::core_status status;  // after the last drive
  bool drive_due = false;
  term_id relay_term;  // the term in which its first commit, as leader, cuts it off
  bool paused = false;
  std::vector<bool> links;  // as the process knows them, by machine
  std::vector<std::function<void()>> while_paused;
  std::uint64_t disk_free_ns = 0;  // when the log's thread has done all it was told to
  std::shared_ptr<const raft::persist_batch> writing;
  // Begun and not done for want of room; will be tried again. Its first steps may be on the disk.
  std::shared_ptr<const raft::persist_batch> unfinished;

  // Clock.
  std::uint64_t tick_ns = 50'000'000;
  unix_ms wall_offset_ms = 0;
};

}  // namespace cairn::sim
