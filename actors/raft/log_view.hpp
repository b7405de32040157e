#pragma once
// The log as the core sees it: where it starts and ends, the term of every entry (as runs, a few
// bytes per term), and the newest entries themselves, up to a byte limit. Older entries are in
// storage, and the core asks for them when a slow follower needs them.

#include "actors/raft/archive.hpp"
#include "actors/raft/types.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace cairn::raft {

class log_view {
public:
  /// A log of which storage holds (start.index, last], with the records of
  /// [start_offset, next_offset). @pre `runs` ascend in index and term, and begin at start.index +
  /// 1 unless the log is empty.
  log_view(log_position start, record_offset start_offset, std::vector<term_run> runs,
           log_index last, record_offset next_offset);

  /// The entry before the first one kept; {0, 0} if the log was never trimmed.
  [[nodiscard]] log_position start() const { return start_; }
  [[nodiscard]] log_index last_index() const { return last_; }
  [[nodiscard]] log_position last() const { return {last_, *term_of(last_)}; }
  /// Offset of the first record behind start().
  [[nodiscard]] record_offset start_offset() const { return start_offset_; }
  /// Offset of the first record behind last().
  [[nodiscard]] record_offset next_offset() const { return next_offset_; }
  /// Likewise behind `index`. Nothing if that is neither the start, nor the end, nor in memory.
  [[nodiscard]] std::optional<record_offset> offset_after(log_index index) const;
  /// Also for the start. Nothing outside [start, last].
  [[nodiscard]] std::optional<term_id> term_of(log_index index) const;
  [[nodiscard]] bool contains(log_position position) const {
    return term_of(position.index) == position.term;
  }
  /// True if a log that ends at `other` may lead this one (paper 5.4.1).
  [[nodiscard]] bool not_newer_than(log_position other) const;

  /// The last place at or before `limit` whose term is not above limit.term: where two logs may
  /// agree at best. Skips whole terms at once (paper 5.3). Not before the start.
  [[nodiscard]] log_position last_agreement(log_position limit) const;

  /// @pre index and offset follow the end of the log, and the term does not fall.
  void append(entry e);
  /// `next_offset` is where the entry at `first_removed` begins. @pre `first_removed` is beyond the
  /// start; the offset is the right one as far as that is known.
  void truncate_from(log_index first_removed, record_offset next_offset);
  /// Empty, starting after `start` at `start_offset`.
  void reset(log_position start, record_offset start_offset);
  /// Forgets entries up to and including `last_removed`, behind which `start_offset` is. @pre
  /// within the log.
  void trim_to(log_index last_removed, record_offset start_offset);

  /// First entry held in memory; last_index() + 1 when none is.
  [[nodiscard]] log_index window_first() const {
    return log_index(last_.value() + 1 - window_.size());
  }
  [[nodiscard]] std::uint64_t window_bytes() const { return window_bytes_; }
  /// Entries from `first` on, as many as fit `bytes_max` but at least one if there is one.
  /// @pre `first >= window_first()`.
  [[nodiscard]] std::vector<entry> slice(log_index first, std::uint64_t bytes_max) const;
  /// @pre within the window.
  [[nodiscard]] const entry& at(log_index index) const;
  /// Drops the oldest entries from memory, none above `keep_after`, while there are more than
  /// `bytes_max`.
  void evict(log_index keep_after, std::uint64_t bytes_max);

  /// Of the entries in memory only kinds, record counts and sizes, as many equal ones at once.
  void save(image_writer& to) const;
  /// A log whose entries in memory have zeros for payloads. Nothing: no log looks like that, or it
  /// has more than k_image_entries_max entries in memory.
  [[nodiscard]] static std::optional<log_view> load(image_reader& from);
  static constexpr std::uint64_t k_image_entries_max = std::uint64_t{1} << 22U;

private:
  // Invariants: runs_ ascend in first and term; runs_ is empty exactly if last_ == start_.index;
  // window_ holds the newest window_.size() entries, all beyond start_.
  log_position start_;
  record_offset start_offset_;
  log_index last_;
  record_offset next_offset_;
  std::vector<term_run> runs_;
  std::deque<entry> window_;
  std::uint64_t window_bytes_ = 0;
};

}  // namespace cairn::raft
