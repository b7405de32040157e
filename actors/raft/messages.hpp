#pragma once
// What replicas say to each other. Plain values; the wire form is the driver's.
//
// Every message shows the term of its sender. The core lets one leave only when what it says is
// durable (ready.hpp), so a driver may send whatever take_ready() gives it, in any order, late,
// twice or never.

#include "actors/raft/configuration.hpp"
#include "actors/raft/types.hpp"

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

namespace cairn::raft {

/// Asks for a vote (paper 5.2, 5.4.1), or only whether one would be given (dissertation 9.6).
struct vote_request {
  log_position last;      ///< of the candidate's log
  bool pre = false;       ///< pre-vote: the message's term is the one that *would* be used
  bool transfer = false;  ///< the leader asked for this election: its lease does not protect it
};

struct vote_response {
  bool granted = false;
  bool pre = false;  ///< answers a pre-vote; if granted, the message's term is the one asked for
};

/// Entries that follow `prev`, or none: then a probe (paper 5.3).
struct append_request {
  log_position prev;
  std::vector<entry> entries;
  log_index commit;  ///< the leader's; a follower uses it only up to what this message verifies
};

struct append_response {
  bool accepted = false;
  /// Accepted: the follower's log equals the leader's up to here, durably.
  /// Refused: the index of the request's `prev`.
  log_index index;
  /// Refused: the last place where the logs may still agree (paper 5.3, end, by terms).
  log_position hint;
};

/// Keeps the lead (paper 5.2) and carries a read round (dissertation 6.4).
struct heartbeat_request {
  log_index commit;         ///< never beyond what this follower has acknowledged
  std::uint64_t round = 0;  ///< never used twice in a term
  bool quiesce = false;     ///< all is replicated, go to sleep; not answered
  log_position last;        ///< with quiesce: the whole log; otherwise unset
};

struct heartbeat_response {
  std::uint64_t round = 0;
};

/// Tells a follower what is committed, so that its readers need not wait for a heartbeat. Not
/// answered.
struct commit_notice {
  log_index commit;  ///< never beyond what this follower has acknowledged
};

/// "Your log now starts at `next_offset` with this state": replaces the whole log (paper section
/// 7).
struct snapshot {
  log_position last;  ///< the last entry that the snapshot stands for
  record_offset next_offset;
  configuration config;  ///< in force at `last`
  shared_bytes state;    ///< the driver's, e.g. deduplication tables
  /// Of `last`; 0: not known. Who leads without having had that entry must not stamp older ones.
  unix_ms last_timestamp_ms = 0;
};

struct snapshot_request {
  snapshot content;
};

/// Campaign now (dissertation 3.10).
struct timeout_now_request {};

/// A follower asks for a read index on behalf of its own reader.
struct read_index_request {
  std::uint64_t incarnation = 0;  ///< random per core, so that answers never reach a successor
  read_id id;
};

struct read_index_response {
  std::uint64_t incarnation = 0;
  read_id id;
  bool ok = false;
  log_index index;
};

using message_body =
    std::variant<vote_request, vote_response, append_request, append_response, heartbeat_request,
                 heartbeat_response, commit_notice, snapshot_request, timeout_now_request,
                 read_index_request, read_index_response>;

struct message {
  node_id from;
  node_id to;
  term_id term;
  message_body body;
};

/// Stable lower-case name of the body, such as "append-request": for logs and metrics.
[[nodiscard]] std::string_view name_of(const message_body& body);

/// Why no honest peer can have sent this, or an empty text: numbers beyond their limits, entries
/// whose indexes or offsets are not contiguous or whose terms fall, a configuration that does not
/// decode. The driver should cut a peer that sends such things.
[[nodiscard]] std::string_view malformed(const message& m);

}  // namespace cairn::raft
