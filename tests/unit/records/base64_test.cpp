#include "net/records/base64.hpp"

#include <array>
#include <doctest/doctest.h>
#include <rapidcheck.h>
#include <string>
#include <utility>

using namespace cairn;
using namespace cairn::net;

TEST_CASE("base64: the vectors of RFC 4648 section 10") {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> k_vectors{{
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  }};
  for (const auto& [bytes, text] : k_vectors) {
    std::string encoded;
    append_base64(encoded, as_byte_span(bytes));
    CHECK(encoded == text);
    std::string decoded;
    CHECK(decode_base64(text, decoded));
    CHECK(decoded == bytes);
    CHECK(base64_decoded_bytes(text) == bytes.size());
  }
}

TEST_CASE("base64: what is encoded is decoded to the same bytes") {
  CHECK(rc::check([](const std::string& bytes) {
    std::string text = "before";
    append_base64(text, as_byte_span(bytes));
    std::string decoded = "kept";
    RC_ASSERT(decode_base64(std::string_view(text).substr(6), decoded));
    RC_ASSERT(decoded == "kept" + bytes);
  }));
}

TEST_CASE("base64: every text that is taken is the one spelling of its bytes") {
  CHECK(rc::check([] {
    const auto text = *rc::gen::container<std::string>(
        *rc::gen::element<std::size_t>(4, 8),
        rc::gen::element('A', 'Q', 'g', 'w', '+', '/', '=', '9', '-'));
    std::string decoded;
    if (!decode_base64(text, decoded)) return;
    std::string again;
    append_base64(again, as_byte_span(decoded));
    RC_ASSERT(again == text);
  }));
}

TEST_CASE("base64: refuses what is not canonical and leaves the output as it was") {
  for (const std::string_view text :
       {"Zg", "Zg=", "Z===", "====", "=", "Zm9v\n", "Zm 9v",
        "Zm9v====", "Zh==", "Zm9=", "Zg==Zg==", "Zm-_", "Z\xc3\xa4==", "Zm8=Zm8="}) {
    std::string out = "kept";
    CHECK_MESSAGE(!decode_base64(text, out), text);
    CHECK(out == "kept");
  }
  std::string out;
  CHECK_FALSE(decode_base64(std::string_view("Zm\0v", 4), out));
}
