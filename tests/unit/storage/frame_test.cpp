#include "storage/frame.hpp"

#include "storage/base/checksum.hpp"
#include "tests/support/sim_random.hpp"

#include <doctest/doctest.h>
#include <limits>
#include <string>

using namespace cairn;
using namespace cairn::storage;

namespace {

constexpr std::uint64_t k_identity = 0x1122334455667788;

frame_header some_header(std::string_view payload) {
  frame_header header;
  header.payload_bytes = static_cast<std::uint32_t>(payload.size());
  header.record_count = 3;
  header.payload_checksum = checksum64(as_byte_span(payload));
  header.term = term_id(7);
  header.index = log_index(41);
  header.base_offset = record_offset(1000);
  header.timestamp_ms = 1'700'000'000'123;
  header.durable_bytes = 64;
  return header;
}

frame_header_bytes encoded(const frame_header& header, std::uint64_t identity = k_identity) {
  frame_header_bytes bytes{};
  encode_frame_header(header, identity, bytes);
  return bytes;
}

}  // namespace

TEST_CASE("frame: a header is read back as it was written, whatever its values") {
  cairn::testing::sim_random random(1);
  for (int i = 0; i < 1000; ++i) {
    frame_header header;
    header.payload_bytes = static_cast<std::uint32_t>(random.below(k_frame_payload_bytes_max + 1));
    header.record_count = static_cast<std::uint32_t>(random.next());
    header.payload_checksum = random.next();
    header.term = term_id(random.next());
    header.index = log_index(random.next());
    header.base_offset = record_offset(random.next());
    header.timestamp_ms = static_cast<unix_ms>(random.next());
    header.durable_bytes = static_cast<std::uint32_t>(random.next());
    header.kind = static_cast<frame_kind>(1 + random.below(4));
    header.codec = static_cast<frame_codec>(random.below(2));
    CHECK(decode_frame_header(encoded(header), k_identity) == header);
  }
}

TEST_CASE("frame: any flipped bit of a header is noticed") {
  const auto good = encoded(some_header("payload"));
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bytes = good;
    bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    CHECK_FALSE(decode_frame_header(bytes, k_identity).has_value());
  }
}

TEST_CASE("frame: a header of another segment is no header, nor is a part of one") {
  const auto bytes = encoded(some_header("payload"));
  CHECK_FALSE(decode_frame_header(bytes, k_identity + 1).has_value());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(decode_frame_header(byte_span(bytes).first(size), k_identity).has_value());
  const frame_header_bytes zeros{};
  CHECK_FALSE(decode_frame_header(zeros, k_identity).has_value());
  CHECK_FALSE(decode_frame_header(zeros, 0).has_value());
}

TEST_CASE("frame: a right checksum over impossible values is no header") {
  auto header = some_header("payload");
  header.payload_bytes = static_cast<std::uint32_t>(k_frame_payload_bytes_max + 1);
  CHECK_FALSE(decode_frame_header(encoded(header), k_identity).has_value());
  header = some_header("payload");
  header.kind = static_cast<frame_kind>(0);
  CHECK_FALSE(decode_frame_header(encoded(header), k_identity).has_value());
  header.kind = static_cast<frame_kind>(5);
  CHECK_FALSE(decode_frame_header(encoded(header), k_identity).has_value());
  header = some_header("payload");
  header.codec = static_cast<frame_codec>(2);
  CHECK_FALSE(decode_frame_header(encoded(header), k_identity).has_value());
}

TEST_CASE("frame: a payload matches its header only whole and unchanged") {
  const std::string payload = "some payload";
  const auto header = some_header(payload);
  CHECK(payload_matches(header, as_byte_span(payload)));
  CHECK_FALSE(payload_matches(header, as_byte_span("some payloaD")));
  CHECK_FALSE(payload_matches(header, as_byte_span("some payloa")));
  CHECK_FALSE(payload_matches(header, as_byte_span("some payload!")));
  CHECK(payload_matches(some_header(""), {}));
}

TEST_CASE("frame: strides are aligned and cover header and payload") {
  for (std::uint32_t size = 0; size < 100; ++size) {
    frame_header header;
    header.payload_bytes = size;
    CHECK(header.stride_bytes() % k_frame_align_bytes == 0);
    CHECK(header.stride_bytes() >= k_frame_header_bytes + size);
    CHECK(header.stride_bytes() < k_frame_header_bytes + size + k_frame_align_bytes);
  }
}
