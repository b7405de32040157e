#pragma once
// What the nodes of a cluster may have answered, for explain(): all is well, and then something is
// not.

#include "apps/console/explain.hpp"
#include "tests/unit/console/fake_inspector.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <string>
#include <string_view>

namespace cairn::console {

inline constexpr std::int64_t k_elected_ms = k_now_ms - 180'000;

/// n2 leads in term 3, n1 and n3 follow, nothing is wrong.
inline situation three_nodes() {
  situation seen;
  seen.via = "n1";
  seen.now_ms = k_now_ms;
  seen.members.set_cluster_id("c-1");
  for (const auto* name : {"n1", "n2", "n3"}) {
    auto& member = *seen.members.add_members();
    member.set_id(name);
    member.set_state("alive");
    node_view view;
    view.node = name;
    view.facts.set_cluster_id("c-1");
    view.facts.set_started_ms(k_now_ms - 3'600'000);
    view.raft = from_text<v1::RaftState>(fmt::format(
        R"(node: "{}" role: "follower" term: 3 leader: "n2" since_ms: {} commit_index: 100
           last_index: 100 election_timeout_ms: 1000 voter: true last_contact_ms: 40)",
        name, k_elected_ms));
    for (const auto* peer : {"n1", "n2", "n3"}) {
      if (std::string_view(peer) == name) continue;
      *view.raft.add_peers() =
          from_text<v1::RaftState>(
              fmt::format(R"(peers {{ node: "{}" role: "voter" linked: true }})", peer))
              .peers(0);
    }
    seen.nodes.push_back(std::move(view));
  }
  auto& leader = seen.nodes[1].raft;
  leader.set_role("leader");
  for (auto& peer : *leader.mutable_peers()) {
    peer.set_state("replicate");
    peer.set_match_index(100);
    peer.set_active(true);
    peer.set_last_contact_ms(20);
  }
  return seen;
}

inline node_view& node(situation& seen, std::string_view name) {
  for (auto& one : seen.nodes) {
    if (one.node == name) return one;
  }
  FAIL("no such node");
  return seen.nodes.front();
}

inline v1::RaftPeer& peer_of_leader(situation& seen, std::string_view name) {
  for (auto& one : *node(seen, "n2").raft.mutable_peers()) {
    if (one.node() == name) return one;
  }
  FAIL("no such peer");
  return *node(seen, "n2").raft.mutable_peers(0);
}

inline void take_away(situation& seen, std::string_view name, bool given_up = true) {
  node(seen, name).silent = error{errc::unavailable, fmt::format("{} is not linked to n1", name)};
  for (auto& one : *seen.members.mutable_members()) {
    if (one.id() != name || !given_up) continue;
    one.set_state("failed");
    one.set_by("n3");
    one.set_since_ms(k_now_ms - 170'000);
  }
}

inline void add_election(situation& seen, std::string_view by, const std::string& text) {
  *node(seen, by).raft.add_elections() = from_text<v1::Election>(text);
}

inline std::string told(const situation& seen, std::string_view topic) {
  std::string text;
  for (const auto& one : explain(seen)) {
    if (one.topic == topic) text += one.text + "\n";
  }
  return text;
}

inline void check_told(const situation& seen, std::string_view topic, const std::string& part) {
  const auto text = told(seen, topic);
  CHECK_MESSAGE(text.find(part) != std::string::npos, text);
}

inline void check_not_told(const situation& seen, std::string_view topic, const std::string& part) {
  const auto text = told(seen, topic);
  CHECK_MESSAGE(text.find(part) == std::string::npos, text);
}

inline bool anything_bad(const situation& seen) {
  for (const auto& one : explain(seen)) {
    if (one.how == weight::bad) return true;
  }
  return false;
}

}  // namespace cairn::console
