#include "proto/append_stamp.hpp"

#include "proto/cairn/v1/record.pb.h"

#include <doctest/doctest.h>
#include <functional>
#include <rapidcheck.h>
#include <string>
#include <vector>

using namespace cairn;
using namespace cairn::proto;

namespace {

encoded_records some_records(int count) {
  batch_encoder encoder;
  for (int i = 0; i < count; ++i)
    encoder.append(as_byte_span(std::string(static_cast<std::size_t>(i), 'v')), value_kind::bytes);
  return encoder.finish();
}

std::string stamped(const append_identity& who, int count) {
  return std::string(encode_append_stamp(who, some_records(count)).text());
}

std::string text_of(const hash128& hash) {
  return std::string(as_text(hash));
}

// A stamp of one empty record, changed, and the record.
std::string with_changed(const std::function<void(v1::AppendStamp&)>& change) {
  v1::RecordBatch batch;
  auto* stamp = batch.add_stamps();
  stamp->set_record_bytes(2);
  stamp->set_record_count(1);
  stamp->set_key_hash(std::string(16, 'h'));
  change(*stamp);
  return batch.SerializeAsString() + std::string("\x0a\x00", 2);
}

errc code_of(const std::string& payload) {
  auto rest = as_byte_span(payload);
  const auto before = rest;
  const auto got = next_stamp(rest);
  if (!got) CHECK(rest.data() == before.data());
  if (!got) CHECK(rest.size() == before.size());
  return got.code();
}

}  // namespace

TEST_CASE("append_stamp: stands in front of the records as the generated classes read it") {
  CHECK(rc::check([] {
    const auto id = *rc::gen::arbitrary<std::string>();
    const bool producer = *rc::gen::arbitrary<bool>();
    const auto epoch = *rc::gen::arbitrary<std::uint64_t>() % k_sequence_limit;
    const auto seq = *rc::gen::arbitrary<std::uint64_t>() % k_sequence_limit;
    const int count = *rc::gen::inRange(1, 40);
    const auto who = producer ? identity_of_producer(id, epoch, seq) : identity_of_key(id);
    const auto records = some_records(count);
    const auto payload = encode_append_stamp(who, records);
    RC_ASSERT(is_stamped(payload.span()));
    RC_ASSERT(payload.size() - records.payload.size() <= k_stamp_bytes_max);

    v1::RecordBatch batch;
    RC_ASSERT(batch.ParseFromArray(payload.data(), static_cast<int>(payload.size())));
    RC_ASSERT(batch.records_size() == count);
    RC_ASSERT(batch.stamps_size() == 1);
    const auto& stamp = batch.stamps(0);
    RC_ASSERT(stamp.record_bytes() == records.payload.size());
    RC_ASSERT(stamp.record_count() == records.record_count);
    RC_ASSERT(stamp.body_hash() == checksum64(records.payload.span()));
    RC_ASSERT(stamp.key_hash() == text_of(checksum128(as_byte_span(id))));
    RC_ASSERT(stamp.producer() == producer);
    RC_ASSERT(stamp.epoch() == (producer ? epoch : 0));
    RC_ASSERT(stamp.seq() == (producer ? seq : 0));
    // The way back, through bytes that the generated classes have written.
    auto rest = payload.span();
    const auto read = next_stamp(rest);
    RC_ASSERT(read.ok());
    RC_ASSERT(rest.empty());
    RC_ASSERT(read->identity == who);
    RC_ASSERT(read->record_bytes == stamp.record_bytes());
    RC_ASSERT(read->record_count == stamp.record_count());
    RC_ASSERT(read->body_hash == stamp.body_hash());
  }));
}

TEST_CASE("append_stamp: a frame of several appends is walked from stamp to stamp") {
  const std::string payload = stamped(identity_of_key("a"), 3) +
                              stamped(identity_of_producer("p", 7, 8), 1) +
                              stamped(identity_of_key("b"), 20);
  auto rest = as_byte_span(payload);
  std::vector<append_identity> seen;
  std::uint32_t records = 0;
  while (!rest.empty()) {
    const auto stamp = next_stamp(rest);
    REQUIRE(stamp.ok());
    seen.push_back(stamp->identity);
    records += stamp->record_count;
  }
  CHECK(seen ==
        std::vector{identity_of_key("a"), identity_of_producer("p", 7, 8), identity_of_key("b")});
  CHECK(records == 24);
  // Those who read records do not see the stamps.
  const auto counted = count_records(as_byte_span(payload));
  REQUIRE(counted.ok());
  CHECK(*counted == 24);
  batch_reader reader(as_byte_span(payload));
  record_view record;
  REQUIRE(reader.skip(3));
  REQUIRE(reader.next(record));
  CHECK(record.value.empty());
  REQUIRE(reader.skip(19));
  REQUIRE(reader.next(record));
  CHECK(record.value.size() == 19);
}

TEST_CASE("append_stamp: one byte tells the two kinds of payload apart") {
  CHECK_FALSE(is_stamped({}));
  CHECK_FALSE(is_stamped(some_records(1).payload.span()));
  CHECK(is_stamped(as_byte_span(stamped(identity_of_key("a"), 1))));
  // A record that is empty is still a record.
  CHECK(some_records(1).payload.text().front() == '\x0a');
}

TEST_CASE("append_stamp: a producer and a key of the same name are two identities") {
  CHECK(identity_of_key("a") != identity_of_producer("a", 0, 0));
  CHECK(identity_of_key("a") != identity_of_key("b"));
  CHECK(identity_of_producer("a", 0, 1) != identity_of_producer("a", 1, 0));
}

TEST_CASE("append_stamp: every field is held against its range") {
  CHECK(code_of(with_changed([](v1::AppendStamp&) {})) == errc::none);
  const std::vector<std::function<void(v1::AppendStamp&)>> changes{
      [](v1::AppendStamp& s) { s.set_record_bytes(0); },
      [](v1::AppendStamp& s) { s.set_record_bytes(3); },
      [](v1::AppendStamp& s) { s.set_record_bytes(0xffffffffU); },
      [](v1::AppendStamp& s) { s.set_record_count(0); },
      [](v1::AppendStamp& s) { s.set_record_count(2); },
      [](v1::AppendStamp& s) { s.clear_key_hash(); },
      [](v1::AppendStamp& s) { s.set_key_hash(std::string(15, 'h')); },
      [](v1::AppendStamp& s) { s.set_key_hash(std::string(17, 'h')); },
      [](v1::AppendStamp& s) { s.set_epoch(1); },  // without a producer
      [](v1::AppendStamp& s) { s.set_seq(1); },
      [](v1::AppendStamp& s) {
        s.set_producer(true);
        s.set_epoch(k_sequence_limit);
      },
      [](v1::AppendStamp& s) {
        s.set_producer(true);
        s.set_seq(~std::uint64_t{0});
      },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    CAPTURE(i);
    CHECK(code_of(with_changed(changes[i])) == errc::corruption);
  }
}

TEST_CASE("append_stamp: a payload that breaks off anywhere is refused") {
  const auto whole = stamped(identity_of_producer("p", k_sequence_limit - 1, 300), 2);
  CHECK(code_of(whole) == errc::none);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK(code_of(whole.substr(0, size)) == errc::corruption);
  }
}

TEST_CASE("append_stamp: unknown fields are passed over, a stamp over its size is refused") {
  const auto with_field_9 = [](std::size_t size) {
    return with_changed([&](v1::AppendStamp& stamp) {
      stamp.GetReflection()->MutableUnknownFields(&stamp)->AddLengthDelimited(9)->assign(size, 'u');
    });
  };
  CHECK(code_of(with_field_9(60)) == errc::none);
  CHECK(code_of(with_field_9(110)) == errc::corruption);
}

TEST_CASE("append_stamp: what stands behind a stamp are records, not another stamp") {
  v1::RecordBatch two;
  for (int i = 0; i < 2; ++i) {
    auto* stamp = two.add_stamps();
    stamp->set_record_bytes(2);
    stamp->set_record_count(1);
    stamp->set_key_hash(std::string(16, 'h'));
  }
  CHECK(code_of(two.SerializeAsString()) == errc::corruption);
}

TEST_CASE("check_single_stamp: one append has one stamp, of as many records as it says") {
  const auto one = stamped(identity_of_key("a"), 3);
  CHECK(check_single_stamp(as_byte_span(one), 3).ok());
  CHECK(check_single_stamp(as_byte_span(one), 2).code() == errc::corruption);
  CHECK(check_single_stamp(as_byte_span(one + one), 3).code() == errc::corruption);
  CHECK(check_single_stamp(some_records(3).payload.span(), 3).code() == errc::corruption);
}

TEST_CASE("append_stamp: writes the example of docs/formats/record.md") {
  batch_encoder encoder;
  encoder.append(as_byte_span("7"), value_kind::json);
  const auto payload = encode_append_stamp(identity_of_producer("p", 0, 5), encoder.finish());
  constexpr std::string_view k_expected(
      "\x12\x23\x08\x05\x10\x01\x19\xff\x1c\x76\x4d\xb2\x1d\xf5\x21"
      "\x22\x10\x5d\xb9\x21\xb0\xa6\x62\xcc\xde\xbe\x20\xe5\x19\x1d\x44\x9b\x87"
      "\x28\x01\x38\x05\x0a\x03\x0a\x01"
      "7",
      42);
  CHECK(payload.text() == k_expected);
}
