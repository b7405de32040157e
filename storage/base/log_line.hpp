#pragma once
// Lines of a program's own log: a level, a component, one sentence, and facts as fields.
//
//   log_warning(log_component::raft).field("log", name).field("peer", id).say("... was refused");
//
// Where lines go is the program's business (log_sink): a node queues them for standard error
// (apps/node_log.hpp), a test keeps them. Without a sink nothing is logged. Everything here is
// thread-safe, and nothing waits: a log that nobody reads must not stop the node.
//
// What clients send (keys, values, header values, tokens) never becomes part of a line.

#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace cairn {

/// Who speaks. Levels are set for each. docs/logging.md says what each of them tells.
enum class log_component : std::uint8_t {
  node,        ///< start, end, configuration, data directory
  raft,        ///< elections, the lead, followers, the group's configuration
  log,         ///< writes, segments, retention, disk space
  storage,     ///< what a start found on the disk
  membership,  ///< who answers
  cluster,     ///< who belongs to it: joins, removals, promotions
  peer,        ///< links between nodes
  gateway,     ///< HTTP requests and connections
  inspect,     ///< operators' questions
};
inline constexpr std::size_t k_log_components = 9;
[[nodiscard]] std::string_view to_string(log_component component);
[[nodiscard]] std::optional<log_component> log_component_of(std::string_view name);

enum class log_level : std::uint8_t { trace, debug, info, warning, error, critical, off };
inline constexpr std::size_t k_log_levels = 7;
[[nodiscard]] std::string_view to_string(log_level level);
[[nodiscard]] std::optional<log_level> log_level_of(std::string_view name);

/// A fact of a line. Keys are snake_case with the unit last, and literals.
struct log_field {
  std::string_view key;
  std::string value;
  bool bare = false;  ///< a number or truth value: no quotes in JSON
};

struct log_record {
  log_component component = log_component::node;
  log_level level = log_level::info;
  std::string message;
  std::vector<log_field> fields;
};

/// Longer messages and values are cut, more fields are left out.
inline constexpr std::size_t k_log_message_bytes_max = 4'096;
inline constexpr std::size_t k_log_value_bytes_max = 512;
inline constexpr std::size_t k_log_fields_max = 16;

/// Takes lines. Called from any thread; must not wait, and must not log.
class log_sink {
public:
  virtual ~log_sink() = default;
  virtual void take(const log_record& line) = 0;
  /// Milliseconds of a clock that never goes back: what repeats are counted by.
  [[nodiscard]] virtual std::int64_t monotonic_ms() = 0;
};

/// From now on lines go to `sink`; null: nowhere. What was held back of repeats is forgotten.
/// @returns the sink that was there.
std::shared_ptr<log_sink> set_log_sink(std::shared_ptr<log_sink> sink);

/// Lines below `level` are not made any more. All begin with info.
void set_log_level(log_component component, log_level level);
[[nodiscard]] log_level log_level_of(log_component component);
/// True if a line would go out. Costs two loads.
[[nodiscard]] bool log_enabled(log_component component, log_level level);

/// Tells of repeats that were held back and whose time is over (see log_line::sparsely). Call about
/// once a second: otherwise they are told with the next such line.
void tell_log_repeats();
/// Lines that sparsely() has held back since the start of the program.
[[nodiscard]] std::uint64_t log_lines_held_back();

/// A line that is being made. Use through log_warning() and its like, in one expression that ends
/// with say().
class [[nodiscard]] log_line {
public:
  log_line(log_component component, log_level level) : on_(log_enabled(component, level)) {
    line_.component = component;
    line_.level = level;
  }

  /// For what can happen often: the first few of a place in the source go out at once, then they
  /// are counted, and the count is told every ten seconds. Places are told apart by `here` and
  /// `which`.
  log_line&& sparsely(std::uint64_t which = 0,
                      const std::source_location& here = std::source_location::current()) &&;

  /// Adds a fact. Numbers and truth values are bare in JSON. An empty text is left out.
  template <class T>
  log_line&& field(std::string_view key, const T& value) && {
    if (on_) {
      constexpr bool bare = std::is_arithmetic_v<T>;
      add(key, fmt::format("{}", value), bare);
    }
    return std::move(*this);
  }

  /// Hands the line over. The sentence says what happened; about a failure: what was tried, what
  /// follows, what to do.
  template <class... Args>
  void say(fmt::format_string<Args...> text, Args&&... args) && {
    if (on_) finish(fmt::vformat(text, fmt::make_format_args(args...)));
  }

private:
  void add(std::string_view key, std::string value, bool bare);
  void finish(std::string message);

  bool on_;
  std::uint64_t place_ = 0;        // 0: not limited
  std::uint64_t held_before_ = 0;  // of this place, not told yet
  log_record line_;
};

inline log_line log_trace(log_component component) {
  return {component, log_level::trace};
}
inline log_line log_debug(log_component component) {
  return {component, log_level::debug};
}
inline log_line log_info(log_component component) {
  return {component, log_level::info};
}
inline log_line log_warning(log_component component) {
  return {component, log_level::warning};
}
inline log_line log_error(log_component component) {
  return {component, log_level::error};
}
inline log_line log_critical(log_component component) {
  return {component, log_level::critical};
}

}  // namespace cairn
