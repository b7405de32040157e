#pragma once
// What may come in on a link. BASP takes any length on trust, has no authentication and lets a peer
// address any actor; so each frame is judged here, byte by byte, before BASP sees it. What passes
// is exactly what a node of ours sends: one handshake, heartbeats, and peer envelopes to the one
// published actor, with the sender that the hello named.
//
// A BASP header, big-endian: u8 operation, u8 zero, u8 zero, u8 flags, u32 bytes of payload,
// u64 operation data, u64 source actor, u64 destination actor. A direct message's payload: u8 0 (no
// forwarding), u8 1 (one value), u16 its type id, the value.

#include "storage/base/bytes.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace cairn::actors {

inline constexpr std::size_t k_basp_header_bytes = 32;
/// What CAF sends on its own account besides envelopes is smaller; it is read and thrown away.
inline constexpr std::size_t k_basp_small_bytes_max = 4096;

enum class frame_verdict : std::uint8_t {
  pass,     ///< BASP may have it
  swallow,  ///< read to its end and dropped
  cut,      ///< the link ends; reason() says why
};

/// Who is at the two ends. An observer may say `inspect` and be told `inspect_answer`, and nothing
/// else, whatever cluster the node belongs to.
enum class peer_role : std::uint8_t {
  member,    ///< two nodes
  observer,  ///< the other side is an observer
  observed,  ///< the other side is a node, this one an observer
};

/// What the filter met that somebody may want to count.
enum class frame_event : std::uint8_t {
  unknown_kind,  ///< an envelope of a later version, dropped
  cut,           ///< something that no program of ours sends
};

/// Judges the frames of one connection in order. Not thread-safe.
class peer_frame_filter {
public:
  struct config {
    bool dialled = false;            ///< by us: then the other side is BASP's server
    std::string handshake;           ///< the only handshake payload that is right
    std::uint64_t published = 0;     ///< id of the one actor that may be written to
    std::uint64_t message_data = 0;  ///< a message's operation data: asynchronous, normal priority
    std::uint16_t envelope_type = 0;
    std::size_t frame_bytes_max = 0;
    peer_role role = peer_role::member;
    std::string sender;                        ///< node id of the other side
    std::function<std::string()> own_cluster;  ///< empty: this node has not joined yet
    std::function<void(frame_event)> noted;    ///< may be null
  };

  explicit peer_frame_filter(config settings) : config_(std::move(settings)) {}

  /// @pre `header` has k_basp_header_bytes. Passing means: read the payload (if any) and judge it.
  [[nodiscard]] frame_verdict judge_header(byte_span header);
  /// Of the last judged header. @pre that passed and payload_bytes() is what `payload` has.
  [[nodiscard]] frame_verdict judge_payload(byte_span payload);

  [[nodiscard]] std::uint32_t payload_bytes() const { return payload_bytes_; }
  /// The handshake has come.
  [[nodiscard]] bool greeted() const { return greeted_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }

private:
  [[nodiscard]] frame_verdict cut(std::string reason);
  [[nodiscard]] frame_verdict drop_small(std::string_view what);
  [[nodiscard]] frame_verdict judge_direct(std::uint8_t flags, byte_span header);
  [[nodiscard]] frame_verdict judge_envelope(byte_span payload);
  [[nodiscard]] frame_verdict judge_observed(std::uint8_t kind, bool cluster_named);
  [[nodiscard]] frame_verdict unknown_kind();

  config config_;
  std::uint32_t payload_bytes_ = 0;
  bool handshake_ = false;  // the payload to come is one
  bool greeted_ = false;
  std::string reason_;
};

}  // namespace cairn::actors
