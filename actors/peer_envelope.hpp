#pragma once
// The one type that crosses nodes. What it means stands in `head` (Protobuf,
// proto/cairn/v1/peer.proto) and `body` (payload bytes that are not copied through Protobuf); CAF
// carries it and looks at neither.
//
// On the wire (all that a BASP payload may hold, see peer_frame.hpp), big-endian:
//   u8 kind, u8 bytes of cluster id, u8 bytes of sender, u8 bytes of log, u32 bytes of head, u32
//   bytes of body, then these five in this order.

#include "storage/base/bytes.hpp"

#include <array>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <cstdint>
#include <string>
#include <type_traits>

namespace cairn::actors {

/// What an envelope is about. Numbers are the wire's and never reused.
enum class peer_kind : std::uint8_t {
  raft = 1,
  swim = 2,
  append = 3,
  append_outcomes = 4,
  request = 5,
  answer = 6,
  inspect = 7,  ///< an operator's question; the only kind that an observer may send
  inspect_answer = 8,
};
inline constexpr std::uint8_t k_peer_kind_last = 8;
/// Up to here a later version may say things that this one does not know: from a member they are
/// dropped and counted. What is above ends the link.
inline constexpr std::uint8_t k_peer_kind_reserved_last = 63;

/// Each lane is a connection of its own, so that what is on `control` (heartbeats, votes,
/// acknowledgements, swim) never waits behind what is on `bulk` (entries, snapshots, forwarded
/// appends). Order holds within a lane only.
enum class peer_lane : std::uint8_t { control = 0, bulk = 1 };
inline constexpr std::size_t k_peer_lanes = 2;

/// Names (cluster id, node id, log) longer than this do not fit an envelope.
inline constexpr std::size_t k_peer_name_bytes_max = 255;
inline constexpr std::size_t k_peer_envelope_fixed_bytes = 12;

struct peer_envelope {
  std::string
      cluster_id;      ///< filled in by the hub when empty; stays empty until the node has joined
  std::string sender;  ///< node id; filled in by the hub when empty; checked against the link's
  std::string log;     ///< empty for what is about no log
  peer_kind kind = peer_kind::raft;
  shared_bytes head;
  shared_bytes body;
};

/// What `x` takes on the wire without BASP's own header. 0: a name is too long or there are more
/// than 4 GiB.
[[nodiscard]] inline std::uint64_t peer_envelope_bytes(const peer_envelope& x) {
  if (x.cluster_id.size() > k_peer_name_bytes_max || x.sender.size() > k_peer_name_bytes_max ||
      x.log.size() > k_peer_name_bytes_max || x.head.size() > UINT32_MAX ||
      x.body.size() > UINT32_MAX) {
    return 0;
  }
  return k_peer_envelope_fixed_bytes + x.cluster_id.size() + x.sender.size() + x.log.size() +
         x.head.size() + x.body.size();
}

namespace detail {

inline bool save_bytes(caf::binary_serializer& sink, const std::byte* data, std::size_t size) {
  static_assert(sizeof(caf::byte) == 1);
  return sink.value(caf::span<const caf::byte>{reinterpret_cast<const caf::byte*>(data), size});
}

inline bool save_envelope(caf::binary_serializer& sink, const peer_envelope& x) {
  if (peer_envelope_bytes(x) == 0) return false;
  bool ok = sink.value(static_cast<std::uint8_t>(x.kind));
  for (const std::string* name : {&x.cluster_id, &x.sender, &x.log})
    ok = ok && sink.value(static_cast<std::uint8_t>(name->size()));
  ok = ok && sink.value(static_cast<std::uint32_t>(x.head.size())) &&
       sink.value(static_cast<std::uint32_t>(x.body.size()));
  for (const std::string* name : {&x.cluster_id, &x.sender, &x.log}) {
    const auto bytes = as_byte_span(*name);
    ok = ok && save_bytes(sink, bytes.data(), bytes.size());
  }
  return ok && save_bytes(sink, x.head.data(), x.head.size()) &&
         save_bytes(sink, x.body.data(), x.body.size());
}

/// @pre `size` is at most source.remaining()
inline shared_bytes load_bytes(caf::binary_deserializer& source, std::size_t size) {
  auto out = shared_bytes::copy_of({reinterpret_cast<const std::byte*>(source.current()), size});
  source.skip(size);
  return out;
}

/// Nothing is allocated before every length is known to be there.
inline bool load_envelope(caf::binary_deserializer& source, peer_envelope& x) {
  std::uint8_t kind = 0;
  std::array<std::uint8_t, 3> names{};
  std::uint32_t head = 0;
  std::uint32_t body = 0;
  if (!source.value(kind) || !source.value(names[0]) || !source.value(names[1]) ||
      !source.value(names[2]) || !source.value(head) || !source.value(body)) {
    return false;
  }
  const std::uint64_t rest = std::uint64_t{names[0]} + names[1] + names[2] + head + body;
  if (kind == 0 || kind > k_peer_kind_last || rest != source.remaining()) return false;
  x.kind = static_cast<peer_kind>(kind);
  std::size_t i = 0;
  for (std::string* name : {&x.cluster_id, &x.sender, &x.log})
    *name = std::string(load_bytes(source, names.at(i++)).text());
  x.head = load_bytes(source, head);
  x.body = load_bytes(source, body);
  return true;
}

}  // namespace detail

template <class Inspector>
bool inspect(Inspector& f, peer_kind& x) {
  auto get = [&x] { return static_cast<std::uint8_t>(x); };
  auto set = [&x](std::uint8_t value) {
    x = static_cast<peer_kind>(value);
    return value != 0 && value <= k_peer_kind_last;
  };
  return f.apply(get, set);
}

template <class Inspector>
bool inspect(Inspector& f, peer_envelope& x) {
  if constexpr (std::is_same_v<Inspector, caf::binary_serializer>) {
    return detail::save_envelope(f, x);
  } else if constexpr (std::is_same_v<Inspector, caf::binary_deserializer>) {
    return detail::load_envelope(f, x);
  } else {
    return f.object(x).fields(f.field("cluster_id", x.cluster_id), f.field("sender", x.sender),
                              f.field("log", x.log), f.field("kind", x.kind),
                              f.field("head", x.head), f.field("body", x.body));
  }
}

}  // namespace cairn::actors
