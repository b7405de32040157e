#pragma once
// What two nodes say to each other before anything else: who they are and whether they fit
// together.
//
// A frame, little-endian: 8 bytes "CAIRNPR\n", u16 version, u8 type, u8 zero, u32 bytes of body,
// body. The first 16 bytes never change, so that any version can refuse any other with a reason.
// The dialler sends a hello; the answer is a welcome (same content, of the other side) or a
// refusal. A dialler that does not like the welcome sends a refusal and closes. Fields that a later
// version appends to a body are ignored.

#include "storage/base/result.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::net {

inline constexpr std::uint16_t k_peer_version = 1;
inline constexpr std::size_t k_peer_header_bytes = 16;
inline constexpr std::size_t k_peer_body_bytes_max = 4096;
inline constexpr std::size_t k_peer_lane_count = 2;

enum class peer_frame_type : std::uint8_t { hello = 1, welcome = 2, refusal = 3 };

/// Why a connection was not made a link. Numbers are the wire's and never reused.
enum class peer_refusal : std::uint8_t {
  none = 0,
  not_a_peer = 1,       ///< what came is no frame; not answered
  version = 2,          ///< speaks another version
  bad_hello = 3,        ///< a frame whose content makes no sense
  wrong_cluster = 4,    ///< belongs to another cluster
  no_cluster = 5,       ///< neither side has joined one yet
  own_id = 6,           ///< has our node id
  unexpected_node = 7,  ///< another node than the one that was dialled
  data_directory = 8,   ///< a node of that id, with another data directory, is linked
  crossed = 9,          ///< both dialled at once, and the other dial wins
  already_linked = 10,  ///< there is a link of the same two processes
  busy = 11,            ///< too many half-open connections
  policy = 12,          ///< the node's own rules; the reason says more
  too_slow = 13,        ///< the hello did not come in time; not answered
  unreachable = 14,     ///< nobody answers, or what answers closes
  observer = 15,        ///< not as an observer, or not of one: the reason says more
};
inline constexpr std::size_t k_peer_refusals = 16;

/// "wrong-cluster" and so on, for metrics.
[[nodiscard]] std::string_view to_string(peer_refusal why);

/// What a hello may say of its sender. Bits that are not known are ignored.
enum peer_capability : std::uint32_t {
  /// No node: looks at nodes and asks them questions (docs/protocol/peer.md). It belongs to no
  /// cluster, listens nowhere and wants to join nothing.
  k_peer_observer = 1,
  /// A node that takes observers. One without it would take an observer for a node that joins.
  k_peer_takes_observers = 2,
};

struct peer_hello {
  std::uint8_t lane = 0;          ///< below k_peer_lane_count
  std::uint64_t incarnation = 0;  ///< of the process, random
  std::uint64_t session = 0;  ///< of the link to be; the dialler's choice, the same on all lanes
  std::uint32_t capabilities = 0;  ///< peer_capability bits
  std::string node_id;
  std::string data_id;     ///< of the data directory
  std::string cluster_id;  ///< empty: wants to join, or observes
  std::string address;     ///< "host:port" where it listens, or empty
  std::string transport;   ///< how to reach this lane once it is connected; opaque here
};

[[nodiscard]] inline bool is_observer(const peer_hello& hello) {
  return (hello.capabilities & k_peer_observer) != 0;
}

struct peer_refusal_note {
  peer_refusal why = peer_refusal::none;
  std::string reason;
};

struct peer_frame_header {
  std::uint16_t version = 0;
  peer_frame_type type = peer_frame_type::hello;
  std::uint32_t body_bytes = 0;
};

[[nodiscard]] std::string encode_hello(peer_frame_type type, const peer_hello& hello);
/// The reason is cut at 400 bytes.
[[nodiscard]] std::string encode_refusal(const peer_refusal_note& note);

/// invalid_argument: no frame of ours, or a body beyond the limit. Takes any version.
[[nodiscard]] result<peer_frame_header> decode_header(std::string_view bytes);
/// invalid_argument names the field that is wrong. Ids are 1..128 printable characters without
/// spaces. An observer has a data id, but neither cluster id nor address.
[[nodiscard]] result<peer_hello> decode_hello(std::string_view body);
[[nodiscard]] result<peer_refusal_note> decode_refusal(std::string_view body);

/// `text` from outside made fit for a log line: at most `most` bytes, what is not printable ASCII
/// as '?'.
[[nodiscard]] std::string printable(std::string_view text, std::size_t most = 200);

}  // namespace cairn::net
