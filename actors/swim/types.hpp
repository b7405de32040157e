#pragma once
// Words of the membership core. "SWIM" is Das, Gupta and Motivala, "SWIM: Scalable
// Weakly-consistent Infection-style Process Group Membership Protocol" (DSN 2002); "Lifeguard" is
// Dadgar, Phillips and Currey, "Lifeguard: Local Health Awareness for More Accurate Failure
// Detection" (arXiv 1707.00788).

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace cairn::swim {

/// Ascending in what overrides what within one incarnation (SWIM 4.2). The numbers cross the wire.
enum class member_state : std::uint8_t {
  alive = 1,
  suspect = 2,  ///< did not answer; has time to object
  failed = 3,   ///< did not object. Stays listed: it may come back, and gossip shrinks no quorum
  left = 4,     ///< said goodbye, or was removed by an operator
};

/// What a member tells about itself. Only the member changes it, with a new incarnation.
struct member_info {
  std::string node_id;
  std::uint64_t number = 0;  ///< Raft's; 0: not a member of the cluster yet
  std::string peer;          ///< ADDRESS:PORT
  std::string http;
  std::string grpc;
  std::string version;
  std::string zone;

  bool operator==(const member_info&) const = default;
};

/// Shared, because one member's information stands in many tables and messages of a simulation.
using info_ptr = std::shared_ptr<const member_info>;

/// Longest text in a claim: names, addresses, versions.
inline constexpr std::size_t k_text_bytes_max = 255;
/// Incarnations from here on are refused: no honest member gets there, and one message must not use
/// up the number space.
inline constexpr std::uint64_t k_incarnation_limit = std::uint64_t{1} << 62U;
/// A claim about a member may be ahead of what is known by no more than this. A member counts up by
/// one for each time that it objects, so that only a liar leaps.
inline constexpr std::uint64_t k_incarnation_leap_max = std::uint64_t{1} << 32U;

/// Stable lower-case name.
[[nodiscard]] constexpr const char* to_string(member_state state) {
  switch (state) {
    case member_state::alive:
      return "alive";
    case member_state::suspect:
      return "suspect";
    case member_state::failed:
      return "failed";
    case member_state::left:
      return "left";
  }
  return "unknown";
}

/// Where random numbers come from: injected, so that a run can be repeated.
class random_source {
public:
  virtual ~random_source() = default;
  /// Any 64 bits, uniformly.
  [[nodiscard]] virtual std::uint64_t next() = 0;
  /// Below `limit`; 0 if that is 0. The bias of the remainder does not matter here.
  [[nodiscard]] std::size_t below(std::size_t limit) { return limit == 0 ? 0 : next() % limit; }
};

}  // namespace cairn::swim
