#include "net/records/json_text.hpp"

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace cairn;
using namespace cairn::net;

namespace {

std::string nested(std::size_t depth, std::string_view inside, std::string_view open = "[",
                   std::string_view close = "]") {
  std::string text;
  for (std::size_t i = 0; i < depth; ++i)
    text += open;
  text += inside;
  for (std::size_t i = 0; i < depth; ++i)
    text += close;
  return text;
}

}  // namespace

TEST_CASE("json: takes every kind of RFC 8259 text") {
  json_checker checker;
  const std::vector<std::string> texts{"0",
                                       "-0",
                                       "-1.5e+3",
                                       "18446744073709551615",
                                       "true",
                                       "false",
                                       "null",
                                       "\"\"",
                                       "{}",
                                       "[]",
                                       " \t\r\n{\"a\" : [1, 2 ,{\"b\":null}]}\n",
                                       "\"\\ud83d\\ude00 \\u0000 \\/\"",
                                       "\"\xf0\x9f\x98\x80\"",
                                       "{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]}",
                                       "{\"\":1,\" \":2}"};
  for (const auto& text : texts) {
    const auto good = checker.check(text);
    CHECK_MESSAGE(good.ok(), text, ": ", (good.ok() ? "" : good.error().detail));
  }
}

TEST_CASE("json: takes numbers that fit no machine word, for the bytes are kept") {
  json_checker checker;
  for (const std::string_view text :
       {"123456789012345678901234567890", "-99999999999999999999", "1e309", "-1E+999", "0.1e-9999",
        "{\"n\":18446744073709551616,\"m\":[1e400]}"}) {
    const auto good = checker.check(text);
    CHECK_MESSAGE(good.ok(), text, ": ", (good.ok() ? "" : good.error().detail));
  }
}

TEST_CASE("json: refuses what is none, and says why and where") {
  struct row {
    std::string text;
    std::string_view reason;
  };
  const std::vector<row> rows{
      {"", "there is no JSON text"},
      {" \n", "there is no JSON text"},
      {"\xef\xbb\xbf{}", "byte order mark"},
      {"{} {}", "not one JSON text, at byte 3"},
      {"1 2", "not one JSON text, at byte 2"},
      {"{}x", "not one JSON text, at byte 2"},
      {"[1,]", "not one JSON text, at byte 3"},
      {"{\"a\":1,}", "not one JSON text"},
      {"{a:1}", "not one JSON text"},
      {"{'a':1}", "not one JSON text"},
      {"[1 2]", "not one JSON text"},
      {"NaN", "not one JSON text"},
      {"Infinity", "not one JSON text"},
      {"-Infinity", "number"},
      {"nul", ""},
      {"nullx", ""},
      {"// x\n1", "not one JSON text"},
      {"1 /* x */", "not one JSON text"},
      {"01", "a number is malformed"},
      {"+1", ""},
      {"1.", "a number is malformed"},
      {".5", ""},
      {"1e", "a number is malformed"},
      {"0x10", "a number is malformed"},
      {"[123456789012345678901234567890,]", "at byte 32"},
      {"\"a", "a string is never closed"},
      {"\"a\nb\"", "a raw control character"},
      {std::string("\"a\0b\"", 5), "a raw control character"},
      {std::string("1\0", 2), ""},
      {"\"\\x41\"", "bad escape"},
      {"\"\\ud800\"", "lone surrogate"},
      {"\"\\udc00\"", "lone surrogate"},
      {"\"\\ud800\\ud800\"", "lone surrogate"},
      {"{\"\\udead\":1}", "lone surrogate"},
      {"\"\xff\"", "not valid UTF-8"},
      {"\"\xc0\xaf\"", "not valid UTF-8"},
      {"\"\xed\xa0\x80\"", "not valid UTF-8"},
      {"\"\xf4\x90\x80\x80\"", "not valid UTF-8"},
      {"{\"a\":1,\"a\":2}", "the name \"a\" stands twice"},
      {"{\"a\":1,\"\\u0061\":2}", "the name \"a\" stands twice"},
      {"[0,{\"x\":{\"b\":1,\"c\":2,\"b\":3}}]", "the name \"b\" stands twice"},
      {"{\"a\":1e999,\"b\":{\"k\":1,\"k\":1}}", "the name \"k\" stands twice"},
      {"{\"\":1,\"\":2}", "the name \"\" stands twice"},
  };
  json_checker checker;
  for (const auto& test : rows) {
    const auto& text = test.text;
    const auto& reason = test.reason;
    const auto good = checker.check(text);
    REQUIRE_MESSAGE(!good.ok(), text);
    CHECK(good.code() == errc::invalid_argument);
    CHECK_MESSAGE(good.error().detail.find(reason) != std::string::npos, text, " -> ",
                  good.error().detail);
  }
}

TEST_CASE("json: a name that comes twice is found in a large object too") {
  for (const std::size_t count : {31U, 32U, 33U, 34U, 500U}) {
    std::string text = "{";
    for (std::size_t i = 0; i < count; ++i)
      text += "\"name" + std::to_string(i) + "\":0,";
    json_checker checker;
    CHECK(checker.check(text + "\"other\":0}").ok());
    for (const std::size_t twice : {std::size_t{0}, count / 2, count - 1}) {
      const auto good = checker.check(text + "\"name" + std::to_string(twice) + "\":0}");
      REQUIRE_FALSE(good.ok());
      CHECK(good.error().detail ==
            "the name \"name" + std::to_string(twice) + "\" stands twice in one object");
    }
  }
}

TEST_CASE("json: 32 levels are taken, 33 are refused, whatever is innermost") {
  json_checker checker;
  for (const std::string_view inside : {"", "1", "1e999", "\"x\""}) {
    CHECK(checker.check(nested(32, inside)).ok());
    for (const std::size_t depth : {33U, 34U, 35U, 100'000U}) {
      const auto good = checker.check(nested(depth, inside));
      REQUIRE_FALSE(good.ok());
      CHECK_MESSAGE(good.error().detail.find("nested deeper than 32 levels") == 0,
                    good.error().detail);
    }
  }
  CHECK(checker.check(nested(31, "{}", "{\"a\":", "}")).ok());
  CHECK_FALSE(checker.check(nested(32, "{}", "{\"a\":", "}")).ok());
}

TEST_CASE("json: a text may stand in the middle of others without a copy") {
  const std::string lines = "[1]\n[2]x\n{\"a\":[3]}\n" + std::string(100, ' ');
  json_checker checker;
  CHECK(checker.check(std::string_view(lines).substr(0, 3), lines.size()).ok());
  CHECK_FALSE(checker.check(std::string_view(lines).substr(4, 4), lines.size() - 4).ok());
  CHECK(checker.check(std::string_view(lines).substr(9, 9), lines.size() - 9).ok());
  // What follows the text must not heal it.
  CHECK_FALSE(checker.check(std::string_view(lines).substr(9, 8), lines.size() - 9).ok());
  CHECK_FALSE(checker.check(std::string_view("\"a\"", 3).substr(0, 2), 3).ok());
}

TEST_CASE("json: large texts work, between small ones") {
  json_checker checker;
  const std::string large = "[" + std::string(3 * json_checker::k_kept_text_bytes, ' ') + "\"" +
                            std::string(json_checker::k_kept_text_bytes, 'x') + "\"]";
  for (int i = 0; i < 2; ++i) {
    CHECK(checker.check(large).ok());
    CHECK(checker.check("{}").ok());
    CHECK_FALSE(checker.check(large + "]").ok());
    CHECK_FALSE(checker.check(nested(33, "")).ok());
    CHECK(checker.check(nested(32, "")).ok());
  }
}
