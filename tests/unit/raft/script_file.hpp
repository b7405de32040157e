#pragma once
// Script files of the Raft core: commands, a line "----", and the trace that is expected of them up
// to the next blank line. A "#" begins a comment. tests/data/raft/README.md has the commands.

#include "storage/base/result.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::testing {

struct script_command {
  std::size_t line = 0;  // in the file, from 1
  std::string text;
};

/// Commands and what they are expected to print.
struct script_block {
  std::vector<std::string> before;  // comments and blank lines, kept for render()
  std::vector<std::string> lines;   // the commands with the comments among them
  std::vector<script_command> commands;
  std::size_t expected_line = 0;  // of the first line of `expected`
  std::string expected;           // lines, each with its end
};

struct script_file {
  std::vector<script_block> blocks;
  std::vector<std::string> after;
};

/// invalid_argument names the file and the line: a command without "----" or the other way round,
/// or no command at all.
[[nodiscard]] result<script_file> parse_script(std::string_view name, std::string_view text);
/// The file as text; of one that was parsed, the same text up to blank lines at the end.
[[nodiscard]] std::string render(const script_file& file);

/// The words of one command. Its readers never fail: the first problem stays in error(), and what
/// they give from then on means nothing.
class script_args {
public:
  explicit script_args(std::string_view line);

  [[nodiscard]] const std::string& command() const { return command_; }
  /// The next word, of which `what` is said when it is missing.
  std::string word(std::string_view what);
  [[nodiscard]] bool has_word() const { return !words_.empty(); }
  std::uint64_t number(std::string_view what);
  /// "2", "1,3" or "1-5,7".
  std::vector<std::uint64_t> numbers(std::string_view what);
  /// True if the next word is this one, which is taken then.
  bool flag(std::string_view text);

  /// Of "name=value"; nothing if it is not given.
  std::optional<std::string> option(std::string_view name);
  std::uint64_t number_option(std::string_view name, std::uint64_t otherwise);
  std::vector<std::uint64_t> numbers_option(std::string_view name);
  /// "1x3,4,5x2": the numbers 1, 1, 1, 4, 5, 5.
  std::vector<std::uint64_t> repeated_option(std::string_view name);

  void fail(std::string text);
  /// To be called when everything was read: words that are left are an error too.
  [[nodiscard]] bool all_read();
  [[nodiscard]] const std::string& error() const { return error_; }

private:
  std::uint64_t parse_number(std::string_view text);
  std::vector<std::uint64_t> parse_numbers(std::string_view text);

  std::string command_;
  std::vector<std::string> words_;  // those not taken yet
  std::map<std::string, std::string, std::less<>> options_;
  std::string error_;
};

}  // namespace cairn::testing
