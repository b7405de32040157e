#pragma once
// Who is a member, by number and by name, and what a change of that looks like. Pure: a function
// looks at the configuration in force and says what to propose; core::change_membership carries it
// out. Numbers are Raft's, names people's; configuration::context holds both
// (proto/cluster_context.hpp).

#include "actors/raft/configuration.hpp"
#include "proto/cluster_context.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace cairn::actors {

/// What a change consists of: arguments of raft::change_membership.
struct roster_change {
  std::vector<raft::member_change> changes;  ///< may be empty: then only the context changes
  proto::cluster_context context;
};

/// What becomes of a node that announces itself.
struct admission {
  std::uint64_t number = 0;  ///< the node's
  bool known = false;        ///< it is a member already
  bool needed = false;       ///< `change` is to be proposed first
  roster_change change;
};

/// The configuration of a new cluster: `first` is its one voter, with number 1.
[[nodiscard]] raft::configuration bootstrap_configuration(std::string_view cluster_id,
                                                          proto::cluster_member first);

/// The context of a configuration. corruption: it has none, or one that cannot be read, or a node
/// of the configuration is not in it.
[[nodiscard]] result<proto::cluster_context> context_of(const raft::configuration& config);

/// Members of the configuration only, without those that a change has removed.
[[nodiscard]] std::vector<proto::cluster_member> current_members(
    const raft::configuration& config, const proto::cluster_context& context);

/// What to do about `node`, which says that it belongs to `cluster_id` (empty: to none yet, then
/// node.number is 0). A member that comes back with other addresses keeps its number and its role.
/// A new one gets a number of its own and begins as a learner.
///
/// Refused for good: invalid_argument (its description is not valid), already_exists (another
/// cluster; the id belongs to another data directory; its data belong to another id), not_found
/// (it was removed), too_large (the cluster is full). `detail` says what its operator can do.
[[nodiscard]] result<admission> admit(const raft::configuration& config,
                                      const proto::cluster_member& node,
                                      std::string_view cluster_id);

/// The change that makes node `node_id` leave. not_found: no such member; invalid_argument: it is
/// the last voter.
[[nodiscard]] result<roster_change> removal(const raft::configuration& config,
                                            std::string_view node_id);

/// The change that makes a learner a voter. @pre `number` is a learner of `config`.
[[nodiscard]] result<roster_change> promotion(const raft::configuration& config,
                                              raft::node_id number);

}  // namespace cairn::actors
