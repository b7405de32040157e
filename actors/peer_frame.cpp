#include "actors/peer_frame.hpp"

#include "actors/peer_envelope.hpp"

#include <bit>
#include <fmt/format.h>

namespace cairn::actors {

namespace {

enum operation : std::uint8_t {
  k_server_handshake = 0,
  k_client_handshake = 1,
  k_direct_message = 2,
  k_monitor_message = 4,
  k_down_message = 5,
  k_heartbeat = 6,
};

constexpr std::size_t k_message_prefix_bytes = 4;

/// Big-endian.
template <class T>
T load_be(byte_span from, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = (value << 8) | std::to_integer<std::uint64_t>(from[at + i]);
  return static_cast<T>(value);
}

}  // namespace

frame_verdict peer_frame_filter::cut(std::string reason) {
  reason_ = std::move(reason);
  if (config_.noted) config_.noted(frame_event::cut);
  return frame_verdict::cut;
}

/// Things that CAF says by itself and that nobody here needs.
frame_verdict peer_frame_filter::drop_small(std::string_view what) {
  if (payload_bytes_ > k_basp_small_bytes_max)
    return cut(fmt::format("a {} of {} bytes", what, payload_bytes_));
  return frame_verdict::swallow;
}

frame_verdict peer_frame_filter::judge_header(byte_span header) {
  const auto op = load_be<std::uint8_t>(header, 0);
  const auto flags = load_be<std::uint8_t>(header, 3);
  payload_bytes_ = load_be<std::uint32_t>(header, 4);
  handshake_ = false;
  if (load_be<std::uint16_t>(header, 1) != 0) return cut("bytes that are no BASP header");
  if (!greeted_) {
    const auto expected = config_.dialled ? k_server_handshake : k_client_handshake;
    if (op != expected) return cut(fmt::format("operation {} before the handshake", op));
    if (payload_bytes_ != config_.handshake.size()) return cut("a wrong BASP handshake");
    handshake_ = true;
    return frame_verdict::pass;
  }
  switch (op) {
    case k_direct_message:
      return judge_direct(flags, header);
    case k_heartbeat:
      if (payload_bytes_ != 0) return cut("a heartbeat with a payload");
      return frame_verdict::pass;
    case k_monitor_message:
      return drop_small("monitor message");
    case k_down_message:
      return drop_small("down message");
    default:
      return cut(fmt::format("BASP operation {} is not used here", op));
  }
}

frame_verdict peer_frame_filter::judge_direct(std::uint8_t flags, byte_span header) {
  const bool ours = flags == 0 && load_be<std::uint64_t>(header, 8) == config_.message_data &&
                    load_be<std::uint64_t>(header, 16) == 0 &&
                    load_be<std::uint64_t>(header, 24) == config_.published;
  if (!ours) return drop_small("message to an actor that is not published");
  if (payload_bytes_ > config_.frame_bytes_max) {
    return cut(fmt::format("a frame of {} bytes, at most {} may be", payload_bytes_,
                           config_.frame_bytes_max));
  }
  if (payload_bytes_ < k_message_prefix_bytes + k_peer_envelope_fixed_bytes)
    return cut(fmt::format("a message of {} bytes", payload_bytes_));
  return frame_verdict::pass;
}

frame_verdict peer_frame_filter::judge_payload(byte_span payload) {
  if (handshake_) {
    if (as_text(payload) != config_.handshake) return cut("a wrong BASP handshake");
    greeted_ = true;
    return frame_verdict::pass;
  }
  if (load_be<std::uint16_t>(payload, 0) != 0x0001 ||
      load_be<std::uint16_t>(payload, 2) != config_.envelope_type) {
    return cut("a message that is no peer envelope");
  }
  return judge_envelope(payload.subspan(k_message_prefix_bytes));
}

frame_verdict peer_frame_filter::judge_envelope(byte_span payload) {
  const auto kind = load_be<std::uint8_t>(payload, 0);
  const std::size_t cluster = load_be<std::uint8_t>(payload, 1);
  const std::size_t sender = load_be<std::uint8_t>(payload, 2);
  const std::size_t log = load_be<std::uint8_t>(payload, 3);
  const std::uint64_t head = load_be<std::uint32_t>(payload, 4);
  const std::uint64_t body = load_be<std::uint32_t>(payload, 8);
  const auto rest = payload.subspan(k_peer_envelope_fixed_bytes);
  if (kind == 0 || kind > k_peer_kind_reserved_last)
    return cut(fmt::format("an envelope of kind {}", kind));
  if (cluster + sender + log + head + body != rest.size())
    return cut("an envelope whose lengths do not add up");
  if (as_text(rest.subspan(cluster, sender)) != config_.sender)
    return cut(fmt::format("an envelope with another sender than node {}", config_.sender));
  if (config_.role != peer_role::member) return judge_observed(kind, cluster > 0);
  const bool known = kind <= k_peer_kind_last;
  const auto theirs = as_text(rest.first(cluster));
  const auto ours = config_.own_cluster();
  if (theirs == ours && !ours.empty()) return known ? frame_verdict::pass : unknown_kind();
  if (!theirs.empty() && !ours.empty())
    return cut(fmt::format("an envelope of another cluster from node {}", config_.sender));
  // One side is about to join: all they may do is ask and answer.
  const bool talk = kind == static_cast<std::uint8_t>(peer_kind::request) ||
                    kind == static_cast<std::uint8_t>(peer_kind::answer);
  return talk ? frame_verdict::pass : frame_verdict::swallow;
}

/// Between a node and an observer.
frame_verdict peer_frame_filter::judge_observed(std::uint8_t kind, bool cluster_named) {
  if (config_.role == peer_role::observer) {
    if (kind != static_cast<std::uint8_t>(peer_kind::inspect))
      return cut(fmt::format("an envelope of kind {}, and is an observer", kind));
    if (cluster_named) return cut("an envelope of a cluster, and is an observer");
    return frame_verdict::pass;
  }
  if (kind == static_cast<std::uint8_t>(peer_kind::inspect_answer)) return frame_verdict::pass;
  if (kind > k_peer_kind_last) return unknown_kind();
  return cut(fmt::format("an envelope of kind {} to an observer", kind));
}

frame_verdict peer_frame_filter::unknown_kind() {
  if (config_.noted) config_.noted(frame_event::unknown_kind);
  return frame_verdict::swallow;
}

}  // namespace cairn::actors
