#include "net/records/append_body.hpp"

#include <doctest/doctest.h>
#include <string>

using namespace cairn;
using namespace cairn::net;

namespace {

result<encoded_batch> parse(std::string_view body, std::uint64_t max_record_bytes = 1000,
                            std::uint32_t max_records = 100) {
  append_body_options options;
  options.content_type = "application/vnd.cairn.records+json";
  options.max_record_bytes = max_record_bytes;
  options.max_records = max_records;
  return parse_append_body(body, options);
}

std::string reason(std::string_view body) {
  const auto batch = parse(body);
  REQUIRE_MESSAGE(!batch.ok(), body);
  CHECK_MESSAGE(batch.code() == errc::invalid_argument, body);
  return batch.error().detail;
}

}  // namespace

TEST_CASE("record batch: values keep their bytes, with keys and headers beside them") {
  const auto batch = parse(
      " { \"records\" : [ {\"value\": {\"a\" :1.0,  \"b\":[ ]} , \"key\":\"k\\u00e4\","
      "\"headers\":{\"X-One\":\"1\",\"two\":\"\"}},\n"
      "{\"value_base64\":\"AP8=\"},{\"key\":\"\",\"value\":  123456789012345678901234567890  },"
      "{\"value\":\"\\ud83d\\ude00\"},{\"value\":null}]}\n");
  REQUIRE_MESSAGE(batch.ok(), (batch.ok() ? "" : batch.error().detail));
  CHECK(batch->record_count == 5);
  proto::batch_reader reader(batch->payload.span());
  proto::record_view record;
  REQUIRE(reader.next(record));
  CHECK(as_text(record.value) == "{\"a\" :1.0,  \"b\":[ ]}");
  CHECK(as_text(record.key.value()) == "k\xc3\xa4");
  REQUIRE(record.headers.size() == 2);
  auto header = record.headers.begin();
  CHECK(header->name == "X-One");
  CHECK(as_text((*header).value) == "1");
  ++header;
  CHECK(header->name == "two");
  CHECK(header->value.empty());
  REQUIRE(reader.next(record));
  CHECK(as_text(record.value) == std::string_view("\0\xff", 2));
  CHECK(record.kind == proto::value_kind::bytes);
  CHECK_FALSE(record.key.has_value());
  REQUIRE(reader.next(record));
  CHECK(as_text(record.value) == "123456789012345678901234567890");
  CHECK(record.key.value().empty());
  REQUIRE(reader.next(record));
  CHECK(as_text(record.value) == "\"\\ud83d\\ude00\"");
  REQUIRE(reader.next(record));
  CHECK(as_text(record.value) == "null");
  CHECK(record.kind == proto::value_kind::json);
  CHECK_FALSE(reader.next(record));
}

TEST_CASE("record batch: what is wrong is named with its path") {
  struct row {
    std::string_view body;
    std::string_view reason;
  };
  for (const auto& test : {
           row{"", "the body: there is no JSON text"},
           row{"  ", "the body: "},
           row{"\xef\xbb\xbf{\"records\":[{\"value\":1}]}",
               "the body: starts with a byte order mark"},
           row{"[]", "the body: has the wrong type"},
           row{"{}", "records: is missing"},
           row{"{\"records\":[]}", "records: the batch is empty"},
           row{"{\"records\":{}}", "records: has the wrong type"},
           row{"{\"records\":[1]}", "records[0]: has the wrong type"},
           row{"{\"record\":[]}", "record: unknown field"},
           row{"{\"records\":[{\"value\":1}],\"x\":1}", "x: unknown field"},
           row{"{\"records\":[{\"value\":1}],\"records\":[{\"value\":1}]}", "records: comes twice"},
           row{"{\"records\":[{\"value\":1}]} {}", "the body: goes on after its JSON text"},
           row{"{\"records\":[{\"value\":1}]", "the body: not JSON as it must be"},
           row{"{\"records\":[{\"value\":1}}", "records[1]: "},
           row{"{\"records\":[{}]}", "records[0]: has neither value nor value_base64"},
           row{"{\"records\":[{\"key\":\"k\"}]}", "records[0]: has neither value nor value_base64"},
           row{"{\"records\":[{\"value\":1,\"value_base64\":\"\"}]}",
               "records[0]: has both value and value_base64"},
           row{"{\"records\":[{\"value\":1},{\"value\":2,\"foo\":3}]}",
               "records[1].foo: unknown field"},
           row{"{\"records\":[{\"value\":1,\"value\":1}]}", "records[0].value: comes twice"},
           row{"{\"records\":[{\"value\":1,\"key\":1}]}", "records[0].key: has the wrong type"},
           row{"{\"records\":[{\"value\":1,\"key\":\"\\udc00\"}]}", "records[0].key: not JSON"},
           row{"{\"records\":[{\"value\":1,\"headers\":[]}]}",
               "records[0].headers: has the wrong type"},
           row{"{\"records\":[{\"value\":1,\"headers\":{\"a\":1}}]}",
               "records[0].headers.a: has the wrong type"},
           row{"{\"records\":[{\"value\":1,\"headers\":{\"a\":\"1\",\"A\":\"2\"}}]}",
               "records[0].headers: header \"A\" comes twice"},
           row{"{\"records\":[{\"value_base64\":\"Zh==\"}]}",
               "records[0].value_base64: not canonical base64"},
           row{"{\"records\":[{\"value_base64\":\"Zg\"}]}",
               "records[0].value_base64: not canonical base64"},
           row{"{\"records\":[{\"value\":{\"a\":1,\"a\":2}}]}",
               "records[0].value: the name \"a\" stands twice"},
           row{"{\"records\":[{\"value\":01}]}", "records[0].value: a number is malformed"},
           row{"{\"records\":[{\"value\":nul}]}", "records[0].value: "},
           row{"{\"records\":[{\"value\":tru e}]}", "records[0].value: "},
           row{"{\"records\":[{\"value\":}]}", "records[0].value: "},
           row{"{\"records\":[{\"value\":[1}]}]}", "records[0].value: "},
           row{"{\"records\":[{\"value\":\"\\ud800\"}]}",
               "records[0].value: a string has a bad escape"},
           row{"{\"records\":[{\"value\":1},]}", "records[1]: "},
           row{"{\"records\":[{\"value\":1 \"key\":\"k\"}]}", "records[0]"},
           row{"{\"records\":[{\"value\":\"\xff\"}]}", "the body: "},
       }) {
    const auto body = test.body;
    const auto expected = test.reason;
    const auto found = reason(body);
    CHECK_MESSAGE(found.find(expected) == 0, body, " -> ", found);
  }
}

TEST_CASE("record batch: values nest as deep as a JSON text of their own") {
  const auto body = [](std::size_t depth) {
    return "{\"records\":[{\"value\":" + std::string(depth, '[') + "1" + std::string(depth, ']') +
           "}]}";
  };
  CHECK(parse(body(32)).ok());
  CHECK(reason(body(33)).find("records[0].value: nested deeper than 32 levels") == 0);
  CHECK_FALSE(parse(body(100'000), 1'000'000).ok());
}

TEST_CASE("record batch: a record over the limit is named, and so are too many records") {
  const auto too_large = parse("{\"records\":[{\"value\":1},{\"value\":\"1234567890\"}]}", 11);
  CHECK(too_large.code() == errc::too_large);
  CHECK(too_large.error().detail == "records[1] is a record of 12 bytes, limit 11");
  CHECK(parse("{\"records\":[{\"value_base64\":\"Zm9vYmFy\"}]}", 6).ok());
  CHECK(parse("{\"records\":[{\"value_base64\":\"Zm9vYmFy\"}]}", 5).code() == errc::too_large);
  CHECK(parse("{\"records\":[{\"value\":123,\"key\":\"abc\",\"headers\":{\"a\":\"b\"}}]}", 8).ok());
  CHECK(parse("{\"records\":[{\"value\":123,\"key\":\"abc\",\"headers\":{\"a\":\"b\"}}]}", 7)
            .code() == errc::too_large);
  CHECK(parse("{\"records\":[{\"value\":1},{\"value\":1}]}", 100, 2).ok());
  CHECK(parse("{\"records\":[{\"value\":1},{\"value\":1},{\"value\":1}]}", 100, 2).code() ==
        errc::too_large);
}

TEST_CASE("record batch: 65 headers are refused") {
  std::string headers;
  for (int i = 0; i < 65; ++i)
    headers += (i == 0 ? "\"h" : ",\"h") + std::to_string(i) + "\":\"\"";
  CHECK(reason("{\"records\":[{\"value\":1,\"headers\":{" + headers + "}}]}") ==
        "records[0].headers: a record with 65 headers, limit 64");
}
