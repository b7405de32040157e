#pragma once
// What nodes ask of each other about their cluster: cairn.v1.ClusterRequest and ClusterAnswer.
// Heads of peer envelopes; there is no body.

#include "proto/cluster_context.hpp"
#include "storage/base/errc.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace cairn::proto {

/// "This is me": from a node that wants to become a member, or a member that has started.
struct announce_request {
  cluster_member node;     ///< number 0: not a member of anything yet
  std::string cluster_id;  ///< empty: likewise
};

struct remove_request {
  std::string node_id;
};

struct transfer_request {
  std::string log;
  std::string node_id;  ///< empty: to whom the leader likes
};

/// To a node that waits for a cluster: announce yourself to these.
struct invite_request {
  std::string node_id;  ///< whom the inviter believes to talk to
  std::string cluster_id;
  std::vector<std::string> peers;
};

struct cluster_request {
  std::uint64_t id = 0;           ///< of the asker; comes back in the answer
  bool forwarded = false;         ///< not to be forwarded again
  std::uint32_t deadline_ms = 0;  ///< what is left of it
  std::variant<announce_request, remove_request, transfer_request, invite_request> ask;
};

struct cluster_answer {
  std::uint64_t id = 0;
  errc code = errc::none;
  std::string detail;        ///< with a code: why, for people
  bool final = false;        ///< with a code: asking again will not help
  std::string cluster_id;    ///< of the node that answers; empty: it is no member itself
  std::uint64_t number = 0;  ///< announce: the asker's
  cluster_context context;   ///< as the leader knows it; without members: unknown
  std::string leader;        ///< node id, empty: unknown
};

inline constexpr std::size_t k_invite_peers_max = 16;
inline constexpr std::size_t k_detail_bytes_max = 1024;

[[nodiscard]] shared_bytes encode(const cluster_request& request);
/// invalid_argument: not a request, or a field out of range; the detail names it.
[[nodiscard]] result<cluster_request> decode_cluster_request(byte_span bytes);

[[nodiscard]] shared_bytes encode(const cluster_answer& answer);
/// As above.
[[nodiscard]] result<cluster_answer> decode_cluster_answer(byte_span bytes);

}  // namespace cairn::proto
