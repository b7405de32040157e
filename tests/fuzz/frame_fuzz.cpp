// Frame headers and payloads from bytes that anybody may have written.
#include "storage/base/check.hpp"
#include "storage/base/checksum.hpp"
#include "storage/frame.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

using namespace cairn;
using namespace cairn::storage;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const byte_span bytes = std::as_bytes(std::span(data, size));
  // The first eight bytes are the identity, so that a mutator can make a checksum right by luck or
  // by copying from the corpus.
  if (bytes.size() < sizeof(std::uint64_t)) return 0;
  const auto identity = load_le<std::uint64_t>(bytes.data());
  const auto rest = bytes.subspan(sizeof(std::uint64_t));
  const auto check = [&](byte_span frame) {
    const auto header = decode_frame_header(frame, identity);
    if (!header) return;
    // What was accepted is what would have been written.
    frame_header_bytes again{};
    encode_frame_header(*header, identity, again);
    CAIRN_CHECK(std::memcmp(again.data(), frame.data(), again.size()) == 0, "not the same header");
    CAIRN_CHECK(header->payload_bytes <= k_frame_payload_bytes_max, "payload of {} bytes",
                header->payload_bytes);
    const auto payload = frame.subspan(k_frame_header_bytes);
    const auto count = std::min<std::size_t>(payload.size(), header->payload_bytes);
    [[maybe_unused]] const bool matches = payload_matches(*header, payload.first(count));
  };
  check(rest);
  // And with the checksum made right, to reach what stands behind it.
  if (rest.size() < k_frame_header_bytes) return 0;
  std::vector<std::byte> fixed(rest.begin(), rest.end());
  store_le(fixed.data(),
           checksum64(byte_span(fixed).subspan(8, k_frame_header_bytes - 8), identity));
  check(fixed);
  return 0;
}
