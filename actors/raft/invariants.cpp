#include "actors/raft/invariants.hpp"

#include <fmt/format.h>

namespace cairn::raft {
namespace {

std::string check_log(const core_status& s) {
  if (s.commit > s.last.index) {
    return fmt::format("commit {} beyond last {}", s.commit.value(), s.last.index.value());
  }
  if (s.start.index > s.commit) {
    return fmt::format("log starts after {}, committed only to {}", s.start.index.value(),
                       s.commit.value());
  }
  if (s.visible > s.commit) {
    return fmt::format("visible {} beyond commit {}", s.visible.value(), s.commit.value());
  }
  if (s.durable > s.handed || s.handed > s.last.index) {
    return fmt::format("durable {}, handed {}, last {}", s.durable.value(), s.handed.value(),
                       s.last.index.value());
  }
  if (s.last.term > s.term) {
    return fmt::format("last entry of term {} in term {}", s.last.term.value(), s.term.value());
  }
  if (s.config_index > s.last.index) return "the configuration in force is not in the log";
  if (auto valid = validate(s.config); !valid) return valid.error().detail;
  return {};
}

std::string check_role(const core_status& s) {
  if ((s.as == role::leader) != (s.leader == s.self)) return "leads without being the leader";
  if (s.as == role::candidate && s.vote != s.self) return "candidate that did not vote for itself";
  if (s.as == role::leader && s.vote != s.self) return "leader that did not vote for itself";
  if (s.as != role::leader && !s.peers.empty()) return "peers are tracked without leading";
  if (s.as != role::leader && s.proposal_count != 0) return "proposals are open without leading";
  if (s.as != role::leader && s.as != role::follower && s.leader != k_nobody) {
    return "candidate with a leader";
  }
  if (s.quiesced && s.commit != s.last.index) return "asleep with entries not committed";
  return {};
}

std::string check_peers(const core_status& s, const core_config& config) {
  if (s.as != role::leader) return {};
  for (const node_id node : s.config.members()) {
    if (node != s.self && !s.peers.contains(node)) {
      return fmt::format("member {} is not tracked", node.value());
    }
  }
  // One message may go over the window.
  const std::uint64_t message_bytes_max =
      std::max(config.append_bytes_max, config.entry_bytes_max + k_entry_overhead_bytes);
  for (const auto& [node, peer] : s.peers) {
    if (peer.match >= peer.next || peer.next > s.last.index.next()) {
      return fmt::format("peer {}: match {}, next {}, last {}", node.value(), peer.match.value(),
                         peer.next.value(), s.last.index.value());
    }
    if (peer.window_bytes > config.peer_window_bytes + message_bytes_max) {
      return fmt::format("peer {}: {} bytes in flight", node.value(), peer.window_bytes);
    }
    if (!s.config.contains(node)) return fmt::format("{} is tracked, no member", node.value());
  }
  return {};
}

}  // namespace

std::string broken_invariant(const core_status& s, const core_config& config) {
  if (std::string broken = check_log(s); !broken.empty()) return broken;
  if (std::string broken = check_role(s); !broken.empty()) return broken;
  return check_peers(s, config);
}

std::string broken_transition(const core_status& before, const core_status& after) {
  if (after.term < before.term) return "the term went back";
  if (after.commit < before.commit) return "the commit index went back";
  if (after.visible < before.visible) return "the visible index went back";
  if (after.start.index < before.start.index) return "the start of the log went back";
  if (before.fenced && !after.fenced) return "a fenced replica came back";
  if (after.term != before.term) return {};
  if (before.vote != k_nobody && after.vote != before.vote) return "two votes in one term";
  if (before.leader != k_nobody && after.leader != k_nobody && before.leader != after.leader) {
    return "two leaders in one term";
  }
  if (before.as != role::leader || after.as != role::leader) return {};
  if (after.last.index < before.last.index) return "a leader shortened its log";
  for (const auto& [node, peer] : before.peers) {
    const auto now = after.peers.find(node);
    if (now != after.peers.end() && now->second.match < peer.match) {
      return fmt::format("match of {} went back", node.value());
    }
  }
  return {};
}

}  // namespace cairn::raft
