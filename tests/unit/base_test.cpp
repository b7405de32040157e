#include "storage/base/bytes.hpp"
#include "storage/base/checksum.hpp"
#include "storage/base/checksum_wide.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/result.hpp"

#include <array>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <string>
#include <vector>

using namespace cairn;

TEST_CASE("result: holds a value or an error, and converts errors between types") {
  result<int> good = 7;
  CHECK(good.ok());
  CHECK(*good == 7);
  result<int> bad = error{errc::too_large, "record of 9 bytes, limit 8"};
  CHECK_FALSE(bad.ok());
  const status passed_on = bad.error();
  CHECK(passed_on.code() == errc::too_large);
  CHECK(status{}.ok());
}

TEST_CASE("checksum64: pieces hash like the whole, and the seed matters") {
  const std::string whole = "one two three";
  const std::array pieces{as_byte_span("one "), as_byte_span("two"), as_byte_span(" three")};
  CHECK(checksum64(pieces, 5) == checksum64(as_byte_span(whole), 5));
  CHECK(checksum64(as_byte_span(whole), 5) != checksum64(as_byte_span(whole), 6));
}

TEST_CASE("checksum64: the short, the wide and the piecewise way agree at every length") {
  std::vector<std::byte> bytes(4096);
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::byte>((i * 7 + i / 256) & 0xffu);
  for (std::size_t size = 0; size <= 1200; ++size) {
    const auto whole = byte_span(bytes).first(size);
    const std::array pieces{whole.first(size / 3), whole.subspan(size / 3)};
    const auto expected = checksum64(whole, size);
    CHECK(wide::checksum64(whole, size) == expected);
    CHECK(wide::checksum64(pieces, size) == expected);
    CHECK(checksum64(pieces, size) == expected);
  }
  // Made by xxHash without vectors beyond SSE2: what is on disk must not depend on the CPU.
  CHECK(checksum64(bytes, 42) == 0x2e7058b487ce7fa0);
}

TEST_CASE("checksum128: is XXH3-128 in its canonical order, the same on every machine") {
  const auto hex = [](std::string_view text) {
    std::string out;
    for (const auto byte : checksum128(as_byte_span(text)))
      out += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
    return out;
  };
  // The hash of nothing as xxHash's own `xxhsum -H2` prints it.
  CHECK(hex("") == "99aa06d3014798d86001c324468d497f");
  CHECK(hex("a") != hex("b"));
}

TEST_CASE("shared_bytes: what was moved from is empty, and points nowhere") {
  auto first = shared_bytes::copy_of(as_byte_span("hello world"));
  auto second = std::move(first);
  CHECK(first.empty());
  CHECK(first.data() == nullptr);
  CHECK(second.text() == "hello world");
  first = std::move(second);
  CHECK(second.empty());
  CHECK(first.text() == "hello world");
}

TEST_CASE("shared_bytes: a slice keeps its owner alive") {
  shared_bytes part;
  {
    const auto whole = shared_bytes::copy_of(as_byte_span("hello world"));
    part = whole.slice(6, 5);
  }
  CHECK(part.text() == "world");
}

TEST_CASE("strong ids: order and distance follow the number") {
  const record_offset first(3);
  CHECK(first.next() == record_offset(4));
  CHECK(record_offset(10).since(first) == 7);
  CHECK(first < record_offset(4));
}
