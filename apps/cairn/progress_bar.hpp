#pragma once
// One line on stderr that shows how far long work has come. Silent when stderr is no terminal.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace cairn::cli {

/// How far the work is.
struct progress {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::optional<std::uint64_t> total_bytes;  ///< unknown for a pipe
};

/// The text of the bar for a terminal of that many columns, at most that long. Pure, for tests.
[[nodiscard]] std::string progress_line(const progress& now, double elapsed_s, std::size_t columns);

class progress_bar {
public:
  /// Draws only if `wanted` and stderr is a terminal.
  explicit progress_bar(bool wanted);
  ~progress_bar() { clear(); }
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;

  /// Redraws at most ten times a second.
  void update(const progress& now);
  /// Takes the line away, so that something else can be printed.
  void clear();

  [[nodiscard]] double elapsed_s() const;

private:
  bool enabled_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point started_;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace cairn::cli
