#include "actors/raft/configuration.hpp"

#include <algorithm>
#include <iterator>

namespace cairn::raft {
namespace {

void insert(node_set& set, node_id node) {
  const auto at = std::lower_bound(set.begin(), set.end(), node);
  if (at == set.end() || *at != node) set.insert(at, node);
}

void erase(node_set& set, node_id node) {
  std::erase(set, node);
}

node_set united(const node_set& a, const node_set& b) {
  node_set both;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return both;
}

bool disjoint(const node_set& a, const node_set& b) {
  return std::none_of(a.begin(), a.end(), [&b](node_id node) { return holds(b, node); });
}

bool strictly_ascending(const node_set& set) {
  const bool ascending =
      std::adjacent_find(set.begin(), set.end(), std::greater_equal<>{}) == set.end();
  return ascending && (set.empty() || set.front() != k_nobody);
}

error invalid(std::string detail) {
  return {errc::invalid_argument, std::move(detail)};
}

constexpr std::uint8_t k_encoding_version = 1;
constexpr std::size_t k_encoded_head_bytes = 8;

}  // namespace

bool holds(const node_set& set, node_id node) {
  return std::binary_search(set.begin(), set.end(), node);
}

bool configuration::is_voter(node_id node) const {
  return holds(voters, node) || holds(outgoing, node);
}

bool configuration::contains(node_id node) const {
  return is_voter(node) || holds(learners, node);
}

node_set configuration::members() const {
  return united(united(voters, outgoing), learners);
}

bool configuration::operator==(const configuration& other) const {
  return voters == other.voters && outgoing == other.outgoing && learners == other.learners &&
         learners_next == other.learners_next && context.text() == other.context.text();
}

status validate(const configuration& config) {
  for (const node_set* set :
       {&config.voters, &config.outgoing, &config.learners, &config.learners_next}) {
    if (!strictly_ascending(*set)) return invalid("a node is named twice, or is 0");
  }
  const node_set members = config.members();
  if (members.size() > k_members_max) {
    return invalid(fmt::format("{} members, at most {}", members.size(), k_members_max));
  }
  if (config.voters.empty() && !members.empty()) return invalid("nobody is left to vote");
  if (!disjoint(config.learners, united(config.voters, config.outgoing))) {
    return invalid("a learner votes");
  }
  for (const node_id node : config.learners_next) {
    if (!holds(config.outgoing, node) || holds(config.voters, node)) {
      return invalid(fmt::format("node {} is to become a learner, but is not leaving the voters",
                                 node.value()));
    }
  }
  if (config.context.size() > k_config_context_bytes_max) return invalid("context is too large");
  return {};
}

result<configuration> changed(const configuration& from,
                              const std::vector<member_change>& changes) {
  if (from.joint()) return invalid("a change is under way");
  configuration next = from;
  node_set named;
  for (const member_change& change : changes) {
    const node_id node = change.node;
    if (node == k_nobody) return invalid("node 0 cannot be a member");
    if (holds(named, node)) return invalid(fmt::format("node {} is named twice", node.value()));
    insert(named, node);
    switch (change.what) {
      case member_change::action::add_voter:
        erase(next.learners, node);
        insert(next.voters, node);
        break;
      case member_change::action::add_learner:
        if (holds(next.voters, node)) {
          erase(next.voters, node);
          insert(next.learners_next, node);
        } else {
          insert(next.learners, node);
        }
        break;
      case member_change::action::remove:
        if (!next.contains(node)) {
          return invalid(fmt::format("node {} is no member", node.value()));
        }
        erase(next.voters, node);
        erase(next.learners, node);
        break;
    }
  }
  if (next.voters != from.voters) next.outgoing = from.voters;
  if (auto valid = validate(next); !valid) return valid.error();
  return next;
}

configuration joint_left(const configuration& from) {
  CAIRN_CHECK(from.joint(), "leaving a configuration that is not joint");
  configuration next = from;
  next.learners = united(from.learners, from.learners_next);
  next.outgoing.clear();
  next.learners_next.clear();
  return next;
}

shared_bytes encode(const configuration& config) {
  const node_set* sets[] = {&config.voters, &config.outgoing, &config.learners,
                            &config.learners_next};
  std::vector<std::byte> out(k_encoded_head_bytes);
  out[0] = std::byte{k_encoding_version};
  for (std::size_t i = 0; i < 4; ++i) {
    CAIRN_CHECK(sets[i]->size() <= k_members_max, "{} nodes in one set", sets[i]->size());
    out[1 + i] = static_cast<std::byte>(sets[i]->size());
    for (const node_id node : *sets[i]) {
      out.resize(out.size() + sizeof(std::uint64_t));
      store_le(out.data() + out.size() - sizeof(std::uint64_t), node.value());
    }
  }
  const byte_span context = config.context.span();
  out.insert(out.end(), context.begin(), context.end());
  return shared_bytes::copy_of(out);
}

result<configuration> decode_configuration(const shared_bytes& payload) {
  if (payload.size() < k_encoded_head_bytes) return invalid("configuration is cut short");
  const std::byte* data = payload.data();
  if (data[0] != std::byte{k_encoding_version}) {
    return invalid(fmt::format("configuration of version {}", std::to_integer<int>(data[0])));
  }
  configuration config;
  node_set* sets[] = {&config.voters, &config.outgoing, &config.learners, &config.learners_next};
  std::size_t at = k_encoded_head_bytes;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto count = std::to_integer<std::size_t>(data[1 + i]);
    if (count > k_members_max) return invalid("configuration names too many nodes");
    if (payload.size() - at < count * sizeof(std::uint64_t)) {
      return invalid("configuration is cut short");
    }
    for (std::size_t n = 0; n < count; ++n, at += sizeof(std::uint64_t)) {
      sets[i]->emplace_back(load_le<std::uint64_t>(data + at));
    }
  }
  config.context = payload.slice(at, payload.size() - at);
  if (auto valid = validate(config); !valid) return valid.error();
  return config;
}

config_history::config_history(item at_start) {
  items_.push_back(std::move(at_start));
}

const configuration& config_history::at(log_index index) const {
  const item* found = nullptr;
  for (const item& candidate : items_) {
    if (candidate.index <= index) found = &candidate;
  }
  CAIRN_CHECK(found != nullptr, "no configuration is known at index {}", index.value());
  return found->config;
}

void config_history::append(log_index index, configuration config) {
  CAIRN_CHECK(index > latest().index, "config entry {} after {}", index.value(),
              latest().index.value());
  items_.push_back({index, std::move(config)});
}

void config_history::truncate_from(log_index first_removed) {
  while (items_.size() > 1 && items_.back().index >= first_removed)
    items_.pop_back();
  CAIRN_CHECK(items_.back().index < first_removed, "the base configuration was truncated");
}

void config_history::trim_to(log_index start) {
  while (items_.size() > 1 && items_[1].index <= start)
    items_.erase(items_.begin());
}

}  // namespace cairn::raft
