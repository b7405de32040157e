// Quorum arithmetic against a naive second version: small configurations exhaustively, larger ones
// at random.

#include "actors/raft/quorum.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <functional>
#include <map>
#include <rapidcheck.h>

namespace cairn::raft {
namespace {

struct ballot_case {
  configuration config;
  std::map<node_id, std::uint64_t> value;
};

ballot_case any_case() {
  ballot_case c;
  const int joint = *rc::gen::inRange(0, 2);
  for (std::uint64_t n = 1; n <= 7; ++n) {
    if (*rc::gen::inRange(0, 3) != 0) c.config.voters.emplace_back(n);
    if (joint == 1 && *rc::gen::inRange(0, 3) != 0) c.config.outgoing.emplace_back(n);
    c.value[node_id(n)] = *rc::gen::inRange<std::uint64_t>(0, 6);
  }
  return c;
}

// By definition: the highest v for which more than half of a half has v or more.
std::uint64_t naive_value(const ballot_case& c) {
  std::uint64_t best = 0;
  for (std::uint64_t v = 0; v <= 6; ++v) {
    bool agreed = !c.config.voters.empty();
    for (const node_set* half : {&c.config.voters, &c.config.outgoing}) {
      if (half->empty()) continue;
      const auto reached =
          std::count_if(half->begin(), half->end(), [&](node_id n) { return c.value.at(n) >= v; });
      agreed = agreed && 2 * static_cast<std::size_t>(reached) > half->size();
    }
    if (agreed) best = v;
  }
  return best;
}

// By trying every way in which the missing votes could still go.
vote_result naive_vote(const configuration& config, const std::map<node_id, int>& votes) {
  const auto wins = [&](int missing) {
    for (const node_set* half : {&config.voters, &config.outgoing}) {
      if (half == &config.outgoing && half->empty()) continue;
      std::size_t yes = 0;
      for (const node_id n : *half)
        yes += (votes.at(n) == 2 ? missing : votes.at(n)) == 1 ? 1 : 0;
      if (2 * yes <= half->size()) return false;
    }
    return true;
  };
  if (wins(0)) return vote_result::won;
  return wins(1) ? vote_result::pending : vote_result::lost;
}

// Every pair of halves of five nodes (the outgoing one may be empty: not joint), each with every
// way to give each node one of three values.
void for_every_case(const std::function<void(const ballot_case&)>& check) {
  constexpr unsigned k_nodes = 5;
  constexpr unsigned k_subsets = 1U << k_nodes;
  constexpr unsigned k_values = 3 * 3 * 3 * 3 * 3;
  for (unsigned halves = 0; halves < k_subsets * k_subsets; ++halves) {
    ballot_case c;
    for (unsigned n = 0; n < k_nodes; ++n) {
      if ((halves >> n & 1U) != 0) c.config.voters.emplace_back(n + 1);
      if ((halves >> (k_nodes + n) & 1U) != 0) c.config.outgoing.emplace_back(n + 1);
    }
    for (unsigned values = 0; values < k_values; ++values) {
      unsigned rest = values;
      for (unsigned n = 0; n < k_nodes; ++n, rest /= 3)
        c.value[node_id(n + 1)] = rest % 3;
      check(c);
    }
  }
}

}  // namespace

TEST_CASE("quorum: every joint configuration of five nodes, with every outcome (paper section 6)") {
  std::uint64_t wrong_count = 0;
  std::uint64_t case_count = 0;
  for_every_case([&](const ballot_case& c) {
    ++case_count;
    const auto value_of = [&](node_id n) { return c.value.at(n); };
    if (quorum_value(c.config, value_of) != naive_value(c)) ++wrong_count;
    std::map<node_id, int> votes;  // 0 no, 1 yes, 2 none
    for (const auto& [node, value] : c.value)
      votes[node] = static_cast<int>(value);
    const auto vote_of = [&](node_id n) -> std::optional<bool> {
      if (votes[n] == 2) return std::nullopt;
      return votes[n] == 1;
    };
    if (quorum_vote(c.config, vote_of) != naive_vote(c.config, votes)) ++wrong_count;
  });
  CHECK(case_count == 32 * 32 * 243);
  CHECK(wrong_count == 0);
}

TEST_CASE("quorum: the agreed value equals the naive one (paper section 6)") {
  CHECK(rc::check("agreed value", [] {
    const ballot_case c = any_case();
    RC_ASSERT(quorum_value(c.config, [&](node_id n) { return c.value.at(n); }) == naive_value(c));
  }));
}

TEST_CASE("quorum: a ballot ends as the naive one does") {
  CHECK(rc::check("ballot", [] {
    const ballot_case c = any_case();
    std::map<node_id, int> votes;  // 0 no, 1 yes, 2 none
    for (const auto& [node, value] : c.value)
      votes[node] = static_cast<int>(value % 3);
    const auto vote_of = [&](node_id n) -> std::optional<bool> {
      if (votes[n] == 2) return std::nullopt;
      return votes[n] == 1;
    };
    RC_ASSERT(quorum_vote(c.config, vote_of) == naive_vote(c.config, votes));
  }));
}

TEST_CASE("quorum: any two quorums of successive configurations meet (paper section 6)") {
  CHECK(rc::check("quorums meet", [] {
    configuration from = any_case().config;
    from.outgoing.clear();
    configuration to = any_case().config;
    configuration joint;
    joint.voters = to.voters;
    joint.outgoing = from.voters;
    if (from.voters.empty() || to.voters.empty()) return;
    const auto mask = *rc::gen::inRange<std::uint64_t>(0, 256);
    const auto in_mask = [mask](node_id n) { return ((mask >> n.value()) & 1U) != 0; };
    const auto outside = [&](node_id n) { return !in_mask(n); };
    RC_ASSERT_FALSE(is_quorum(joint, in_mask) && is_quorum(from, outside));
    configuration after;
    after.voters = to.voters;
    RC_ASSERT_FALSE(is_quorum(joint, in_mask) && is_quorum(after, outside));
  }));
}

TEST_CASE("quorum: nobody agrees on anything when nobody votes") {
  const configuration empty;
  CHECK(quorum_value(empty, [](node_id) { return 5; }) == 0);
  CHECK(quorum_vote(empty, [](node_id) { return std::optional<bool>(true); }) == vote_result::lost);
}

}  // namespace cairn::raft
