#pragma once
// What a log's writer and its readers share.

#include "storage/base/ids.hpp"
#include "storage/base/result.hpp"
#include "storage/env.hpp"
#include "storage/frame.hpp"
#include "storage/segment.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace cairn::storage {

class durable_mark;

/// The header of an entry and where it stands in its store.
struct located_header {
  frame_header header;
  std::uint64_t position = 0;
};

using segment_list = std::vector<std::shared_ptr<segment>>;

/// Keeps the handles of sealed segments open, the most recently used ones, so that a log of
/// thousands of segments needs few descriptors. Thread-safe.
class segment_cache {
public:
  segment_cache(env& env, std::size_t open_max) : env_(env), open_max_(open_max) {}

  /// The handles of a segment. Opens them if needed; with `cached_only` that is would_block
  /// instead, as opening may wait for the disk. offset_trimmed when the files have gone.
  [[nodiscard]] result<std::shared_ptr<segment_handles>> acquire(
      const std::shared_ptr<segment>& target, bool cached_only);

  /// From now on the segment's handles count as the cache's own and may be closed.
  void adopt(const std::shared_ptr<segment>& target);

  /// Closes the segment's handles as soon as no reader has them.
  void drop(const std::shared_ptr<segment>& target);

  /// As drop(), for a segment whose files are about to go: it is never opened again.
  void forget(const std::shared_ptr<segment>& target);

  /// The header of entry `number` of a segment. The index only says where to look: an entry that
  /// has rotted is noticed, and the index of a sealed segment built anew. corruption, io_error, and
  /// as acquire(). @pre the segment has that entry, and nobody truncates it meanwhile.
  [[nodiscard]] result<located_header> read_header(const std::shared_ptr<segment>& target,
                                                   std::uint64_t number);

private:
  void evict_beyond_limit();

  env& env_;
  const std::size_t open_max_;
  std::atomic<std::uint64_t> clock_{0};
  std::mutex mutex_;  // guards open_; never held together with a segment's handles_mutex
  std::vector<std::shared_ptr<segment>> open_;
};

/// What is behind an entry.
struct entry_end {
  record_offset next_offset;
  std::uint64_t end_bytes = 0;  ///< in its store
};

/// Where the entries end that have been appended and not yet published. Filled by the writer,
/// drained by whoever publishes, hence with a lock of its own.
class unpublished_entries {
public:
  /// The log was opened with `last` as its last entry, ending at `end`. Entries before it have to
  /// be looked up, should one of them be published.
  void reset(log_index last, entry_end end);
  void append(entry_end end);
  /// The log now ends with `last`. @pre `last` has not been published.
  void truncate(log_index last, entry_end end);

private:
  friend class log_publisher;
  friend struct log_shared;
  std::mutex mutex_;
  // Invariant: ends_ holds the entries first_ and following; the newest one stays when it is
  // published.
  log_index first_;
  std::deque<entry_end> ends_;
};

struct log_shared {
  log_shared(env& e, std::size_t open_max) : environment(e), cache(e, open_max) {}

  env& environment;
  segment_cache cache;
  /// Published range. Invariant: lowest <= visible_end; visible_end never falls.
  std::atomic<std::uint64_t> lowest{0};
  std::atomic<std::uint64_t> visible_end{0};
  /// The last entry that readers see. Never falls. Written under the lock of `unpublished`.
  std::atomic<std::uint64_t> visible_index{0};
  unpublished_entries unpublished;
  /// Remembers what was published while the log is open, else null. Guarded likewise.
  durable_mark* mark = nullptr;

  void remember_in(durable_mark* page);

  /// Lets readers see the records below `end`, the entries up to `last`, and the bytes below
  /// `end_bytes` of the store that has `last`. @pre the lock of `unpublished` is held.
  void show(log_index last, record_offset end, std::uint64_t end_bytes);
  /// The same for an `end` that need not be where an entry ends. For the writer's thread.
  [[nodiscard]] status show_to(record_offset end);

  /// Segments in offset order, the last one active. Immutable: a change makes a new list.
  [[nodiscard]] std::shared_ptr<const segment_list> segments() const {
    const std::lock_guard lock(mutex_);
    return segments_;
  }
  void set_segments(segment_list list) {
    auto next = std::make_shared<const segment_list>(std::move(list));
    const std::lock_guard lock(mutex_);
    segments_.swap(next);
  }

private:
  mutable std::mutex mutex_;
  std::shared_ptr<const segment_list> segments_ = std::make_shared<const segment_list>();
};

}  // namespace cairn::storage
