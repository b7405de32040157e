#pragma once
// Raft's numbers and the names under which links know nodes.

#include "actors/raft/configuration.hpp"

#include <map>
#include <optional>
#include <string>

namespace cairn::actors {

/// Owner: one RaftActor. Knows what configurations say, and, for a node that has none yet, what
/// peers call themselves.
class raft_peers {
public:
  /// Takes the names of a configuration's context. Names of nodes that have left stay known, since
  /// numbers are never reused. False: there is a context that cannot be read.
  bool update(const raft::configuration& config);

  /// Empty: unknown.
  [[nodiscard]] std::string name_of(raft::node_id number) const;
  /// The latest number of that name.
  [[nodiscard]] std::optional<raft::node_id> number_of(const std::string& name) const;

  /// True if the node `name` may speak as `number`: it is known by it, or nobody is and the number
  /// is newer than any that the name is known by. Remembers it then.
  bool admit(const std::string& name, raft::node_id number);

private:
  std::map<raft::node_id, std::string> names_;
  std::map<std::string, raft::node_id> numbers_;
};

}  // namespace cairn::actors
