#pragma once
// Words of the Raft core. "Paper" is Ongaro and Ousterhout, "In Search of an Understandable
// Consensus Algorithm" (extended version, 2014); "dissertation" is Ongaro, "Consensus: Bridging
// Theory and Practice" (2014).

#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"

#include <cstdint>

namespace cairn::raft {

/// A replica, as a number. 0 means "nobody". Names and addresses are the driver's affair: it maps
/// them to numbers that are unique in the group and never given to another replica.
using node_id = strong_u64<struct raft_node_tag>;
/// Names one proposal to the core that took it. The driver never reuses one within a process.
using proposal_id = strong_u64<struct raft_proposal_tag>;
/// Names one read to the core that took it. The driver never reuses one within a process.
using read_id = strong_u64<struct raft_read_tag>;
/// Names one batch to persist. Increases by one from batch to batch, from 1; 0 means "none".
using persist_ticket = strong_u64<struct raft_ticket_tag>;

inline constexpr node_id k_nobody{};
/// Terms from here on are refused in messages: no honest group gets there, and one such message
/// must not use up the number space.
inline constexpr term_id k_term_limit{std::uint64_t{1} << 62U};
/// Likewise for indexes.
inline constexpr log_index k_index_limit{std::uint64_t{1} << 62U};
/// Likewise for record offsets.
inline constexpr record_offset k_offset_limit{std::uint64_t{1} << 62U};
/// What an entry costs besides its payload, in every byte limit of the core.
inline constexpr std::uint64_t k_entry_overhead_bytes = 64;

/// The index before `index`. @pre `index` is not 0.
[[nodiscard]] constexpr log_index prior(log_index index) {
  return log_index(index.value() - 1);
}

/// The numbers are those of the frame kinds on disk (docs/formats/segment.md).
enum class entry_kind : std::uint8_t { data = 1, no_op = 2, config = 3, control = 4 };

/// An entry's coordinates: two entries with the same ones are the same entry (paper 5.3).
struct log_position {
  log_index index;
  term_id term;
  bool operator==(const log_position&) const = default;
};

/// One entry. The core looks at the payload of `config` entries only.
struct entry {
  log_index index;
  term_id term;
  entry_kind kind = entry_kind::data;
  std::uint8_t codec = 0;          ///< passed through
  std::uint32_t record_count = 0;  ///< 0 unless `kind` is data
  record_offset base_offset;       ///< of its first record; that of the next one if it has none
  unix_ms timestamp_ms = 0;        ///< leader's clock; never lower than the entry before it
  shared_bytes payload;

  [[nodiscard]] log_position position() const { return {index, term}; }
  /// Offset of the first record behind this entry.
  [[nodiscard]] record_offset next_offset() const { return base_offset.plus(record_count); }
  [[nodiscard]] std::uint64_t size_bytes() const { return k_entry_overhead_bytes + payload.size(); }
};

/// What must not be forgotten besides the log (paper, figure 2, "persistent state").
struct hard_state {
  term_id term;
  node_id vote;  ///< nobody: has not voted in this term
  bool operator==(const hard_state&) const = default;
};

/// Entries from `first` up to the next run (or the end of the log) have this term.
struct term_run {
  log_index first;
  term_id term;
  bool operator==(const term_run&) const = default;
};

enum class role : std::uint8_t { follower, pre_candidate, candidate, leader };

}  // namespace cairn::raft
