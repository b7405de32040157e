#pragma once
// A copy of a core's state: for invariants, tests, metrics and the console.

#include "actors/raft/configuration.hpp"
#include "actors/raft/progress.hpp"
#include "actors/raft/types.hpp"

#include <map>

namespace cairn::raft {

struct peer_status {
  log_index match;
  log_index next;
  send_state state = send_state::probe;
  std::uint64_t window_bytes = 0;
  std::size_t window_messages = 0;
  bool active = false;  ///< heard of within the last one or two election timeouts
  bool heard = false;   ///< since the last look for a quorum
};

struct core_status {
  node_id self;
  role as = role::follower;
  term_id term;
  node_id vote;
  node_id leader;
  log_position start;
  log_position last;
  record_offset start_offset;  ///< of the first record kept
  record_offset next_offset;   ///< behind `last`
  log_index commit;
  log_index visible;  ///< the last one handed out
  log_index durable;
  log_index handed;  ///< on disk or being written
  log_index config_index;
  configuration config;
  std::map<node_id, peer_status> peers;  ///< of a leader
  std::uint64_t window_bytes = 0;        ///< entries in memory
  std::uint64_t uncommitted_bytes = 0;
  std::size_t proposal_count = 0;
  std::size_t read_count = 0;
  std::size_t waiting_message_count = 0;
  std::uint32_t election_elapsed_ticks = 0;  ///< since the leader, or a candidate, was heard of
  std::uint32_t election_timeout_ticks = 0;  ///< as drawn for now; a follower's
  std::uint32_t stall_ticks = 0;             ///< of the write under way
  std::map<node_id, bool> votes;             ///< of a candidate
  node_id transferee;                        ///< who is to take the lead over
  bool quiesced = false;
  bool fenced = false;
};

}  // namespace cairn::raft
