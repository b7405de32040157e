// What may come over a link after its hello: frames that are judged one by one before BASP sees
// them. What passes is a heartbeat, or an envelope of the sender that the hello named; of an
// observer only questions without a cluster, to an observer only answers.
//
// Input: one byte with the role, one that says whether this node belongs to a cluster, BASP frames.
#include "actors/peer_envelope.hpp"
#include "actors/peer_frame.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/check.hpp"

#include <cstdint>

namespace {

using namespace cairn;
using actors::frame_verdict;
using actors::peer_role;

constexpr std::uint64_t k_published = 7;
constexpr std::uint16_t k_type = 200;
constexpr std::size_t k_prefix_bytes = 4;  // of a message, before the envelope

void check_envelope(peer_role role, byte_span payload) {
  const auto at = [&](std::size_t i) {
    return std::to_integer<std::size_t>(payload[k_prefix_bytes + i]);
  };
  const auto names = payload.subspan(k_prefix_bytes + actors::k_peer_envelope_fixed_bytes);
  CAIRN_CHECK(as_text(names.subspan(at(1), at(2))) == "n2", "an envelope of somebody else");
  CAIRN_CHECK(at(0) >= 1 && at(0) <= actors::k_peer_kind_last, "kind {} passes", at(0));
  if (role == peer_role::observer)
    CAIRN_CHECK(at(0) == 7 && at(1) == 0, "an observer says kind {}", at(0));
  if (role == peer_role::observed) CAIRN_CHECK(at(0) == 8, "an observer is told kind {}", at(0));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto role = static_cast<peer_role>(data[0] % 3);
  const std::string ours = data[1] % 2 == 0 ? "" : "c1";
  actors::peer_frame_filter filter({.dialled = false,
                                    .handshake = "hi",
                                    .published = k_published,
                                    .message_data = 9,
                                    .envelope_type = k_type,
                                    .frame_bytes_max = 1 << 16,
                                    .role = role,
                                    .sender = "n2",
                                    .own_cluster = [&] { return ours; },
                                    .noted = nullptr});
  byte_span rest(reinterpret_cast<const std::byte*>(data) + 2, size - 2);
  while (rest.size() >= actors::k_basp_header_bytes) {
    const bool greeted = filter.greeted();
    // Copies of their own, so that a sanitizer sees a read beyond either.
    const auto header = shared_bytes::copy_of(rest.first(actors::k_basp_header_bytes));
    rest = rest.subspan(actors::k_basp_header_bytes);
    const auto verdict = filter.judge_header(header.span());
    if (verdict == frame_verdict::cut) return 0;
    const std::size_t bytes = filter.payload_bytes();
    CAIRN_CHECK(bytes <= 1 << 16, "{} bytes are let in", bytes);
    if (bytes > rest.size()) return 0;
    const auto payload = shared_bytes::copy_of(rest.first(bytes));
    rest = rest.subspan(bytes);
    if (verdict == frame_verdict::swallow || bytes == 0) continue;
    const auto judged = filter.judge_payload(payload.span());
    if (judged == frame_verdict::cut) return 0;
    if (judged == frame_verdict::pass && greeted) check_envelope(role, payload.span());
  }
  return 0;
}
