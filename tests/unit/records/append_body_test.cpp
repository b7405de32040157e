#include "net/records/append_body.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>
#include <string>
#include <vector>

using namespace cairn;
using namespace cairn::net;

namespace {

struct stored {
  std::string value;
  proto::value_kind kind;
  std::string content_type;
};

std::vector<stored> records_of(const encoded_batch& batch) {
  std::vector<stored> records;
  proto::batch_reader reader(batch.payload.span());
  proto::record_view view;
  while (reader.next(view)) {
    records.push_back(
        {std::string(as_text(view.value)), view.kind, std::string(view.content_type)});
  }
  CHECK(reader.ok());
  CHECK(records.size() == batch.record_count);
  return records;
}

append_body_options options_for(std::string_view content_type) {
  append_body_options options;
  options.content_type = content_type;
  return options;
}

std::vector<stored> good(std::string_view body, const append_body_options& options) {
  const auto batch = parse_append_body(body, options);
  REQUIRE_MESSAGE(batch.ok(), body, ": ", (batch.ok() ? "" : batch.error().detail));
  return records_of(*batch);
}

error bad(std::string_view body, const append_body_options& options) {
  const auto batch = parse_append_body(body, options);
  REQUIRE_MESSAGE(!batch.ok(), body);
  return batch.error();
}

constexpr std::string_view k_ndjson = "application/x-ndjson";

}  // namespace

TEST_CASE("append body: JSON is kept byte for byte") {
  for (const std::string_view body : {"{\"a\": 1}", " \n[1,\r\n 2]\n", "1e999", "\"\\u00e4\""}) {
    const auto records = good(body, options_for("application/json"));
    REQUIRE(records.size() == 1);
    CHECK(records[0].value == body);
    CHECK(records[0].kind == proto::value_kind::json);
    CHECK(records[0].content_type.empty());
  }
}

TEST_CASE("append body: the content type is kept when it is not the usual one") {
  CHECK(good("1", options_for("application/json; charset=utf-8"))[0].content_type ==
        "application/json; charset=utf-8");
  CHECK(good("x", options_for("text/plain"))[0].content_type.empty());
  CHECK(good("x", options_for("Text/Plain"))[0].content_type == "Text/Plain");
  CHECK(good("x", options_for("application/octet-stream"))[0].content_type.empty());
}

TEST_CASE("append body: a JSON error is one of the request and names the place") {
  const auto failure = bad("{\"a\":1,}", options_for("application/json"));
  CHECK(failure.code == errc::invalid_argument);
  CHECK(failure.detail == "the body is not JSON as it must be: not one JSON text, at byte 7");
  CHECK(bad("", options_for("application/json")).code == errc::invalid_argument);
}

TEST_CASE("append body: a record at the limit is taken, one byte more is too large") {
  for (const std::string_view type :
       {"application/json", "text/plain", "application/octet-stream", "application/x-ndjson"}) {
    auto options = options_for(type);
    options.max_record_bytes = 20;
    CHECK(good("\"" + std::string(18, 'x') + "\"", options).size() == 1);
    CHECK(bad("\"" + std::string(19, 'x') + "\"", options).code == errc::too_large);
  }
}

TEST_CASE("append body: key and headers count towards the limit") {
  const std::vector<proto::header_view> headers{{"name", as_byte_span("value")}};
  auto options = options_for("text/plain");
  options.key = as_byte_span("key");
  options.headers = headers;
  options.max_record_bytes = 3 + 4 + 5 + 2;
  const auto batch = parse_append_body("xy", options);
  REQUIRE(batch.ok());
  proto::batch_reader reader(batch->payload.span());
  proto::record_view view;
  REQUIRE(reader.next(view));
  REQUIRE(view.key.has_value());
  CHECK(as_text(*view.key) == "key");
  REQUIRE(view.headers.size() == 1);
  CHECK(view.headers.begin()->name == "name");
  CHECK(as_text(view.headers.begin()->value) == "value");
  CHECK(bad("xyz", options).detail == "the body is a record of 15 bytes, limit 14");
}

TEST_CASE("append body: bad headers are refused by name") {
  auto options = options_for("text/plain");
  const auto refuse = [&](const std::vector<proto::header_view>& headers) {
    options.headers = headers;
    return bad("x", options).detail;
  };
  CHECK(refuse({{"a", {}}, {"A", {}}}) == "header \"A\" comes twice");
  CHECK(refuse({{"a b", {}}}).find("header name \"a b\" is no token") == 0);
  CHECK(refuse({{"", {}}}).find("no token") != std::string::npos);
  const std::string long_name(129, 'n');
  CHECK(refuse({{long_name, {}}}) == "a header name of 129 bytes, limit 128");
  CHECK(refuse(std::vector<proto::header_view>(65, {"a", {}})) ==
        "a record with 65 headers, limit 64");
}

TEST_CASE("append body: key and headers are refused for a batch") {
  auto options = options_for(k_ndjson);
  options.key = as_byte_span("k");
  CHECK(bad("1\n", options).code == errc::invalid_argument);
  options.content_type = "application/vnd.cairn.records+json";
  CHECK(bad("{\"records\":[{\"value\":1}]}", options).code == errc::invalid_argument);
}

TEST_CASE("append body: text must be in its charset, bytes may be anything, both may be empty") {
  CHECK(good("gr\xc3\xbc\xc3\x9f", options_for("text/plain"))[0].kind == proto::value_kind::text);
  CHECK(bad("\xff", options_for("text/plain")).detail == "the body is not valid UTF-8");
  CHECK(bad("\xc3\xbc", options_for("text/plain; charset=us-ascii")).detail ==
        "the body is not valid US-ASCII");
  const auto bytes = good(std::string_view("\xff\0", 2), options_for("application/octet-stream"));
  CHECK(bytes[0].value == std::string("\xff\0", 2));
  CHECK(bytes[0].kind == proto::value_kind::bytes);
  CHECK(good("", options_for("text/plain"))[0].value.empty());
  CHECK(good("", options_for("application/octet-stream"))[0].value.empty());
}

TEST_CASE("append body: an unknown content type is an error here too") {
  CHECK(bad("x", options_for("image/png")).code == errc::invalid_argument);
  CHECK(bad("x", options_for("")).code == errc::invalid_argument);
}

TEST_CASE("ndjson: lines end with LF or CRLF, and the last end may be missing") {
  for (const std::string_view body :
       {"{\"a\":1}\n[2]\n", "{\"a\":1}\n[2]", "{\"a\":1}\r\n[2]\r\n", "{\"a\":1}\r\n[2]"}) {
    const auto records = good(body, options_for(k_ndjson));
    REQUIRE(records.size() == 2);
    CHECK(records[0].value == "{\"a\":1}");
    CHECK(records[1].value == "[2]");
    CHECK(records[1].kind == proto::value_kind::json);
  }
}

TEST_CASE("ndjson: a bad line is named and nothing is stored") {
  struct row {
    std::string_view body;
    std::string_view reason;
  };
  for (const auto& test : {
           row{"", "the body holds no record"},
           row{"\n", "line 1 is empty"},
           row{"1\n\n2\n", "line 2 is empty"},
           row{"1\n2\n\n", "line 3 is empty"},
           row{"1\r\n\r\n", "line 2 is empty"},
           row{"1\n \n", "line 2 is not JSON as it must be: there is no JSON text"},
           row{"1\n2\n{\"a\"\n3", "line 3 is not JSON as it must be: not one JSON text, at byte 4"},
           row{"{\n}\n", "line 1 is not JSON"},
           row{"1\n2 3\n", "line 2 is not JSON as it must be: not one JSON text, at byte 2"},
           row{"{\"a\":1,\"a\":1}",
               "line 1 is not JSON as it must be: the name \"a\" stands twice"},
           row{"\"a\rb\"\n", "line 1 is not JSON"},
           row{"\xef\xbb\xbf{}\n",
               "line 1 is not JSON as it must be: starts with a byte order mark"},
       }) {
    const auto body = test.body;
    const auto reason = test.reason;
    const auto failure = bad(body, options_for(k_ndjson));
    CHECK(failure.code == errc::invalid_argument);
    CHECK_MESSAGE(failure.detail.find(reason) == 0, body, " -> ", failure.detail);
  }
}

TEST_CASE("ndjson: a long line is too large, and so are too many lines") {
  auto options = options_for(k_ndjson);
  options.max_record_bytes = 3;
  const auto failure = bad("1\n1234\n", options);
  CHECK(failure.code == errc::too_large);
  CHECK(failure.detail == "line 2 is a record of 4 bytes, limit 3");
  options.max_records = 2;
  CHECK(good("1\n2\n", options).size() == 2);
  CHECK(good("1\n2", options).size() == 2);
  CHECK(bad("1\n2\n3", options).code == errc::too_large);
}

TEST_CASE("ndjson: any lines come back as they went in") {
  CHECK(rc::check([] {
    const auto numbers = *rc::gen::nonEmpty(rc::gen::arbitrary<std::vector<std::string>>());
    std::vector<std::string> lines;
    std::string body;
    for (const auto& number : numbers) {
      std::string line = "\"";
      for (const char c : number)
        line += static_cast<char>('a' + (c & 15));
      line += "\"";
      body += line;
      body += *rc::gen::element("\n", "\r\n");
      lines.push_back(line);
    }
    const auto batch = parse_append_body(body, options_for(k_ndjson));
    RC_ASSERT(batch.ok());
    const auto records = records_of(*batch);
    RC_ASSERT(records.size() == lines.size());
    for (std::size_t i = 0; i < lines.size(); ++i)
      RC_ASSERT(records[i].value == lines[i]);
  }));
}
