#pragma once
// Names, numbers and addresses of a cluster's members: cairn.v1.ClusterContext, which every Raft
// configuration carries, so that whoever knows the configuration knows how to reach its nodes.

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::proto {

struct cluster_member {
  std::uint64_t number = 0;  ///< Raft's; never given to another node
  std::string node_id;
  std::string data_id;  ///< of the data directory: tells a wiped node from the one it was
  std::string peer;     ///< ADDRESS:PORT that other nodes dial
  std::string http;     ///< for clients; empty: none
  std::string grpc;     ///< for clients; empty: none
  std::string zone;

  bool operator==(const cluster_member&) const = default;
};

struct cluster_context {
  std::string cluster_id;
  std::uint64_t next_number = 1;  ///< the first one that was never given out
  /// Ascending in number. Those of the configuration, and those that the last change has removed.
  std::vector<cluster_member> members;

  /// Null when there is none.
  [[nodiscard]] const cluster_member* by_number(std::uint64_t number) const;
  /// The latest of that name.
  [[nodiscard]] const cluster_member* by_node_id(std::string_view node_id) const;

  bool operator==(const cluster_context&) const = default;
};

// What a decoder takes from a stranger. Names as apps/config_values has them.
inline constexpr std::size_t k_node_id_bytes_max = 64;
inline constexpr std::size_t k_id_bytes_max = 64;        // cluster and data ids
inline constexpr std::size_t k_address_bytes_max = 128;  // host and port
inline constexpr std::size_t k_zone_bytes_max = 64;
inline constexpr std::size_t k_context_members_max = 128;

/// The rules above, names not empty, numbers from 1, ascending, below next_number.
/// invalid_argument names the member and the field.
[[nodiscard]] status validate(const cluster_context& context);
/// The same for one member; `number` may be 0.
[[nodiscard]] status validate(const cluster_member& member);

/// @pre validate() accepts it.
[[nodiscard]] shared_bytes encode(const cluster_context& context);
/// invalid_argument: no ClusterContext, or not a valid one. Fields that this version does not know
/// are skipped.
[[nodiscard]] result<cluster_context> decode_cluster_context(byte_span bytes);

}  // namespace cairn::proto
