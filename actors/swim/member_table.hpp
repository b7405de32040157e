#pragma once
// Everybody that a member knows of, itself included, by name.

#include "actors/swim/messages.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::swim {

struct member {
  info_ptr info;  ///< never null
  member_state state = member_state::alive;
  std::uint64_t incarnation = 0;
  std::uint64_t since_ms = 0;  ///< in this state, by the core's clock
  std::string by;              ///< who suspected it or gave it up; empty for alive

  [[nodiscard]] const std::string& node() const { return info->node_id; }
  /// What to tell others. `with_info`: a claim of alive always carries it.
  [[nodiscard]] claim as_claim(bool with_info) const;
};

/// Does a claim of `state` in `incarnation` override what is known of `known`? Higher incarnations
/// do, and in the same one alive < suspect < failed < left (SWIM 4.2; there a failure overrides
/// whatever the incarnation, because a failed member never comes back; ours do). A total order, so
/// that all members end with the same, whatever the order in which they hear.
[[nodiscard]] bool overrides(member_state state, std::uint64_t incarnation, const member& known);

class member_table {
public:
  /// Null if unknown. Valid until the next add() or remove().
  [[nodiscard]] const member* find(std::string_view node) const;
  /// Ascending by name.
  [[nodiscard]] const std::vector<member>& all() const { return members_; }
  [[nodiscard]] std::size_t size() const { return members_.size(); }
  [[nodiscard]] std::size_t count(member_state state) const;
  /// Alive and suspect: who takes part.
  [[nodiscard]] std::size_t active() const {
    return count(member_state::alive) + count(member_state::suspect);
  }

  /// Changes whenever anything in the table does.
  [[nodiscard]] std::uint64_t version() const { return version_; }

  /// @pre no member of that name.
  void add(member one);
  /// `change(member&)` must not change the name. @pre `node` is known.
  template <class Change>
  const member& update(std::string_view node, Change change) {
    member& one = *locate(node);
    --counts_[static_cast<std::size_t>(one.state)];
    change(one);
    ++version_;
    ++counts_[static_cast<std::size_t>(one.state)];
    return one;
  }
  /// No effect if unknown.
  void remove(std::string_view node);

private:
  [[nodiscard]] std::vector<member>::iterator locate(std::string_view node);

  std::vector<member> members_;
  std::uint64_t version_ = 0;
  std::array<std::size_t, static_cast<std::size_t>(member_state::left) + 1> counts_{};
};

}  // namespace cairn::swim
