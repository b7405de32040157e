#pragma once
// Appends a stream of lines so that at every moment it is known what is stored.
//
// Each batch carries Cairn-Expected-Offset. That makes an attempt whose answer never came harmless:
// the batch can stand only at its expected offset, so sending it again stores it at most once, and
// when somebody else's records stand there it is certain that it was not stored. Only byte-equal
// records of another writer at that very place could be taken for ours.
//
// With several nodes (named, or learnt from the first one) the session goes on when one of them is
// gone: for retry_budget::k_failover_s, or as long as --retry says. Comparisons are linearizable
// reads: a node that is behind must not make it seem that a batch was not stored.
//
// While a batch is on its way the next one is read and checked. More than one on the way would
// break the order when another writer comes between them.

#include "apps/cairn/context.hpp"
#include "apps/cairn/line_source.hpp"
#include "apps/cairn/progress_bar.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace cairn::cli {

struct append_settings {
  std::string log = "default";
  /// Where the first line belongs; lines that stand there already are compared and passed over.
  /// Nothing: at the end of the log as it is now.
  std::optional<std::uint64_t> at_offset;
  /// Append without an expected offset: for many writers at once. A lost answer then ends the
  /// session with outcome_unknown.
  bool unconditional = false;
  double retry_s = 0;
  std::chrono::milliseconds first_pause = retry_budget::k_first_pause;
};

/// What a session has done, also when it failed.
struct append_outcome {
  std::uint64_t stored_count = 0;  ///< records that this session has stored for certain
  std::uint64_t stored_bytes = 0;  ///< of the input, for those
  std::uint64_t found_count = 0;   ///< lines that stood there already (at_offset, an identity)
  std::uint64_t found_bytes = 0;   ///< of the input, for whole batches of those
  std::uint64_t next_line = 1;     ///< first line that is not certainly stored
  std::optional<std::uint64_t> first_offset;
  std::uint64_t next_offset = 0;    ///< behind the last record stored
  std::uint64_t unknown_count = 0;  ///< so many lines from next_line on may or may not be stored
  std::uint64_t other_writer_count = 0;  ///< batches that had to be sent again for another writer
  std::optional<error> failure;          ///< nothing: everything is stored
  int code = exit_ok;
};

class append_session {
public:
  using observer = std::function<void(const append_outcome&)>;

  append_session(net::log_client& client, line_source& source, append_settings settings);

  /// Appends until the input ends or something fails. `progressed` is called after each batch.
  [[nodiscard]] append_outcome run(const observer& progressed);

private:
  enum class attempt : std::uint8_t { stored, again, give_up };

  [[nodiscard]] bool start();
  [[nodiscard]] bool check_place(const net::log_summary& log);
  void load_next(bool wait);
  [[nodiscard]] bool skip_what_is_there();
  [[nodiscard]] bool store_current();
  [[nodiscard]] attempt try_once(bool first);
  [[nodiscard]] attempt on_failure(const error& why);
  [[nodiscard]] attempt on_offset_missed(const error& why);
  [[nodiscard]] std::optional<attempt> find_earlier_attempt(std::uint64_t next);
  void count_stored(const line_batch& batch, std::uint64_t offset);
  bool fail(const error& why, int code);
  bool fail_call(const error& why);

  net::log_client& client_;
  line_source& source_;
  append_settings settings_;
  append_outcome outcome_;
  retry_budget retries_;
  std::uint64_t expected_ = 0;
  bool may_be_stored_ = false;  // an earlier attempt at `expected_` got no answer
  bool looked_again_ = false;   // one more attempt was made to learn what became of it
  int misses_ = 0;              // in a row, by other writers
  std::optional<line_batch> current_;
  std::optional<line_batch> prepared_;
  std::optional<error> input_failure_;
  bool input_ended_ = false;
};

}  // namespace cairn::cli
