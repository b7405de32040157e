#include "proto/append_stamp.hpp"

#include <array>
#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <limits>

namespace cairn::proto {

namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;

// Field numbers of AppendStamp in proto/cairn/v1/record.proto.
constexpr std::uint32_t tag_of(std::uint32_t field, WireFormatLite::WireType type) {
  return field << 3 | static_cast<std::uint32_t>(type);
}
constexpr auto k_stamps_tag = tag_of(2, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
constexpr auto k_record_bytes_tag = tag_of(1, WireFormatLite::WIRETYPE_VARINT);
constexpr auto k_record_count_tag = tag_of(2, WireFormatLite::WIRETYPE_VARINT);
constexpr auto k_body_hash_tag = tag_of(3, WireFormatLite::WIRETYPE_FIXED64);
constexpr auto k_key_hash_tag = tag_of(4, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
constexpr auto k_producer_tag = tag_of(5, WireFormatLite::WIRETYPE_VARINT);
constexpr auto k_epoch_tag = tag_of(6, WireFormatLite::WIRETYPE_VARINT);
constexpr auto k_seq_tag = tag_of(7, WireFormatLite::WIRETYPE_VARINT);
constexpr std::byte k_first_byte{k_stamps_tag};

// A later version may add fields, but a stamp stays small: its length is one byte.
constexpr std::size_t k_encoded_bytes_max = 127;
// A record without anything in it: its tag and a length of 0.
constexpr std::uint32_t k_record_bytes_min = 2;

error corrupt(std::string_view what) {
  return {errc::corruption, fmt::format("stamp of an append: {}", what)};
}

std::uint8_t* write_number(std::uint8_t* to, std::uint32_t tag, std::uint64_t number) {
  if (number == 0) return to;  // proto3 leaves out a field that holds its default
  to = CodedOutputStream::WriteTagToArray(tag, to);
  return CodedOutputStream::WriteVarint64ToArray(number, to);
}

bool read_number(CodedInputStream& in, std::uint64_t limit, std::uint64_t& out) {
  return in.ReadVarint64(&out) && out < limit;
}

bool read_hash(CodedInputStream& in, hash128& out) {
  std::uint32_t size = 0;
  return in.ReadVarint32(&size) && size == out.size() &&
         in.ReadRaw(out.data(), static_cast<int>(out.size()));
}

// The fields as they stand; a number that is missing is 0. False when one is out of its range, or
// when there is no key_hash.
bool read_fields(byte_span encoded, append_stamp& stamp) {
  constexpr std::uint64_t k_u32_limit = std::uint64_t{1} << 32;
  CodedInputStream in(reinterpret_cast<const std::uint8_t*>(encoded.data()),
                      static_cast<int>(encoded.size()));
  bool has_hash = false;
  while (const auto tag = in.ReadTag()) {
    std::uint64_t number = 0;
    bool good = false;
    switch (tag) {
      case k_record_bytes_tag:
        good = read_number(in, k_u32_limit, number);
        stamp.record_bytes = static_cast<std::uint32_t>(number);
        break;
      case k_record_count_tag:
        good = read_number(in, k_u32_limit, number);
        stamp.record_count = static_cast<std::uint32_t>(number);
        break;
      case k_body_hash_tag:
        good = in.ReadLittleEndian64(&stamp.body_hash);
        break;
      case k_key_hash_tag:
        good = has_hash = read_hash(in, stamp.identity.hash);
        break;
      case k_producer_tag:
        good = read_number(in, 2, number);
        stamp.identity.producer = number == 1;
        break;
      case k_epoch_tag:
        good = read_number(in, k_sequence_limit, stamp.identity.epoch);
        break;
      case k_seq_tag:
        good = read_number(in, k_sequence_limit, stamp.identity.seq);
        break;
      default:
        good = WireFormatLite::SkipField(&in, tag);
    }
    if (!good) return false;
  }
  return has_hash && in.ConsumedEntireMessage() &&
         in.CurrentPosition() == static_cast<int>(encoded.size());
}

}  // namespace

append_identity identity_of_key(std::string_view key) {
  return {checksum128(as_byte_span(key)), false, 0, 0};
}

append_identity identity_of_producer(std::string_view id, std::uint64_t epoch, std::uint64_t seq) {
  CAIRN_CHECK(epoch < k_sequence_limit && seq < k_sequence_limit, "epoch {}, seq {}", epoch, seq);
  return {checksum128(as_byte_span(id)), true, epoch, seq};
}

shared_bytes encode_append_stamp(const append_identity& identity, const encoded_records& records) {
  const auto bytes = records.payload.span();
  CAIRN_CHECK(!bytes.empty() && records.record_count > 0, "a stamp without records");
  CAIRN_CHECK(bytes.size() <= std::numeric_limits<std::int32_t>::max(), "{} bytes", bytes.size());
  CAIRN_CHECK(!is_stamped(bytes), "these records have a stamp");
  std::array<std::uint8_t, k_stamp_bytes_max> buffer;
  std::uint8_t* to = buffer.data() + 2;  // tag and length
  to = write_number(to, k_record_bytes_tag, bytes.size());
  to = write_number(to, k_record_count_tag, records.record_count);
  to = CodedOutputStream::WriteTagToArray(k_body_hash_tag, to);
  to = CodedOutputStream::WriteLittleEndian64ToArray(checksum64(bytes), to);
  to = CodedOutputStream::WriteTagToArray(k_key_hash_tag, to);
  *to++ = static_cast<std::uint8_t>(identity.hash.size());
  std::memcpy(to, identity.hash.data(), identity.hash.size());
  to += identity.hash.size();
  to = write_number(to, k_producer_tag, identity.producer ? 1 : 0);
  to = write_number(to, k_epoch_tag, identity.epoch);
  to = write_number(to, k_seq_tag, identity.seq);
  const auto size = static_cast<std::size_t>(to - buffer.data());
  CAIRN_CHECK(size <= buffer.size(), "a stamp of {} bytes", size);
  buffer[0] = std::to_integer<std::uint8_t>(k_first_byte);
  buffer[1] = static_cast<std::uint8_t>(size - 2);
  auto all = std::make_shared_for_overwrite<std::byte[]>(size + bytes.size());
  std::memcpy(all.get(), buffer.data(), size);
  std::memcpy(all.get() + size, bytes.data(), bytes.size());
  const byte_span view(all.get(), size + bytes.size());
  return {std::move(all), view};
}

bool is_stamped(byte_span payload) {
  return !payload.empty() && payload.front() == k_first_byte;
}

result<append_stamp> next_stamp(byte_span& rest) {
  if (!is_stamped(rest)) return corrupt("there is none");
  if (rest.size() < 2) return corrupt("cut off");
  const auto size = std::to_integer<std::size_t>(rest[1]);
  if (size > k_encoded_bytes_max) return corrupt("it is too long");
  if (size > rest.size() - 2) return corrupt("cut off");
  const auto encoded = rest.subspan(2, size);
  append_stamp stamp;
  if (!read_fields(encoded, stamp)) {
    return corrupt("a field is out of its range");
  }
  const auto& who = stamp.identity;
  if (!who.producer && (who.epoch != 0 || who.seq != 0)) return corrupt("a key has a number");
  if (stamp.record_count == 0 || stamp.record_bytes / k_record_bytes_min < stamp.record_count) {
    return corrupt(fmt::format("{} records in {} bytes", stamp.record_count, stamp.record_bytes));
  }
  const auto behind = rest.subspan(2 + size);
  if (stamp.record_bytes > behind.size()) return corrupt("its records are cut off");
  if (is_stamped(behind)) return corrupt("another stamp stands where its records should");
  rest = behind.subspan(stamp.record_bytes);
  return stamp;
}

status check_single_stamp(byte_span payload, std::uint32_t record_count) {
  const auto stamp = next_stamp(payload);
  if (!stamp) return stamp.error();
  if (!payload.empty()) return corrupt("something follows its records");
  if (stamp->record_count != record_count) {
    return corrupt(
        fmt::format("it is of {} records, the append has {}", stamp->record_count, record_count));
  }
  return {};
}

}  // namespace cairn::proto
