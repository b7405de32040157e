#pragma once
// The few error codes of Cairn. A code exists only if a caller reacts differently to it.

#include <cstdint>
#include <string_view>

namespace cairn {

/// Numbers are explicit and never reused: they cross the wire and stand in logs. 0 means "no
/// error", CAF needs 8 bits.
enum class errc : std::uint8_t {
  none = 0,
  // The caller's fault: fix the request.
  invalid_argument = 1,    ///< the request makes no sense as it stands; `detail` names the field
  too_large = 2,           ///< over a documented limit; nothing was stored
  not_found = 3,           ///< no such log, actor, file
  already_exists = 4,      ///< exists with other settings
  offset_not_written = 5,  ///< at or beyond the end: wait, or read lower
  offset_trimmed = 6,      ///< below the lowest kept: start at `earliest`
  expected_offset_missed = 7,  ///< conditional append: somebody else was first; nothing was stored
  unsupported = 8,             ///< part of the contract that this node does not do yet
  // The environment's fault: try again, elsewhere or later. Nothing was stored.
  overloaded = 10,   ///< a bounded queue is full: back off
  unavailable = 11,  ///< no leader, no quorum, shutting down, fenced
  disk_full = 12,    ///< no room for the next write; reads go on
  would_block = 13,  ///< the answer is not in memory and the caller asked not to wait for the disk
  locked = 14,       ///< another process owns the data directory
  // The write may or may not have happened: retry only with the same idempotency key.
  outcome_unknown = 20,
  // The append's identity says that it is not what it seems: see docs/append_once.md.
  key_reused = 21,        ///< the key or number belongs to another body: choose another
  sequence_gap = 22,      ///< an append of the producer is missing before this one: send it first
  producer_fenced = 23,   ///< a newer epoch of the producer has begun: this one ends
  sequence_too_old = 24,  ///< stored once, but no longer known where: go on with the next
  // Something is broken: report, do not retry.
  corruption = 30,  ///< bytes on disk are not what was written
  io_error = 31,    ///< the operating system failed a read, write or sync
  internal = 32,    ///< a bug of ours
};

/// Stable lower-case name with hyphens, such as "offset-not-written": the `code` of a problem
/// document.
[[nodiscard]] std::string_view to_string(errc code);

}  // namespace cairn
