#include "actors/raft_peers.hpp"

#include "proto/cluster_context.hpp"

namespace cairn::actors {
namespace {

/// A stranger cannot make us remember more than this.
constexpr std::size_t k_names_max = 1024;

}  // namespace

bool raft_peers::update(const raft::configuration& config) {
  if (config.context.empty()) return true;
  const auto context = proto::decode_cluster_context(config.context.span());
  if (!context) return false;
  for (const auto& member : context->members) {
    const raft::node_id number(member.number);
    names_[number] = member.node_id;
    auto& latest = numbers_[member.node_id];
    if (number > latest) latest = number;
  }
  return true;
}

std::string raft_peers::name_of(raft::node_id number) const {
  const auto found = names_.find(number);
  return found == names_.end() ? std::string() : found->second;
}

std::optional<raft::node_id> raft_peers::number_of(const std::string& name) const {
  const auto found = numbers_.find(name);
  if (found == numbers_.end()) return std::nullopt;
  return found->second;
}

bool raft_peers::admit(const std::string& name, raft::node_id number) {
  if (const auto known = names_.find(number); known != names_.end()) return known->second == name;
  const auto latest = numbers_.find(name);
  if (latest != numbers_.end() && latest->second > number) return false;
  if (names_.size() >= k_names_max) return false;
  names_.emplace(number, name);
  numbers_[name] = number;
  return true;
}

}  // namespace cairn::actors
