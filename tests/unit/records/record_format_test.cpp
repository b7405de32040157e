#include "net/records/record_format.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <doctest/doctest.h>
#include <rapidcheck.h>
#include <string>
#include <vector>

using namespace cairn;
using namespace cairn::net;

namespace {

constexpr unix_ms k_moment_ms = 1'795'382'040'123;  // 2026-11-22T21:14:00.123Z

// What `formatted` makes of one encoded record.
template <class Format>
std::string with_record(const proto::new_record& record, const Format& format) {
  proto::batch_encoder encoder;
  encoder.append(record);
  const auto batch = encoder.finish();
  proto::batch_reader reader(batch.payload.span());
  proto::record_view view;
  REQUIRE(reader.next(view));
  std::string out;
  format(out, view);
  return out;
}

std::string json_of(const proto::new_record& record) {
  return with_record(record, [](std::string& out, const proto::record_view& view) {
    record_formatter().append_json(out, record_offset(7), k_moment_ms, view);
  });
}

proto::new_record value_of(std::string_view value,
                           proto::value_kind kind = proto::value_kind::json) {
  return {as_byte_span(value), {}, {}, kind, {}};
}

const std::string k_head = "{\"offset\":7,\"timestamp\":\"2026-11-22T21:14:00.123Z\"";

}  // namespace

TEST_CASE("record object: a JSON value stands in it as it is") {
  CHECK(json_of(value_of("{\"a\": 1e999}")) == k_head + ",\"value\":{\"a\": 1e999}}");
}

TEST_CASE("record object: line ends between JSON tokens become spaces") {
  CHECK(json_of(value_of("[1,\r\n\"a\\nb\",\n2]\n")) == k_head + ",\"value\":[1,  \"a\\nb\", 2] }");
}

TEST_CASE("record object: text comes as a string, bytes as base64") {
  CHECK(json_of(value_of("say \"hi\"\n\\", proto::value_kind::text)) ==
        k_head + ",\"value\":\"say \\\"hi\\\"\\n\\\\\"}");
  CHECK(json_of(value_of("", proto::value_kind::text)) == k_head + ",\"value\":\"\"}");
  CHECK(json_of(value_of(std::string_view("\0\xff", 2), proto::value_kind::bytes)) ==
        k_head + ",\"value_base64\":\"AP8=\"}");
  // Only another writer can have stored this: never a broken answer.
  CHECK(json_of(value_of("\xff", proto::value_kind::text)) ==
        k_head + ",\"value_base64\":\"/w==\"}");
}

TEST_CASE("record object: key and headers, as base64 where they are not UTF-8") {
  const std::vector<proto::header_view> headers{
      {"a", as_byte_span("1")}, {"b", as_byte_span("\xff")}, {"c", as_byte_span("\"")}};
  auto record = value_of("1");
  record.key = as_byte_span("k");
  record.headers = headers;
  CHECK(json_of(record) == k_head +
                               ",\"key\":\"k\",\"headers\":{\"a\":\"1\",\"c\":\"\\\"\"},"
                               "\"headers_base64\":{\"b\":\"/w==\"},\"value\":1}");
  record.key = as_byte_span("\x80");
  record.headers = {headers.data() + 1, 1};
  CHECK(json_of(record) ==
        k_head + ",\"key_base64\":\"gA==\",\"headers_base64\":{\"b\":\"/w==\"},\"value\":1}");
  record.key = as_byte_span("");
  record.headers = {};
  CHECK(json_of(record) == k_head + ",\"key\":\"\",\"value\":1}");
}

TEST_CASE("record event: offset as id, object as data, one line each") {
  const auto event =
      with_record(value_of("[\n1]"), [](std::string& out, const proto::record_view& view) {
        record_formatter().append_sse(out, record_offset(7), k_moment_ms, view);
      });
  CHECK(event == "id: 7\ndata: " + k_head + ",\"value\":[ 1]}\n\n");
}

TEST_CASE("record line: ends with a line feed and follows what is there") {
  const auto lines =
      with_record(value_of("1"), [](std::string& out, const proto::record_view& view) {
        record_formatter formatter;
        formatter.append_ndjson(out, record_offset(7), k_moment_ms, view);
        formatter.append_ndjson(out, record_offset(18446744073709551615U), k_moment_ms + 1, view);
      });
  CHECK(lines == k_head + ",\"value\":1}\n" +
                     "{\"offset\":18446744073709551615,\"timestamp\":\"2026-11-22T21:14:00.124Z\","
                     "\"value\":1}\n");
}

TEST_CASE("timestamp: RFC 3339 with milliseconds, also before 1970 and beyond the years") {
  const auto text = [](unix_ms moment) {
    std::string out;
    append_rfc3339(out, moment);
    return out;
  };
  CHECK(text(0) == "1970-01-01T00:00:00.000Z");
  CHECK(text(-1) == "1969-12-31T23:59:59.999Z");
  CHECK(text(951'782'400'000) == "2000-02-29T00:00:00.000Z");
  CHECK(text(253'402'300'799'999) == "9999-12-31T23:59:59.999Z");
  CHECK(text(INT64_MAX) == "9999-12-31T23:59:59.999Z");
  CHECK(text(INT64_MIN) == "0000-01-01T00:00:00.000Z");
}

TEST_CASE("timestamp: a formatter that has printed nothing yet prints every moment") {
  const auto line =
      with_record(value_of("1"), [](std::string& out, const proto::record_view& view) {
        record_formatter().append_json(out, record_offset(0), -1, view);
      });
  CHECK(line == "{\"offset\":0,\"timestamp\":\"1969-12-31T23:59:59.999Z\",\"value\":1}");
}

TEST_CASE("JSON string: any text comes back from a parser") {
  CHECK(rc::check([](const std::string& any) {
    std::string text;
    for (const char c : any)
      text += static_cast<char>(c & 0x7F);
    text += *rc::gen::element("", "\xc3\xa4", "\xf0\x9f\x98\x80", "\x7f", "\xe2\x80\xa8");
    std::string json;
    append_json_string(json, text);
    const auto parsed = boost::json::parse(json);
    RC_ASSERT(std::string(parsed.as_string().c_str(), parsed.as_string().size()) == text);
  }));
}
