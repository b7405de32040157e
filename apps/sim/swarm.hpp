#pragma once
// Which faults exist in a run and how often, all drawn from the seed: a run in which everything
// happens all the time finds less than many runs with a few things each.

#include "apps/sim/network.hpp"
#include "tests/support/sim_random.hpp"

#include <cstdint>
#include <string>

namespace cairn::sim {

/// Intervals are mean times between events, in virtual milliseconds; 0: never.
struct swarm {
  std::uint64_t nodes = 3;          ///< machines
  std::uint64_t voters = 3;         ///< the first voters are the first of these
  std::uint64_t fault_ms = 20'000;  ///< how long things go wrong

  network_config net;
  std::uint64_t disk_delay_us = 500;  ///< of a write and its sync, at most
  std::uint64_t mailbox_us = 50;      ///< until a node looks at what has arrived, at most

  std::uint64_t power_cut_ms = 0;  ///< what was not synced may be lost, torn, or reordered
  std::uint64_t kill_ms = 0;       ///< the process alone dies
  std::uint64_t all_percent = 0;   ///< of these two hit all machines at once
  std::uint64_t down_ms = 2'000;   ///< how long a machine stays down, at most
  std::uint64_t pause_ms = 0;      ///< a process stands still, then goes on
  std::uint64_t partition_ms = 0;
  std::uint64_t isolate_ms = 0;  ///< the leader alone is cut off, sometimes one way only
  std::uint64_t clog_ms = 0;
  std::uint64_t coup_percent = 0;  ///< new leaders that are cut off at once or soon
  /// New leaders that are cut off at once or when they first commit, while the one that was cut off
  /// before comes back.
  std::uint64_t relay_percent = 0;

  std::uint64_t sync_error_ms = 0;  ///< a sync or a write fails once
  std::uint64_t disk_full_ms = 0;
  std::uint64_t disk_hang_ms = 0;  ///< a disk stands still for some seconds
  std::uint64_t bit_flip_ms = 0;   ///< on the disk of a machine that is down
  std::uint64_t clock_jump_ms = 0;
  std::uint64_t clock_skew_percent = 0;  ///< a node's ticks are that much too long or too short

  std::uint64_t member_ms = 0;
  std::uint64_t transfer_ms = 0;
  std::uint64_t trim_ms = 0;

  std::uint64_t clients = 4;
  std::uint64_t think_ms = 100;  ///< between two calls of a client, at most
  std::uint64_t client_timeout_ms = 3'000;
  std::uint64_t batch_records_max = 4;
  std::uint64_t record_bytes_max = 200;
  std::uint64_t conditional_percent = 10;   ///< of appends
  std::uint64_t identity_percent = 0;       ///< of appends have a key or a producer's number
  std::uint64_t give_up_percent = 10;       ///< of these are not tried again when unanswered
  std::uint64_t checkpoint_bytes = 0;       ///< of the log between two checkpoints; 0: the usual
  std::uint64_t read_percent = 40;          ///< of calls
  std::uint64_t linearizable_percent = 50;  ///< of reads
  std::uint64_t leader_percent = 50;        ///< of calls go to the leader, others anywhere

  bool small_windows = false;      ///< messages and windows of a few entries
  std::uint64_t append_bytes = 0;  ///< of one message, if so
  std::uint64_t segment_bytes = 16 * 1024;
  bool quiesce = false;

  /// `nodes`: 3 to 7, or 0: drawn too.
  [[nodiscard]] static swarm draw(testing::sim_random& random, std::uint64_t nodes);
  /// Name and value of everything that is not zero, in a few lines.
  [[nodiscard]] std::string text() const;
};

}  // namespace cairn::sim
