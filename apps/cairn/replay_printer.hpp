#pragma once
// Steps of a replayed recording, for people and as JSON.

#include "actors/recorder/explain.hpp"
#include "actors/recorder/replay.hpp"
#include "apps/cairn/context.hpp"

#include <map>
#include <optional>
#include <string>

namespace cairn::cli {

/// Which steps are shown.
enum class replay_show : std::uint8_t {
  all,
  changes,    ///< those in which something changed that can be explained
  elections,  ///< ... and is about who leads
};

/// What people call the nodes: the members' names in the configurations that were seen so far.
class node_names {
public:
  void learn(const raft::core& core);
  [[nodiscard]] std::string operator()(raft::node_id node) const;

private:
  std::map<raft::node_id, std::string> names_;
};

class replay_printer {
public:
  replay_printer(const actors::recorder_dump& dump, replay_show show, bool as_json, output& out)
      : dump_(dump), show_(show), as_json_(as_json), out_(out) {}

  /// Whose recording it is, from when to when, and the state it begins with.
  void head(const actors::replay& run);
  /// A step that is not shown; it may tell what nodes are called.
  void pass(const actors::replay_step& step, const actors::replay& run);
  /// @returns false if this step is not one of those to be shown.
  bool step(const actors::replay_step& step, const actors::replay& run);
  /// How it went. Empty `mismatch`: the core did the same throughout.
  void end(std::uint64_t steps, const std::string& mismatch, bool unfinished);
  /// Whether any step has been shown.
  [[nodiscard]] bool has_shown() const { return shown_; }
  /// Says why no step is shown, to people: with JSON, on stderr. `first` and `last` are when the
  /// first and the last step happened that were looked at; nothing: none was.
  void nothing_shown(std::uint64_t step_count, std::optional<std::int64_t> first_us,
                     std::int64_t last_us);

private:
  void print(const actors::replay_step& step, const std::vector<actors::explained_change>& why);
  void print_json(const actors::replay_step& step,
                  const std::vector<actors::explained_change>& why);

  const actors::recorder_dump& dump_;
  const replay_show show_;
  const bool as_json_;
  output& out_;
  node_names names_;
  bool shown_ = false;
};

/// "2026-11-23 07:25:01.512".
[[nodiscard]] std::string utc_text(std::int64_t unix_us);

}  // namespace cairn::cli
