#pragma once
// Who is in the group: joint consensus (paper section 6; dissertation 4.3) with learners
// (dissertation 4.2.1). A configuration is in force from the moment its entry is appended,
// committed or not, and no longer once that entry is truncated.

#include "actors/raft/types.hpp"
#include "storage/base/result.hpp"

#include <vector>

namespace cairn::raft {

/// Ascending, without repetition.
using node_set = std::vector<node_id>;

[[nodiscard]] bool holds(const node_set& set, node_id node);

inline constexpr std::size_t k_members_max = 64;
inline constexpr std::size_t k_config_context_bytes_max = 64 * 1024;

/// Invariants (validate()): at least one voter unless empty; learners are not voters of either
/// half; learners_next are voters of the outgoing half only, and empty unless joint; at most
/// k_members_max nodes.
struct configuration {
  node_set voters;         ///< the half that remains
  node_set outgoing;       ///< the half that leaves; empty: not joint
  node_set learners;       ///< get entries, count in no quorum
  node_set learners_next;  ///< outgoing voters that become learners when the joint phase ends
  shared_bytes context;    ///< the driver's: names and addresses. Opaque to the core.

  [[nodiscard]] bool joint() const { return !outgoing.empty(); }
  /// True in either half: such a node may campaign.
  [[nodiscard]] bool is_voter(node_id node) const;
  [[nodiscard]] bool contains(node_id node) const;
  /// Everybody, each once.
  [[nodiscard]] node_set members() const;

  bool operator==(const configuration& other) const;
};

struct member_change {
  enum class action : std::uint8_t { add_voter, add_learner, remove };
  action what = action::add_learner;
  node_id node;
};

/// The invariants above. invalid_argument names the one that does not hold.
[[nodiscard]] status validate(const configuration& config);

/// The next configuration: joint if the voters differ, otherwise final. add_learner on a voter
/// demotes it; on a learner changes nothing. invalid_argument: `from` is joint, a node named twice
/// or 0, an unknown node removed, nobody left to vote, too many members.
[[nodiscard]] result<configuration> changed(const configuration& from,
                                            const std::vector<member_change>& changes);

/// What follows a joint configuration. @pre `from.joint()`.
[[nodiscard]] configuration joint_left(const configuration& from);

/// The payload of a config entry: layout in docs/protocol/raft.md.
[[nodiscard]] shared_bytes encode(const configuration& config);
/// invalid_argument: not what encode() makes, or not valid.
[[nodiscard]] result<configuration> decode_configuration(const shared_bytes& payload);

/// The configurations of a log: that at its start, and one for each config entry after it. Derived
/// from the log, hence truncated and trimmed with it.
class config_history {
public:
  struct item {
    log_index index;
    configuration config;
  };

  explicit config_history(item at_start);

  /// The one in force.
  [[nodiscard]] const item& latest() const { return items_.back(); }
  [[nodiscard]] const std::vector<item>& items() const { return items_; }
  /// The one in force at `index`. @pre not before the start.
  [[nodiscard]] const configuration& at(log_index index) const;

  /// @pre `index` is beyond the latest.
  void append(log_index index, configuration config);
  void truncate_from(log_index first_removed);
  /// Forgets what is superseded at `start`.
  void trim_to(log_index start);

private:
  std::vector<item> items_;  // ascending; the first is the base
};

}  // namespace cairn::raft
