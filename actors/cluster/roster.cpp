#include "actors/cluster/roster.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::actors {

namespace {

using proto::cluster_context;
using proto::cluster_member;
using raft::member_change;

error refused(errc code, std::string detail) {
  return {code, std::move(detail)};
}

bool has(const raft::configuration& config, const cluster_member& member) {
  return config.contains(raft::node_id(member.number));
}

/// Forgets those that earlier changes have removed. @pre `config` is not joint.
cluster_context pruned(const raft::configuration& config, cluster_context context) {
  std::erase_if(context.members, [&](const auto& member) { return !has(config, member); });
  return context;
}

/// The member of that name in the configuration.
const cluster_member* find_current(const raft::configuration& config,
                                   const cluster_context& context, std::string_view node_id) {
  const auto found = std::find_if(
      context.members.begin(), context.members.end(),
      [&](const auto& member) { return member.node_id == node_id && has(config, member); });
  return found == context.members.end() ? nullptr : &*found;
}

error removed_for_good(const cluster_member& node) {
  return refused(
      errc::not_found,
      fmt::format("node {} was removed from this cluster and its number is not given "
                  "again; to let the machine in as a new member, stop it, empty its data "
                  "directory and start it with --join",
                  node.node_id));
}

/// Why a node that says that it is a member already cannot be one, if so.
std::optional<error> check_claim(const raft::configuration& config, const cluster_context& context,
                                 const cluster_member& node, std::string_view cluster_id) {
  if (cluster_id.empty() && node.number == 0) return std::nullopt;
  if (cluster_id != context.cluster_id) {
    return refused(errc::already_exists,
                   fmt::format("the data of node {} belong to cluster {}, this is cluster {}; it "
                               "can join only with an empty data directory",
                               node.node_id, cluster_id, context.cluster_id));
  }
  if (node.number == 0) return std::nullopt;
  const auto* member = context.by_number(node.number);
  if (member == nullptr || !has(config, *member)) {
    // A number that this configuration does not know yet is no lie: we may be behind.
    if (node.number < context.next_number) return removed_for_good(node);
    return refused(errc::unavailable, fmt::format("number {} of node {} is not known here yet",
                                                  node.number, node.node_id));
  }
  if (member->node_id != node.node_id || member->data_id != node.data_id) {
    return refused(errc::already_exists, fmt::format("number {} belongs to node {} with other data",
                                                     node.number, member->node_id));
  }
  return std::nullopt;
}

/// Why a node that is not a member under this data id cannot become one, if so.
std::optional<error> check_newcomer(const raft::configuration& config,
                                    const cluster_context& context, const cluster_member& node) {
  if (const auto* taken = find_current(config, context, node.node_id)) {
    return refused(
        errc::already_exists,
        fmt::format("the id {0} belongs to a member with other data (at {1}). If that node's data "
                    "are lost, remove it first: cairn cluster remove {0}; otherwise start this one "
                    "with another --node-id",
                    node.node_id, taken->peer));
  }
  if (config.members().size() >= raft::k_members_max) {
    return refused(errc::too_large, fmt::format("the cluster has {} members, which is the most",
                                                raft::k_members_max));
  }
  return std::nullopt;
}

bool same_place(const cluster_member& a, const cluster_member& b) {
  return a.peer == b.peer && a.http == b.http && a.grpc == b.grpc && a.zone == b.zone;
}

}  // namespace

raft::configuration bootstrap_configuration(std::string_view cluster_id, cluster_member first) {
  first.number = 1;
  raft::configuration config;
  config.voters = {raft::node_id(1)};
  config.context = proto::encode(cluster_context{
      .cluster_id = std::string(cluster_id), .next_number = 2, .members = {std::move(first)}});
  return config;
}

result<cluster_context> context_of(const raft::configuration& config) {
  auto context = proto::decode_cluster_context(config.context.span());
  if (!context) {
    return error{errc::corruption,
                 "the cluster's configuration cannot be read: " + context.error().detail};
  }
  for (const auto number : config.members()) {
    if (context->by_number(number.value()) != nullptr) continue;
    return error{
        errc::corruption,
        fmt::format("the cluster's configuration has no name for node number {}", number.value())};
  }
  return context;
}

std::vector<cluster_member> current_members(const raft::configuration& config,
                                            const cluster_context& context) {
  std::vector<cluster_member> members;
  for (const auto& member : context.members) {
    if (has(config, member)) members.push_back(member);
  }
  return members;
}

result<admission> admit(const raft::configuration& config, const cluster_member& node,
                        std::string_view cluster_id) {
  if (auto valid = proto::validate(node); !valid) return valid.error();
  auto context = context_of(config);
  if (!context) return context.error();
  if (auto wrong = check_claim(config, *context, node, cluster_id)) return *wrong;
  admission out;
  for (const auto& member : context->members) {
    if (member.data_id != node.data_id) continue;
    if (member.node_id != node.node_id) {
      return refused(errc::already_exists,
                     fmt::format("the data directory of node {} is a copy of that of node {}; "
                                 "start it with an empty one",
                                 node.node_id, member.node_id));
    }
    if (!has(config, member)) return removed_for_good(node);
    out.known = true;
    out.number = member.number;
    out.needed = !same_place(member, node);
  }
  if (!out.known) {
    if (auto wrong = check_newcomer(config, *context, node)) return *wrong;
    out.number = context->next_number;
    out.needed = true;
    out.change.changes = {
        {.what = member_change::action::add_learner, .node = raft::node_id(out.number)}};
  }
  if (!out.needed) return out;
  auto& next = out.change.context;
  // While a change is under way nothing can be proposed anyway, and nobody may be forgotten.
  next = config.joint() ? *context : pruned(config, *std::move(context));
  auto updated = node;
  updated.number = out.number;
  if (out.known) {
    *std::find_if(next.members.begin(), next.members.end(), [&](const auto& member) {
      return member.number == out.number;
    }) = std::move(updated);
  } else {
    next.members.push_back(std::move(updated));
    ++next.next_number;
  }
  return out;
}

result<roster_change> removal(const raft::configuration& config, std::string_view node_id) {
  auto context = context_of(config);
  if (!context) return context.error();
  const auto* member = find_current(config, *context, node_id);
  if (member == nullptr) {
    return refused(errc::not_found, fmt::format("there is no member '{}'", node_id));
  }
  const raft::node_id number(member->number);
  if (config.voters == raft::node_set{number}) {
    return refused(errc::invalid_argument,
                   fmt::format("node {} is the last voter: without it there is no cluster. To end "
                               "the cluster, stop the node",
                               node_id));
  }
  // It keeps its name in this context: the joint configuration has to reach it.
  roster_change out;
  out.changes = {{.what = member_change::action::remove, .node = number}};
  out.context = config.joint() ? *context : pruned(config, *std::move(context));
  return out;
}

result<roster_change> promotion(const raft::configuration& config, raft::node_id number) {
  auto context = context_of(config);
  if (!context) return context.error();
  roster_change out;
  out.changes = {{.what = member_change::action::add_voter, .node = number}};
  out.context = config.joint() ? *context : pruned(config, *std::move(context));
  return out;
}

}  // namespace cairn::actors
