#include "proto/record_codec.hpp"

#include "proto/cairn/v1/record.pb.h"
#include "tests/support/record_reference.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>
#include <string>
#include <vector>

using namespace cairn;
using namespace cairn::proto;

namespace {

struct plain_header {
  std::string name;
  std::string value;
  bool operator==(const plain_header&) const = default;
};

struct plain_record {
  std::string value;
  std::optional<std::string> key;
  std::vector<plain_header> headers;
  value_kind kind = value_kind::json;
  std::string content_type;
  bool operator==(const plain_record&) const = default;
};

std::ostream& operator<<(std::ostream& out, const plain_record& record) {
  return out << "record with a value of " << record.value.size() << " bytes";
}

std::string ascii(std::size_t size_max) {
  const auto size = *rc::gen::inRange<std::size_t>(0, size_max);
  return *rc::gen::container<std::string>(size, rc::gen::inRange<char>(' ', '~'));
}

std::string any_bytes() {
  // Now and then a length that needs two or three bytes.
  const auto size = *rc::gen::weightedElement<std::size_t>(
      {{10, 0}, {10, 1}, {40, 9}, {5, 127}, {5, 128}, {3, 16384}});
  return *rc::gen::container<std::string>(size, rc::gen::arbitrary<char>());
}

plain_record any_record() {
  plain_record record;
  record.value = any_bytes();
  if (*rc::gen::arbitrary<bool>()) record.key = any_bytes();
  const auto header_count = *rc::gen::inRange(0, 4);
  for (int i = 0; i < header_count; ++i)
    record.headers.push_back({ascii(12), any_bytes()});
  record.kind = *rc::gen::element(value_kind::json, value_kind::text, value_kind::bytes);
  record.content_type = ascii(30);
  return record;
}

std::vector<plain_record> any_records() {
  std::vector<plain_record> records;
  const auto count = *rc::gen::inRange(0, 6);
  for (int i = 0; i < count; ++i)
    records.push_back(any_record());
  return records;
}

std::string encode(const std::vector<plain_record>& records) {
  batch_encoder encoder;
  for (const auto& record : records) {
    std::vector<header_view> headers;
    for (const auto& header : record.headers) {
      headers.push_back({header.name, as_byte_span(header.value)});
    }
    new_record one{as_byte_span(record.value), std::nullopt, headers, record.kind,
                   record.content_type};
    if (record.key) one.key = as_byte_span(*record.key);
    encoder.append(one);
  }
  const auto batch = encoder.finish();
  CHECK(batch.record_count == records.size());
  return std::string(batch.payload.text());
}

v1::RecordBatch to_generated(const std::vector<plain_record>& records) {
  v1::RecordBatch batch;
  for (const auto& record : records) {
    auto* one = batch.add_records();
    one->set_value(record.value);
    if (record.key) one->set_key(*record.key);
    for (const auto& header : record.headers) {
      auto* h = one->add_headers();
      h->set_name(header.name);
      h->set_value(header.value);
    }
    one->set_kind(static_cast<v1::ValueKind>(record.kind));
    one->set_content_type(record.content_type);
  }
  return batch;
}

std::vector<plain_record> from_generated(const v1::RecordBatch& batch) {
  std::vector<plain_record> records;
  for (const auto& one : batch.records()) {
    plain_record record;
    record.value = one.value();
    if (one.has_key()) record.key = one.key();
    for (const auto& header : one.headers()) {
      record.headers.push_back({header.name(), header.value()});
    }
    record.kind = one.kind() == v1::VALUE_KIND_JSON   ? value_kind::json
                  : one.kind() == v1::VALUE_KIND_TEXT ? value_kind::text
                                                      : value_kind::bytes;
    record.content_type = one.content_type();
    records.push_back(record);
  }
  return records;
}

plain_record from_view(const record_view& view) {
  plain_record record;
  record.value = as_text(view.value);
  if (view.key) record.key = std::string(as_text(*view.key));
  for (auto header = view.headers.begin(); header != header_range::end(); ++header) {
    record.headers.push_back({std::string(header->name), std::string(as_text(header->value))});
  }
  record.kind = view.kind;
  record.content_type = view.content_type;
  return record;
}

// Nothing when the batch is malformed.
std::optional<std::vector<plain_record>> decode(std::string_view bytes) {
  std::vector<plain_record> records;
  batch_reader reader(as_byte_span(bytes));
  record_view view;
  while (reader.next(view))
    records.push_back(from_view(view));
  if (!reader.ok()) return std::nullopt;
  return records;
}

}  // namespace

TEST_CASE("batch_encoder: writes the bytes of the generated classes") {
  CHECK(rc::check([] {
    const auto records = any_records();
    RC_ASSERT(encode(records) == to_generated(records).SerializeAsString());
  }));
}

TEST_CASE("batch_reader: reads what the generated classes write") {
  CHECK(rc::check([] {
    const auto records = any_records();
    const auto read = decode(to_generated(records).SerializeAsString());
    RC_ASSERT(read.has_value());
    RC_ASSERT(*read == records);
  }));
}

TEST_CASE("batch_reader: takes and refuses damaged bytes as the generated classes do") {
  google::protobuf::SetLogHandler(nullptr);
  const bool good = rc::check([] {
    auto bytes = encode(any_records());
    const auto changes = *rc::gen::inRange(0, 4);
    for (int i = 0; i < changes && !bytes.empty(); ++i) {
      const auto at = *rc::gen::inRange<std::size_t>(0, bytes.size());
      bytes[at] = *rc::gen::arbitrary<char>();
    }
    if (*rc::gen::inRange(0, 3) == 0)
      bytes.resize(*rc::gen::inRange<std::size_t>(0, bytes.size() + 1));
    v1::RecordBatch expected;
    const bool parses = cairn::testing::parse_records(bytes, expected);
    const auto read = decode(bytes);
    RC_ASSERT(read.has_value() == parses);
    if (parses) RC_ASSERT(*read == from_generated(expected));
  });
  CHECK(good);
}

TEST_CASE("batch_reader: two batches in a row are one batch") {
  CHECK(rc::check([] {
    const auto first = any_records();
    const auto second = any_records();
    auto both = first;
    both.insert(both.end(), second.begin(), second.end());
    RC_ASSERT(decode(encode(first) + encode(second)) == both);
  }));
}

TEST_CASE("batch_reader: skip lands on the record with that number") {
  std::vector<plain_record> records(10);
  for (std::size_t i = 0; i < records.size(); ++i)
    records[i].value = std::string(i * 40, 'x');
  const auto bytes = encode(records);
  for (std::size_t i = 0; i < records.size(); ++i) {
    batch_reader reader(as_byte_span(bytes));
    record_view view;
    REQUIRE(reader.skip(i));
    CHECK(reader.position() == i);
    REQUIRE(reader.next(view));
    CHECK(view.value.size() == i * 40);
  }
  batch_reader reader(as_byte_span(bytes));
  CHECK_FALSE(reader.skip(records.size() + 1));
  CHECK(reader.ok());
}

TEST_CASE("batch_reader: names the record and the byte where a batch breaks off") {
  std::vector<plain_record> records(3);
  for (auto& record : records)
    record.value = "0123456789";
  auto bytes = encode(records);
  bytes.resize(bytes.size() - 1);
  batch_reader reader(as_byte_span(bytes));
  record_view view;
  while (reader.next(view)) {
  }
  REQUIRE_FALSE(reader.ok());
  CHECK(reader.failure().code == errc::corruption);
  CHECK(reader.failure().detail ==
        "record 2 of a batch, at byte 28: the record ends after the batch");
  CHECK_FALSE(reader.next(view));
  CHECK(count_records(as_byte_span(bytes)).code() == errc::corruption);
}

TEST_CASE("batch_reader: skips fields that it does not know, and reads an unknown kind as bytes") {
  // records { value "v"; field 9 varint 300; kind 77 } and a field 12 of the batch.
  const std::string record = std::string("\x0a\x01v") + "\x48\xac\x02" + "\x20\x4d";
  const std::string bytes =
      std::string("\x62\x02zz") + "\x0a" + static_cast<char>(record.size()) + record;
  batch_reader reader(as_byte_span(bytes));
  record_view view;
  REQUIRE(reader.next(view));
  CHECK(as_text(view.value) == "v");
  CHECK(view.kind == value_kind::bytes);
  CHECK_FALSE(reader.next(view));
  CHECK(reader.ok());
}

TEST_CASE(
    "batch_reader: refuses what the generated classes refuse, where the stream class would not") {
  const std::string zero_tag("\x0a\x00\x00", 3);
  // A tag and a length in more than five bytes, a group without its end, a group in a group too
  // deep.
  const std::string long_tag("\xf8\xf5\xff\xcf\x9f\xff\xff\x93\x00\x0a", 10);
  const std::string long_length("\x12\x80\x80\x80\x80\x80\x00", 7);
  const auto groups = [](std::size_t depth) {
    return std::string(depth, '\x13') + std::string(depth, '\x14');
  };
  for (const auto& bytes : {zero_tag, long_tag, long_length, std::string("\x13"),
                            std::string("\x14"), std::string("\x13\x1c"), groups(101)}) {
    CHECK_FALSE(v1::RecordBatch().ParseFromString(bytes));
    CHECK_FALSE(decode(bytes).has_value());
  }
  CHECK(v1::RecordBatch().ParseFromString(groups(100)));
  CHECK(decode(groups(100)).has_value());
}

TEST_CASE("batch_encoder: writes the example of docs/formats/record.md") {
  const std::vector<plain_record> records{{"hi", "k", {{"a", "b"}}, value_kind::text, ""},
                                          {"7", std::nullopt, {}, value_kind::json, ""}};
  CHECK(encode(records) ==
        "\x0a\x11\x0a\x02hi\x12\x01k\x1a\x06\x0a\x01"
        "a\x12\x01"
        "b\x20\x01\x0a\x03\x0a\x01"
        "7");
}

TEST_CASE("batch_encoder: can be used again after finish, and its overhead bound holds") {
  batch_encoder encoder;
  const std::string value(70'000, 'x');
  for (const auto kind : {value_kind::json, value_kind::bytes}) {
    encoder.append(as_byte_span(value), kind);
    CHECK(encoder.size_bytes() <= value.size() + batch_encoder::k_record_overhead_bytes);
    const auto batch = encoder.finish();
    CHECK(batch.record_count == 1);
    CHECK(count_records(batch.payload.span()).value() == 1);
    CHECK(encoder.size_bytes() == 0);
  }
  CHECK(encoder.finish().payload.empty());
}

TEST_CASE("usual_content_type: stands in when none was kept") {
  record_view view;
  view.kind = value_kind::text;
  CHECK(content_type_of(view) == "text/plain");
  view.content_type = "text/plain; charset=utf-8";
  CHECK(content_type_of(view) == "text/plain; charset=utf-8");
}
