#pragma once
// The node's own log: lines on standard error, written by a thread of their own from a bounded
// queue. Whoever logs never waits: while nobody reads standard error the oldest lines are given up
// and counted, and the count is told once it is read again.

#include "apps/log_format.hpp"

#include <chrono>
#include <cstdint>
#include <memory>

namespace cairn::apps {

struct node_log_settings {
  log_levels levels{};
  log_format format = log_format::text;
  std::string node_id;
  int descriptor = 2;  ///< stays open; others may write to it, too
  /// Lines that may wait. Each takes about 400 bytes, and the longest ones 13 KiB.
  std::size_t queue_lines = 4'096;
};

/// Where the lines of this process go while it lives. One at a time.
class node_log {
public:
  /// How long the end waits for whoever reads the lines.
  static constexpr std::chrono::milliseconds k_end_patience{300};
  /// ... and then for its own thread, which gives up what is left.
  static constexpr std::chrono::milliseconds k_give_up_patience{150};

  explicit node_log(const node_log_settings& settings);
  /// Writes what waits, for k_end_patience at most.
  ~node_log();
  node_log(const node_log&) = delete;
  node_log& operator=(const node_log&) = delete;

  /// True once all that was logged before is written; false if `patience` was not enough.
  bool flush(std::chrono::milliseconds patience = k_end_patience);

  /// Lines that were given up since the start, because the queue was full or the descriptor broken.
  [[nodiscard]] std::uint64_t lost_lines() const;
  /// Lines that were logged since the start, lost ones included.
  [[nodiscard]] std::uint64_t lines() const;

  struct impl;

private:
  std::shared_ptr<impl> impl_;
};

/// What matters still gets out when the process breaks: a failed CAIRN_CHECK is written past the
/// queue, and before a fatal signal ends the process the queue is given a moment to drain. For the
/// node_log that exists; once a process.
void log_crashes();

}  // namespace cairn::apps
