#pragma once
// Quorum arithmetic for simple and joint configurations (paper section 6: agreement needs separate
// majorities of both halves). Pure functions; checked against a naive reference by random tests.

#include "actors/raft/configuration.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace cairn::raft {

enum class vote_result : std::uint8_t { pending, won, lost };

/// Members that make a majority of `voter_count`.
[[nodiscard]] constexpr std::size_t majority_of(std::size_t voter_count) {
  return voter_count / 2 + 1;
}

/// The highest value that a majority has reached; the values are reordered. @pre not empty.
[[nodiscard]] std::uint64_t majority_value(std::span<std::uint64_t> values);

/// Result of a ballot among `voter_count` voters.
[[nodiscard]] vote_result ballot(std::size_t voter_count, std::size_t yes_count,
                                 std::size_t no_count);

/// Highest value that a quorum of `config` has reached, with `value_of(node)` for each voter.
/// 0 when there is no voter: nothing can be agreed on.
template <class ValueOf>
[[nodiscard]] std::uint64_t quorum_value(const configuration& config, ValueOf&& value_of) {
  const auto of_half = [&value_of](const node_set& half) {
    std::array<std::uint64_t, k_members_max> values{};
    CAIRN_CHECK(half.size() <= values.size(), "{} voters", half.size());
    for (std::size_t i = 0; i < half.size(); ++i)
      values[i] = value_of(half[i]);
    return majority_value({values.data(), half.size()});
  };
  if (config.voters.empty()) return 0;
  const std::uint64_t remaining = of_half(config.voters);
  if (!config.joint()) return remaining;
  return std::min(remaining, of_half(config.outgoing));
}

/// Result of a ballot with `vote_of(node)` an optional<bool> for each voter: both halves must be
/// won, and losing one loses.
template <class VoteOf>
[[nodiscard]] vote_result quorum_vote(const configuration& config, VoteOf&& vote_of) {
  const auto of_half = [&vote_of](const node_set& half) {
    std::size_t yes_count = 0;
    std::size_t no_count = 0;
    for (const node_id node : half) {
      const std::optional<bool> vote = vote_of(node);
      if (vote.has_value()) ++(*vote ? yes_count : no_count);
    }
    return ballot(half.size(), yes_count, no_count);
  };
  if (config.voters.empty()) return vote_result::lost;
  const vote_result remaining = of_half(config.voters);
  if (!config.joint() || remaining == vote_result::lost) return remaining;
  const vote_result outgoing = of_half(config.outgoing);
  return outgoing == vote_result::won ? remaining : outgoing;
}

/// True if the voters for which `has(node)` holds are a quorum.
template <class Has>
[[nodiscard]] bool is_quorum(const configuration& config, Has&& has) {
  return quorum_vote(config, [&has](node_id node) { return std::optional<bool>(has(node)); }) ==
         vote_result::won;
}

}  // namespace cairn::raft
