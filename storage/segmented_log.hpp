#pragma once
// The log on disk: many segments, one of them active. The writer's side; log_reader.hpp is the
// readers' side.
//
// Words (design): appended = written into the active store; durable = fdatasync'd; visible = below
// the end that publish() set, which is what readers see. With Raft "visible" is "committed"; one
// node publishes what is durable.
//
// Owner: one thread at a time (the log actor's). Only what reader(), publisher() and background()
// return is used from others.

#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/result.hpp"
#include "storage/base/units.hpp"
#include "storage/config_file.hpp"
#include "storage/env.hpp"
#include "storage/frame.hpp"
#include "storage/log_publisher.hpp"
#include "storage/log_start.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cairn::storage {

/// A segment is never larger.
inline constexpr std::uint64_t k_segment_bytes_max = 4 * k_gib_bytes - 1;

class log_reader;
class background_work;
struct log_shared;
class segment;
struct store_extent;
class durable_mark;
class spare_segments;
class slot_file;

/// Limits and sizes of one log. Changes take effect at the next segment.
struct log_config {
  /// A segment takes frames until this size. 4 KiB to 4 GiB - 1. A single larger frame gets a
  /// segment of its own.
  std::uint64_t segment_bytes = 64 * k_mib_bytes;
  /// Size of an index, 16 bytes a frame; full means roll. 0: a sixteenth of segment_bytes, 16 MiB
  /// at most.
  std::uint64_t index_bytes = 0;
  /// Space is reserved, and in the background filled with zeros, in steps of this many bytes ahead
  /// of the writes.
  std::uint64_t prefill_bytes = 64 * k_mib_bytes;
  /// How many sealed segments stay open for readers (two descriptors each).
  std::uint32_t open_segments_max = 64;
  /// Store files that are kept ready for use, and one more that has been trimmed; 0: none.
  std::uint32_t spare_segments_max = 1;
  /// Which log this is: a store file of another one is refused. Kept in every file header.
  std::uint64_t log_id = 0;
  /// Readers see at once all that opening finds. Off for a replica, which has to learn first what
  /// of it is committed: it shows what it had published before (durable.mark).
  bool publish_on_open = true;
};

/// What opening found and did. The counts are zero after a clean close.
struct recovery_report {
  bool clean = true;                ///< the last close was graceful
  std::uint64_t scanned_bytes = 0;  ///< read to find the end
  std::uint64_t torn_bytes =
      0;  ///< cut off the active segment: a write that was never acknowledged
  std::uint64_t rebuilt_indexes = 0;  ///< made anew from their stores
  std::uint64_t removed_files = 0;    ///< left-overs of an interrupted roll or trim
  std::vector<std::string> warnings;  ///< one sentence each, naming file and position
};

/// One frame to append.
struct frame_input {
  frame_kind kind = frame_kind::data;
  frame_codec codec = frame_codec::none;
  term_id term;
  log_index index;           ///< must be next_index()
  unix_ms timestamp_ms = 0;  ///< must not be lower than last_timestamp_ms()
  std::uint32_t record_count = 0;
  std::vector<shared_bytes>
      payload;  ///< pieces, stored one after the other; at most k_frame_payload_bytes_max
  /// Where whoever made the entry says that its records begin; checked against the log's own count.
  std::optional<record_offset> base_offset = {};
};

/// Entries from `first` up to the next run, or the end of the log, have this term.
struct stored_term_run {
  log_index first;
  term_id term;
  bool operator==(const stored_term_run&) const = default;
};

/// Where a log begins, for install() and start().
struct log_origin {
  log_index index;                ///< of the last entry that has gone; 0: none has
  term_id term;                   ///< of that entry
  record_offset next_offset;      ///< of the first record behind it
  shared_bytes configuration;     ///< in force there; empty: none is known
  shared_bytes state;             ///< the driver's, at most k_start_state_bytes_max
  unix_ms last_timestamp_ms = 0;  ///< of that entry: none behind it is older; 0: not known
};

/// One segment, as people want to see it.
struct segment_summary {
  record_offset base_offset;
  record_offset next_offset;
  log_index base_index;
  std::uint64_t size_bytes = 0;
  unix_ms first_timestamp_ms = 0;
  unix_ms last_timestamp_ms = 0;
  bool sealed = false;
};

class segmented_log {
public:
  /// Opens the log in `directory`, or makes an empty one. After a crash: scans the active segment,
  /// cuts a torn end and rebuilds what is only a cache; all of that is durable on return.
  /// Everything found is published, unless `config` says otherwise. Fails with corruption (names
  /// file and position; nothing has been changed), io_error, disk_full, invalid_argument (config).
  /// The directory must be locked by the caller for as long as the log lives.
  [[nodiscard]] static result<std::unique_ptr<segmented_log>> open(env& env, std::string directory,
                                                                   const log_config& config,
                                                                   recovery_report& report);

  ~segmented_log();
  segmented_log(const segmented_log&) = delete;
  segmented_log& operator=(const segmented_log&) = delete;

  /// Appends frames in order; offsets follow from record counts. Rolls to a new segment where
  /// needed (what was appended before is then durable). Returns the base offset of the first frame.
  /// Durable only after sync(), visible only after publish(). disk_full: nothing of this call has
  /// been appended, the log goes on. invalid_argument, too_large: likewise. io_error: the log is
  /// fenced, see fenced(). @pre index as frame_input says; terms do not fall.
  [[nodiscard]] result<record_offset> append(std::span<const frame_input> frames);

  /// Makes everything appended durable: one fdatasync. A failure fences the log for ever.
  [[nodiscard]] status sync();

  /// Lets readers see the records below `end`. Never goes back. @pre `end <= next_offset()`. A
  /// replica publishes entries instead, with publisher().
  void publish(record_offset end);

  /// Sees to it that the next frames of `bytes` together (frame_stride_bytes each) find their room,
  /// by reserving space and, where the active segment has too little left, by beginning a new one
  /// early (what was appended is then durable). disk_full: there is no such room. too_large: more
  /// than a segment can ever take. io_error: fenced. Not promised: config frames and what is
  /// appended together with one (their payloads are written elsewhere as well), more frames than
  /// room_frames(), and frames stamped by a clock more than a minute behind this node's.
  [[nodiscard]] status reserve(std::uint64_t bytes);
  /// How many bytes of frames are known to find room; 0 when nobody knows.
  [[nodiscard]] std::uint64_t room_bytes() const;
  /// How many frames may share room_bytes(): the index takes no more.
  [[nodiscard]] std::uint64_t room_frames() const;

  /// Drops every entry and begins anew behind `origin`; durable on return. A crash on the way
  /// leaves the old log or the new, empty one. disk_full, too_large: nothing has changed. io_error:
  /// fenced. @pre origin.index is beyond what is published, and origin.next_offset not below it.
  [[nodiscard]] status install(const log_origin& origin);

  /// Removes all entries from `first_removed` on; durable on return. Readers must not have seen
  /// them.
  /// @pre first_removed >= the index of the first entry kept, and the entry is not published.
  [[nodiscard]] status truncate_suffix(log_index first_removed);

  /// Makes `offset` the lowest one, durably, then removes segments that lie wholly below it. The
  /// active one stays. invalid_argument beyond the published end; at or below the lowest offset the
  /// offset stays and only segments that were in use before go.
  [[nodiscard]] status trim_prefix(record_offset offset);
  /// Trims whole sealed segments, oldest first, while the log is larger than `size_bytes_max`.
  [[nodiscard]] status trim_to_bytes(std::uint64_t size_bytes_max);
  /// Trims whole sealed segments whose newest record is older than `before_ms`.
  [[nodiscard]] status trim_older_than(unix_ms before_ms);

  /// From now on no trim removes entries from `first_held` on, whatever else would let it.
  void hold_from(log_index first_held) { first_held_ = first_held; }
  /// Whether that has kept a trim from removing a segment since the last call.
  [[nodiscard]] bool take_held_back() { return std::exchange(held_back_, false); }

  /// Makes the next append start a new segment, if the active one holds records. What was appended
  /// is durable on return.
  [[nodiscard]] status roll();

  /// Syncs and closes: index padding and unused space are cut, so that the next open needs no scan.
  /// The log takes no more writes, whatever is returned.
  [[nodiscard]] status close();

  [[nodiscard]] record_offset lowest_offset() const;
  [[nodiscard]] record_offset next_offset() const;     ///< of the next record appended
  [[nodiscard]] record_offset durable_offset() const;  ///< end of what sync() has covered
  [[nodiscard]] log_index first_index() const;  ///< of the first entry kept; next_index() if none
  [[nodiscard]] log_index next_index() const;
  [[nodiscard]] term_id last_term() const;  ///< 0 when the log has never held an entry
  [[nodiscard]] unix_ms last_timestamp_ms() const;
  /// The position before the first entry kept, with what is kept for it.
  [[nodiscard]] log_origin start() const;
  /// The config entries kept, ascending.
  [[nodiscard]] std::vector<stored_config> configs() const;
  /// The terms of the entries kept. Cheap: looks only into segments where the term changes.
  /// corruption, io_error.
  [[nodiscard]] result<std::vector<stored_term_run>> term_runs() const;
  [[nodiscard]] std::uint64_t size_bytes()
      const;  ///< of all frames and headers; not what is reserved ahead
  [[nodiscard]] std::vector<segment_summary> segments() const;
  /// Both are cheap, unlike segments(): the log actor looks after each group whether the log
  /// rolled.
  [[nodiscard]] std::size_t segment_count() const;
  [[nodiscard]] record_offset active_base_offset() const;  ///< next_offset() without a segment
  /// True after a failed write or sync: nobody can say what is on disk. Every later write fails
  /// with io_error.
  [[nodiscard]] bool fenced() const;

  /// The readers' side. Thread-safe; may outlive the log.
  [[nodiscard]] std::shared_ptr<log_reader> reader() const;

  /// For the thread that learns what is committed. Thread-safe; may outlive the log.
  [[nodiscard]] log_publisher publisher() const;

  /// Work that makes later appends faster (zero-filled spare segments, sealing old ones). Run it on
  /// any other thread; nothing breaks if nobody does. Thread-safe.
  [[nodiscard]] std::shared_ptr<background_work> background() const;

private:
  struct cursor;
  struct run;
  struct prepared_segment;

  segmented_log(env& env, std::string directory, const log_config& config);

  status load(recovery_report& report);
  void publish_again();
  status load_start(const std::vector<record_offset>& bases);
  status finish_install(const std::vector<record_offset>& bases);
  status load_configs();
  status check_names(const std::vector<record_offset>& bases) const;
  status load_segments(const std::vector<record_offset>& bases, recovery_report& report);
  [[nodiscard]] status check_frames(std::span<const frame_input> frames) const;
  [[nodiscard]] std::vector<run> plan(std::span<const frame_input> frames,
                                      std::uint64_t active_limit_bytes) const;
  /// Reserves and prepares what `runs` need; nothing of it remains after a failure but reserved
  /// space.
  [[nodiscard]] status find_room(std::span<const run> runs, std::span<const frame_input> frames,
                                 std::vector<prepared_segment>& prepared);
  [[nodiscard]] bool fits(const cursor& at, const frame_input& frame) const;
  [[nodiscard]] result<prepared_segment> prepare_segment(const run& first_run,
                                                         const frame_input& first_frame);
  void discard(prepared_segment prepared);
  void discard(std::vector<prepared_segment>& prepared);
  status activate(prepared_segment prepared);
  status reserve_active(std::uint64_t end_bytes);
  /// ok, or disk_full with why `path` cannot have so many bytes more.
  [[nodiscard]] status disk_has(std::uint64_t bytes, const std::string& path) const;
  /// True if the active segment never held an entry: another may take its place under its name.
  [[nodiscard]] bool may_replace_active() const;
  [[nodiscard]] bool has_entries_for(std::uint64_t bytes) const;
  status begin_segment(std::uint64_t bytes);
  status write_run(const run& part, std::span<const frame_input> frames);
  /// How many sealed segments, from the front, lie wholly below `offset`.
  [[nodiscard]] std::size_t count_below(record_offset offset);
  /// Published, not held, and takes no more writes.
  [[nodiscard]] bool may_go(const segment& part);
  status remove_front(std::size_t count);
  /// The start of the log once `count` segments have gone from its front.
  [[nodiscard]] log_start start_after(std::size_t count) const;
  status save_start(const log_start& next);
  status drop_segments();
  /// Looks up term and time of the last entry, also when the last segment holds none.
  void note_last_entry();
  /// Header of an entry that is kept.
  [[nodiscard]] result<frame_header> header_of(log_index index) const;
  status note_configs(std::span<const frame_input> frames);
  void forget_configs_from(log_index first_removed);
  status save_configs();
  status reopen_for_writing(const std::shared_ptr<segment>& target);
  /// What remains of a segment when only its first entries are kept.
  [[nodiscard]] result<store_extent> extent_before(const std::shared_ptr<segment>& target,
                                                   std::uint64_t entries_kept);
  status cut_active(const store_extent& kept);
  status fence(status failed);
  void set_mark(const segment& of, std::uint64_t position_bytes, std::uint64_t index_checksum = 0);
  status fill_ahead();
  void request_spare();
  [[nodiscard]] std::uint64_t index_bytes() const;
  [[nodiscard]] status refusal() const;

  env& env_;
  std::string directory_;
  log_config config_;
  std::shared_ptr<log_shared> shared_;
  std::shared_ptr<segment> active_;  // null while the log has no segment
  std::unique_ptr<durable_mark> mark_;
  std::unique_ptr<slot_file> start_file_;
  log_start start_;
  bool start_was_v1_ = false;           // when it was opened
  std::vector<stored_config> configs_;  // ascending; at most one up to the start is of use
  bool configs_changed_ = false;        // in memory: the file lists more than there is
  std::uint64_t room_end_ = 0;          // the active segment takes frames up to here in any case
  std::shared_ptr<spare_segments> spares_;
  std::shared_ptr<background_work> background_;
  // Invariant: lowest <= durable_offset_ <= next_offset_.
  std::uint64_t sealed_bytes_ = 0;  // of all segments but the active one
  record_offset next_offset_;
  record_offset durable_offset_;
  log_index next_index_{1};
  log_index durable_index_;
  term_id last_term_;
  unix_ms last_timestamp_ms_ = 0;
  log_index first_held_{0xffff'ffff'ffff'ffff};
  bool held_back_ = false;
  bool roll_before_next_ = false;
  bool fenced_ = false;
  bool closed_ = false;
};

}  // namespace cairn::storage
