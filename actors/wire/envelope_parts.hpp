#pragma once
// What an envelope carries: a head of Protobuf bytes, and a body of payload bytes that stand one
// after the other. docs/protocol/peer.md describes both.
//
// Every encoder here gives parts within these limits, and every decoder refuses what is beyond
// them before it allocates anything that grows with the input.

#include "actors/peer_envelope.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"
#include "storage/base/units.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::wire {

using actors::peer_kind;
using actors::peer_lane;

/// Largest head. Far above what an encoder makes: k_head_bytes_wanted and one message more.
inline constexpr std::size_t k_head_bytes_max = 2 * k_mib_bytes;
/// Largest body: one entry of Raft's largest size, and some.
inline constexpr std::size_t k_body_bytes_max = 65 * k_mib_bytes;
/// An encoder begins a new envelope when a message would take it beyond one of these.
inline constexpr std::size_t k_head_bytes_wanted = 128 * 1024;
inline constexpr std::size_t k_body_bytes_wanted = 1 * k_mib_bytes;
/// Messages, entries, appends or outcomes of one envelope.
inline constexpr std::size_t k_items_max = 32 * 1024;
/// Longest text for people; encoders cut what is longer.
inline constexpr std::size_t k_detail_bytes_max = 1024;

struct envelope_parts {
  peer_kind kind = peer_kind::raft;
  peer_lane lane = peer_lane::control;
  shared_bytes head;
  shared_bytes body;
};

/// Gathers payloads into a body. A body of one payload shares its bytes, others are copied once.
class body_writer {
public:
  void add(const shared_bytes& payload);
  [[nodiscard]] std::size_t size_bytes() const { return size_bytes_; }
  /// What was added, in that order; empty again afterwards.
  [[nodiscard]] shared_bytes finish();

private:
  std::vector<shared_bytes> parts_;  // none of them empty
  std::size_t size_bytes_ = 0;
};

/// Hands out the payloads of a body.
class body_reader {
public:
  explicit body_reader(shared_bytes body) : body_(std::move(body)) {}

  /// The next `size_bytes`, which keep nothing alive but themselves: whoever keeps one small entry
  /// for long must not keep a body of a megabyte with it. So they are copied, unless they are all
  /// of the body. invalid_argument: so many are not left.
  [[nodiscard]] result<shared_bytes> take(std::uint64_t size_bytes, std::string_view what);
  /// A reader of the next `size_bytes`. invalid_argument: so many are not left.
  [[nodiscard]] result<body_reader> part(std::uint64_t size_bytes, std::string_view what);
  [[nodiscard]] std::size_t left_bytes() const { return body_.size() - at_; }
  /// invalid_argument: bytes are left over.
  [[nodiscard]] status at_end() const;

private:
  [[nodiscard]] result<shared_bytes> next(std::uint64_t size_bytes, std::string_view what);

  shared_bytes body_;
  std::size_t at_ = 0;
  bool whole_ = true;  // body_ is all that its owner keeps
};

/// invalid_argument: the head or the body is beyond its limit.
[[nodiscard]] status check_sizes(const shared_bytes& head, const shared_bytes& body);

/// `text` as a Protobuf string that a peer takes: cut to k_detail_bytes_max, UTF-8, without
/// control characters (others are replaced by '?').
[[nodiscard]] std::string clean_text(std::string_view text);

}  // namespace cairn::wire
