#pragma once
// The core's settings. Time is counted in ticks, whose length is the driver's choice.

#include "actors/raft/types.hpp"
#include "storage/base/units.hpp"

#include <cstdint>

namespace cairn::raft {

struct core_config {
  node_id self;

  /// A follower that has heard of no leader for [election_ticks, 2 * election_ticks) asks for
  /// votes. A leader that has not heard of a quorum for election_ticks steps down. Must be several
  /// times heartbeat_ticks.
  std::uint32_t election_ticks = 10;
  std::uint32_t heartbeat_ticks = 2;
  /// A write that is not done after so many ticks counts as a hung disk: a leader steps down, and
  /// nobody campaigns.
  std::uint32_t disk_stall_ticks = 40;
  /// An unanswered snapshot is asked for again after so many ticks.
  std::uint32_t snapshot_retry_ticks = 100;
  /// An idle leader sends its group to sleep after so many ticks; 0: never.
  std::uint32_t quiesce_after_ticks = 20;

  /// Largest payload of one entry.
  std::uint64_t entry_bytes_max = 64 * k_mib_bytes;
  /// Entries of one append message, unless a single entry is larger.
  std::uint64_t append_bytes_max = k_mib_bytes;
  /// Entries sent to one follower and not yet acknowledged by it. One message may exceed it.
  std::uint64_t peer_window_bytes = 4 * k_mib_bytes;
  /// Proposed and not yet committed; beyond it proposals are refused. One proposal always fits.
  std::uint64_t uncommitted_bytes_max = 64 * k_mib_bytes;
  /// A follower drops appends while so much waits for its disk; the leader sends them again.
  std::uint64_t unpersisted_bytes_max = 64 * k_mib_bytes;
  /// Entries kept in memory for slow followers. Entries that are not durable stay in any case, and
  /// are bounded by the two limits above.
  std::uint64_t window_bytes_max = 16 * k_mib_bytes;
  /// Reads that wait for their round of heartbeats; beyond it reads are refused.
  std::uint32_t pending_reads_max = 4096;
  /// A learner becomes a voter only when it lacks no more than so many entries.
  std::uint64_t promote_lag_entries_max = 1024;
};

}  // namespace cairn::raft
