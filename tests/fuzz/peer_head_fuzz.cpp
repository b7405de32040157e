// Head and body of a peer envelope as a hostile peer may send them: refused, or taken in a form
// that encodes to something that is taken again as the same. Nothing is read outside them.
//
// Input: one byte that picks the decoder, two bytes with the length of the head, head, body.
#include "actors/wire/append_codec.hpp"
#include "actors/wire/raft_codec.hpp"
#include "actors/wire/swim_codec.hpp"
#include "storage/base/check.hpp"

#include <algorithm>
#include <cstdint>
#include <google/protobuf/stubs/logging.h>

namespace {

using namespace cairn;

bool same(const wire::envelope_parts& a, const wire::envelope_parts& b) {
  return a.lane == b.lane && a.head.text() == b.head.text() && a.body.text() == b.body.text();
}

void raft_batch(const shared_bytes& head, const shared_bytes& body) {
  const auto first = wire::decode_raft(head, body);
  if (!first) return;
  for (const auto& parts : wire::encode_raft(first->messages)) {
    const auto again = wire::decode_raft(parts.head, parts.body);
    CAIRN_CHECK(again.ok(), "our own batch refused: {}", again.error().detail);
    const auto second = wire::encode_raft(again->messages);
    CAIRN_CHECK(second.size() == 1 && same(second.front(), parts), "changed on the way");
  }
}

void appends(const shared_bytes& head, const shared_bytes& body) {
  const auto first = wire::decode_appends(head, body);
  if (!first) return;
  const auto parts = wire::encode_appends(*first);
  const auto again = wire::decode_appends(parts.head, parts.body);
  CAIRN_CHECK(again.ok(), "our own appends refused: {}", again.error().detail);
  CAIRN_CHECK(same(wire::encode_appends(*again), parts), "changed on the way");
}

void outcomes(const shared_bytes& head, const shared_bytes& body) {
  const auto first = wire::decode_outcomes(head, body);
  if (!first) return;
  for (const auto& parts : wire::encode_outcomes(*first)) {
    const auto again = wire::decode_outcomes(parts.head, parts.body);
    CAIRN_CHECK(again.ok(), "our own outcomes refused: {}", again.error().detail);
    CAIRN_CHECK(same(wire::encode_outcomes(*again).front(), parts), "changed on the way");
  }
}

void swim_message(const shared_bytes& head, const shared_bytes& body) {
  const auto first = wire::decode_swim(head, body);
  if (!first) return;
  const auto parts = wire::encode_swim(*first);
  const auto again = wire::decode_swim(parts.head, parts.body);
  CAIRN_CHECK(again.ok(), "our own message refused: {}", again.error().detail);
  CAIRN_CHECK(same(wire::encode_swim(*again), parts), "changed on the way");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto* const k_quiet = google::protobuf::SetLogHandler(nullptr);
  (void)k_quiet;
  constexpr std::size_t k_prefix_bytes = 3;
  if (size < k_prefix_bytes) return 0;
  const auto input = shared_bytes::copy_of({reinterpret_cast<const std::byte*>(data), size});
  const auto rest = size - k_prefix_bytes;
  const auto head_size = std::min<std::size_t>(load_le<std::uint16_t>(input.data() + 1), rest);
  // Copies of their own, so that a sanitizer sees a read beyond either.
  const auto head = shared_bytes::copy_of(input.span().subspan(k_prefix_bytes, head_size));
  const auto body = shared_bytes::copy_of(input.span().subspan(k_prefix_bytes + head_size));
  switch (data[0] % 4) {
    case 0:
      raft_batch(head, body);
      break;
    case 1:
      appends(head, body);
      break;
    case 2:
      outcomes(head, body);
      break;
    default:
      swim_message(head, body);
  }
  return 0;
}
