#pragma once
// A segmented log beside a naive model of it: everything that was ever appended, in a vector. Each
// step is done to both, then they are compared. After a crash the log may have lost what was never
// acknowledged, and nothing else.

#include "storage/log_reader.hpp"
#include "storage/segmented_log.hpp"
#include "tests/support/sim_env.hpp"
#include "tests/support/sim_random.hpp"

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace cairn::testing {

/// What the model keeps of a frame.
struct model_entry {
  storage::frame_kind kind = storage::frame_kind::data;
  term_id term;
  log_index index;
  record_offset base_offset;
  unix_ms timestamp_ms = 0;
  std::uint32_t record_count = 0;
  std::string payload;

  [[nodiscard]] record_offset next_offset() const { return base_offset.plus(record_count); }
};

/// Small segments, so that a few appends cross many edges.
[[nodiscard]] storage::log_config small_config();

/// "/log/00000000000000000042.store"
[[nodiscard]] std::string store_path(std::uint64_t base);
[[nodiscard]] std::string index_path(std::uint64_t base);

/// For INFO(): what the disk was asked to do last, should the test fail.
struct context_of_failure {
  explicit context_of_failure(const sim_env& e) : env(e) {}
  const sim_env& env;
  friend std::ostream& operator<<(std::ostream& out, const context_of_failure& context) {
    return out << context.env.recent_operations();
  }
};

class log_harness {
public:
  static constexpr const char* k_directory = "/log";

  log_harness(storage::env& env, storage::log_config config, std::uint64_t seed);

  /// The same model over another env, with the log not open: to try several futures.
  [[nodiscard]] std::unique_ptr<log_harness> fork(storage::env& env) const;

  /// Opens the log and compares it with what it must hold. False if the env refused: the reason is
  /// in last_error(). A refusal of anything but the env is a failure of the test.
  bool open();
  /// The log object goes, as in a crash or kill of the process. What was appended but not
  /// acknowledged may be lost from now on.
  void abandon();
  /// A graceful close. False if the env failed.
  bool close();

  // Each returns false when the log answered with an error that the env caused; then the log is to
  // be abandoned (io_error) or goes on (disk_full).
  bool append(std::size_t frames, std::size_t payload_bytes_max);
  bool append_one(std::string payload, std::uint32_t record_count = 1,
                  storage::frame_kind kind = storage::frame_kind::data);
  bool sync();
  /// Syncs and publishes everything.
  bool acknowledge();
  bool roll();
  /// Removes up to `entries_max` entries that are not published.
  bool truncate_some(std::size_t entries_max);
  bool trim_to(record_offset offset);
  bool trim_to_bytes(std::uint64_t bytes);
  bool trim_older_than(unix_ms before);
  /// Asks for room; what it promises is checked by the next append.
  bool reserve(std::uint64_t bytes);
  /// Runs what waits in the background.
  void work();

  /// Reads everything in every way and compares.
  void check_everything();
  /// One read at a random place with random limits.
  void check_random_read();

  [[nodiscard]] storage::segmented_log& log() { return *log_; }
  [[nodiscard]] bool is_open() const { return log_ != nullptr; }
  [[nodiscard]] const storage::recovery_report& report() const { return report_; }
  [[nodiscard]] const std::vector<model_entry>& entries() const { return entries_; }
  [[nodiscard]] const error& last_error() const { return last_error_; }
  [[nodiscard]] record_offset lowest() const { return lowest_; }
  [[nodiscard]] record_offset published() const { return published_; }
  [[nodiscard]] record_offset next_offset() const;
  [[nodiscard]] sim_random& random() { return random_; }
  /// From now on everything in the model must survive: as after a clean close.
  void expect_all_kept() { acknowledged_ = entries_.size(); }

private:
  log_harness(const log_harness& from, storage::env& env);
  [[nodiscard]] bool failed(const status& result);
  [[nodiscard]] log_index next_index() const;
  [[nodiscard]] model_entry make_entry(storage::frame_kind kind, std::uint32_t records,
                                       std::string payload);
  bool append_entries(std::vector<model_entry> batch);
  void adopt_what_survived();
  void take_trim();
  [[nodiscard]] bool front_is_visible() const;
  void compare_entry(const storage::stored_frame& got, const model_entry& want) const;
  /// `read` if it is ok; else ends the comparison when the power has gone, or the test.
  template <class T>
  const T& must(const T& read) const;
  void compare_everything();
  void compare_random_read();
  void check_views() const;
  void check_raft_views() const;
  void check_read(record_offset from, const storage::read_limits& limits) const;
  void check_time(unix_ms time) const;
  [[nodiscard]] std::vector<storage::stored_frame> read_all_entries() const;

  storage::env& env_;
  storage::log_config config_;
  sim_random random_;
  std::unique_ptr<storage::segmented_log> log_;
  storage::recovery_report report_;
  error last_error_;
  // The model: entries_[i] has index i + 1. Those below the log's first index stay, for comparison.
  std::vector<model_entry> entries_;
  std::size_t acknowledged_ = 0;  // the first so many survive everything
  record_offset lowest_;
  record_offset published_;
  /// A trim that failed half-way: `lowest_` or this.
  std::optional<record_offset> lowest_in_flight_;
  term_id term_{1};
  unix_ms now_ = 1'700'000'000'000;
  std::uint64_t payload_number_ = 0;
};

}  // namespace cairn::testing
