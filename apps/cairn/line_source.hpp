#pragma once
// Turns a file or a pipe into batches of lines, each line a record.

#include "net/records/json_text.hpp"
#include "storage/base/result.hpp"
#include "storage/base/units.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::cli {

/// What a line of the input is.
enum class line_format : std::uint8_t {
  json,  ///< a JSON text
  text,  ///< UTF-8 text; it is stored as a JSON string
};

/// Consecutive lines as the body of one NDJSON append.
struct line_batch {
  std::uint64_t first_line = 1;  ///< from 1, as editors count
  std::uint64_t line_count = 0;
  std::uint64_t input_bytes = 0;  ///< of the input that this batch used up
  std::string body;               ///< one JSON text per line, each with \n

  /// Drops the first `count` lines. @pre `count <= line_count`.
  void drop_front(std::uint64_t count);
};

struct line_source_options {
  std::string name = "-";  ///< for messages
  line_format format = line_format::json;
  std::uint64_t batch_bytes_max = k_mib_bytes;
  std::uint64_t batch_lines_max = 10'000;
  std::uint64_t line_bytes_max = 16 * k_mib_bytes;
  /// Batches depend on the input alone, not on when it comes: next() waits until one is full.
  bool full_batches = false;
};

/// Reads an open descriptor (which it does not close). Not thread-safe. A batch may be larger than
/// batch_bytes_max only when it is a single line.
class line_source {
public:
  line_source(int descriptor, line_source_options options);

  /// The next batch, or nothing at the end of the input. Every line is checked: a bad one fails
  /// with invalid_argument that names input and line, after all lines before it have been handed
  /// out. When the input has more to come but nothing right now, what is there makes a batch; when
  /// nothing is there the call waits, unless `wait` is false: then the batch has no lines. io_error
  /// when the input cannot be read, unavailable when the user interrupts.
  [[nodiscard]] result<std::optional<line_batch>> next(bool wait);

  /// Passes over lines without looking at them. invalid_argument when there are fewer.
  [[nodiscard]] status skip_lines(std::uint64_t count);

  /// The line that comes next, from 1.
  [[nodiscard]] std::uint64_t next_line() const { return next_line_; }

private:
  enum class fill_state : std::uint8_t { more, nothing_yet, end };

  [[nodiscard]] result<fill_state> fill(bool wait);
  // The next whole line in the buffer; at the end of the input also one without an end.
  [[nodiscard]] std::optional<std::string_view> take_line();
  [[nodiscard]] status add_line(std::string_view line, line_batch& batch);
  [[nodiscard]] error bad_line(std::string_view why) const;

  int descriptor_;
  line_source_options options_;
  net::json_checker checker_;
  std::string buffer_;
  std::size_t taken_ = 0;    // of buffer_, by lines handed out
  std::size_t scanned_ = 0;  // of buffer_, known to hold no line end behind taken_
  bool at_end_ = false;
  std::uint64_t next_line_ = 1;
  std::optional<error> deferred_;
};

}  // namespace cairn::cli
