#pragma once
// The console's commands, as a table: what they are called and take, whom they ask, how the answers
// are printed. Those that go on until they are ended (top, watch, events --follow) are run by the
// shell.

#include "apps/console/asker.hpp"
#include "apps/console/screen.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::console {

/// What a word on the command line means: how it is checked and completed.
enum class word_kind : std::uint8_t {
  text,
  number,
  node,
  actor,
  log,
  metric,
  event_kind,
  topic,
  command,
};

struct positional {
  std::string_view name;
  word_kind kind = word_kind::text;
  bool required = false;
  bool rest = false;  ///< takes all words that follow
};

struct option {
  std::string_view name;   ///< with its hyphens
  std::string_view value;  ///< what it takes; empty: nothing
  word_kind kind = word_kind::text;
  std::string_view help;
};

/// A command line that has been understood.
struct arguments {
  std::vector<std::string> words;
  std::map<std::string, std::string, std::less<>> options;

  [[nodiscard]] bool has(std::string_view option) const { return options.contains(option); }
  /// Empty when it is not there.
  [[nodiscard]] std::string value(std::string_view option) const;
  [[nodiscard]] std::string word(std::size_t at) const {
    return at < words.size() ? words[at] : "";
  }
  /// Of a word or option that has been checked to be a number.
  [[nodiscard]] static std::uint64_t number(const std::string& text, std::uint64_t otherwise);
};

struct command {
  std::string_view name;
  std::string_view summary;  ///< one line, of the list
  std::string_view help;     ///< what the output means
  std::vector<positional> positionals;
  std::vector<option> options;
  result<document> (*ask)(asker&, const arguments&) = nullptr;  ///< null: the shell does it
  std::string (*print)(const document&, const arguments&, const screen&) = nullptr;
};

/// In the order of the list.
[[nodiscard]] const std::vector<command>& commands();
/// Null: there is none of that name.
[[nodiscard]] const command* find_command(std::string_view name);
/// "raft [LOG] [--node NODE]".
[[nodiscard]] std::string usage_of(const command& of);

/// Words of a line: parted by blanks; '...' and "..." keep them, \ keeps the next character.
/// invalid_argument: a quote that does not end.
[[nodiscard]] result<std::vector<std::string>> split_words(std::string_view line);

/// `words` without the command's name. invalid_argument: names the word that is wrong.
[[nodiscard]] result<arguments> parse(const command& of, const std::vector<std::string>& words);

/// The list of all, or what one does.
[[nodiscard]] std::string help_text(const screen& on);
[[nodiscard]] std::string help_text(const command& of, const screen& on);
/// "there is no command "x"; did you mean "y"?"
[[nodiscard]] std::string unknown_command_text(std::string_view name);

/// {"command", "via", "time_ms", "answers": [{"node", ...} or {"node", "error"}], ...}.
[[nodiscard]] boost::json::object to_json(const document& learned);

/// "n3 does not answer: ..." for each that did not, a line each.
[[nodiscard]] std::string silent_nodes_text(const document& learned, const screen& on);

// One file a group of commands.
void add_node_commands(std::vector<command>& to);
void add_actor_commands(std::vector<command>& to);
void add_raft_commands(std::vector<command>& to);
void add_log_commands(std::vector<command>& to);
void add_event_commands(std::vector<command>& to);
void add_trace_command(std::vector<command>& to);
void add_explain_command(std::vector<command>& to);
void add_shell_commands(std::vector<command>& to);

}  // namespace cairn::console
