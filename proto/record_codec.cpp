#include "proto/record_codec.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/common.h>
#include <google/protobuf/wire_format_lite.h>
#include <limits>

namespace cairn::proto {

namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;

constexpr std::uint32_t length_tag(std::uint32_t field) {
  return field << 3 | WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
}

// Field numbers of proto/cairn/v1/record.proto. All are below 16, so that every tag is one byte.
constexpr std::uint32_t k_batch_records_tag = length_tag(1);
constexpr std::uint32_t k_record_value_tag = length_tag(1);
constexpr std::uint32_t k_record_key_tag = length_tag(2);
constexpr std::uint32_t k_record_headers_tag = length_tag(3);
constexpr std::uint32_t k_record_kind_tag = 4U << 3 | WireFormatLite::WIRETYPE_VARINT;
constexpr std::uint32_t k_record_content_type_tag = length_tag(5);
constexpr std::uint32_t k_header_name_tag = length_tag(1);
constexpr std::uint32_t k_header_value_tag = length_tag(2);
constexpr std::size_t k_tag_bytes = 1;

constexpr std::size_t k_message_bytes_max = std::numeric_limits<std::int32_t>::max();

// ---- encoding

std::size_t length_prefixed_bytes(std::size_t size) {
  return k_tag_bytes + CodedOutputStream::VarintSize32(static_cast<std::uint32_t>(size)) + size;
}

// Proto3 leaves out a field that holds its default.
std::size_t optional_field_bytes(std::size_t size) {
  return size == 0 ? 0 : length_prefixed_bytes(size);
}

std::uint8_t* write_tag(std::uint8_t* to, std::uint32_t tag, std::size_t size) {
  to = CodedOutputStream::WriteTagToArray(tag, to);
  return CodedOutputStream::WriteVarint32ToArray(static_cast<std::uint32_t>(size), to);
}

std::uint8_t* write_field(std::uint8_t* to, std::uint32_t tag, byte_span bytes) {
  to = write_tag(to, tag, bytes.size());
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

std::uint8_t* write_optional_field(std::uint8_t* to, std::uint32_t tag, byte_span bytes) {
  return bytes.empty() ? to : write_field(to, tag, bytes);
}

std::size_t header_bytes(const header_view& header) {
  return optional_field_bytes(header.name.size()) + optional_field_bytes(header.value.size());
}

std::size_t record_bytes(const new_record& record) {
  std::size_t size = optional_field_bytes(record.value.size());
  if (record.key) size += length_prefixed_bytes(record.key->size());
  for (const auto& header : record.headers)
    size += length_prefixed_bytes(header_bytes(header));
  if (record.kind != value_kind::json) size += k_tag_bytes + 1;
  return size + optional_field_bytes(record.content_type.size());
}

std::uint8_t* write_kind(std::uint8_t* to, value_kind kind) {
  if (kind == value_kind::json) return to;
  to = CodedOutputStream::WriteTagToArray(k_record_kind_tag, to);
  return CodedOutputStream::WriteVarint32ToArray(static_cast<std::uint32_t>(kind), to);
}

// ---- decoding

// Fields of one message. CodedInputStream also takes tags and lengths that are spelt in more than
// the five bytes which the generated classes allow; this reader refuses them as those do.
class field_reader {
public:
  // `depth_left`: groups may nest so deep (they occur only as unknown fields).
  field_reader(byte_span bytes, int depth_left)
      : size_(static_cast<int>(bytes.size())),
        depth_left_(depth_left),
        in_(reinterpret_cast<const std::uint8_t*>(bytes.data()), size_) {}

  // The next tag, or 0 at the end and for a tag that no encoder makes.
  std::uint32_t tag() {
    const int before = in_.CurrentPosition();
    const auto tag = in_.ReadTag();
    const int used = in_.CurrentPosition() - before;
    malformed_ = malformed_ || used > k_varint32_bytes_max || (tag == 0 && used > 0);
    return malformed_ ? 0 : tag;
  }

  bool block(byte_span& out) {
    int size = 0;
    const int before = in_.CurrentPosition();
    if (!in_.ReadVarintSizeAsInt(&size)) return false;
    if (in_.CurrentPosition() - before > k_varint32_bytes_max) return false;
    const void* data = nullptr;
    int available = 0;
    if (size == 0) {
      out = {};
      return true;
    }
    if (!in_.GetDirectBufferPointer(&data, &available) || size > available) return false;
    out = {static_cast<const std::byte*>(data), static_cast<std::size_t>(size)};
    return in_.Skip(size);
  }

  bool utf8_block(std::string_view& out) {
    byte_span bytes;
    if (!block(bytes)) return false;
    out = as_text(bytes);
    return google::protobuf::internal::IsStructurallyValidUTF8(out.data(),
                                                               static_cast<int>(out.size()));
  }

  bool varint(std::uint64_t& out) { return in_.ReadVarint64(&out); }

  // Passes over the value of an unknown field.
  bool skip_field(std::uint32_t tag) {
    std::uint64_t ignored = 0;
    byte_span ignored_block;
    if (WireFormatLite::GetTagFieldNumber(tag) == 0) return false;
    switch (WireFormatLite::GetTagWireType(tag)) {
      case WireFormatLite::WIRETYPE_VARINT:
        return varint(ignored);
      case WireFormatLite::WIRETYPE_FIXED64:
        return in_.Skip(sizeof(std::uint64_t));
      case WireFormatLite::WIRETYPE_FIXED32:
        return in_.Skip(sizeof(std::uint32_t));
      case WireFormatLite::WIRETYPE_LENGTH_DELIMITED:
        return block(ignored_block);
      case WireFormatLite::WIRETYPE_START_GROUP:
        return skip_group(tag);
      default:
        return false;
    }
  }

  [[nodiscard]] std::size_t position() const {
    return static_cast<std::size_t>(in_.CurrentPosition());
  }
  [[nodiscard]] bool at_end() const { return !malformed_ && in_.CurrentPosition() == size_; }

private:
  static constexpr int k_varint32_bytes_max = 5;

  bool skip_group(std::uint32_t start) {
    if (--depth_left_ < 0) return false;
    const auto end =
        start - WireFormatLite::WIRETYPE_START_GROUP + WireFormatLite::WIRETYPE_END_GROUP;
    while (const auto inner = tag()) {
      if (inner == end) {
        ++depth_left_;
        return true;
      }
      if (!skip_field(inner)) return false;
    }
    return false;
  }

  int size_;
  int depth_left_;
  bool malformed_ = false;
  CodedInputStream in_;
};

// As the generated classes: a hundred levels, of which each message takes one.
constexpr int k_batch_depth = 100;
constexpr int k_record_depth = k_batch_depth - 1;
constexpr int k_header_depth = k_record_depth - 1;

bool decode_header(byte_span encoded, header_view& header) {
  header = {};
  field_reader in(encoded, k_header_depth);
  while (const auto tag = in.tag()) {
    bool good = false;
    switch (tag) {
      case k_header_name_tag:
        good = in.utf8_block(header.name);
        break;
      case k_header_value_tag:
        good = in.block(header.value);
        break;
      default:
        good = in.skip_field(tag);
    }
    if (!good) return false;
  }
  return in.at_end();
}

value_kind kind_of(std::uint64_t number) {
  // As the generated classes do it: an enum field keeps the low 32 bits.
  switch (static_cast<std::uint32_t>(number)) {
    case 0:
      return value_kind::json;
    case 1:
      return value_kind::text;
    default:
      return value_kind::bytes;
  }
}

}  // namespace

std::string_view usual_content_type(value_kind kind) {
  switch (kind) {
    case value_kind::json:
      return "application/json";
    case value_kind::text:
      return "text/plain";
    case value_kind::bytes:
      break;
  }
  return "application/octet-stream";
}

void header_range::iterator::advance() {
  at_end_ = true;
  field_reader in(rest_, k_record_depth);
  while (const auto tag = in.tag()) {
    byte_span encoded;
    if (tag != k_record_headers_tag) {
      CAIRN_CHECK(in.skip_field(tag), "header range over a record that was not validated");
      continue;
    }
    CAIRN_CHECK(in.block(encoded) && decode_header(encoded, current_),
                "header range over a record that was not validated");
    rest_ = rest_.subspan(in.position());
    at_end_ = false;
    return;
  }
}

// ---- batch_encoder

void batch_encoder::reserve(std::size_t size_bytes) {
  if (size_bytes <= capacity_) return;
  auto larger = std::make_shared_for_overwrite<std::byte[]>(size_bytes);
  if (size_ != 0) std::memcpy(larger.get(), buffer_.get(), size_);
  buffer_ = std::move(larger);
  capacity_ = size_bytes;
}

std::byte* batch_encoder::grow(std::size_t more_bytes) {
  CAIRN_CHECK(more_bytes <= k_message_bytes_max - size_, "batch of {} + {} bytes", size_,
              more_bytes);
  constexpr std::size_t k_first_bytes = 256;
  if (size_ + more_bytes > capacity_) {
    reserve(std::max({size_ + more_bytes, 2 * capacity_, k_first_bytes}));
  }
  std::byte* to = buffer_.get() + size_;
  size_ += more_bytes;
  return to;
}

void batch_encoder::append(const new_record& record) {
  const auto size = record_bytes(record);
  std::byte* const begin = grow(length_prefixed_bytes(size));
  auto* to = reinterpret_cast<std::uint8_t*>(begin);
  to = write_tag(to, k_batch_records_tag, size);
  to = write_optional_field(to, k_record_value_tag, record.value);
  if (record.key) to = write_field(to, k_record_key_tag, *record.key);
  for (const auto& header : record.headers) {
    to = write_tag(to, k_record_headers_tag, header_bytes(header));
    to = write_optional_field(to, k_header_name_tag, as_byte_span(header.name));
    to = write_optional_field(to, k_header_value_tag, header.value);
  }
  to = write_kind(to, record.kind);
  to = write_optional_field(to, k_record_content_type_tag, as_byte_span(record.content_type));
  CAIRN_CHECK(reinterpret_cast<std::byte*>(to) == buffer_.get() + size_,
              "record size mispredicted");
  ++record_count_;
}

void batch_encoder::append(byte_span value, value_kind kind) {
  const auto size = optional_field_bytes(value.size()) +
                    (kind == value_kind::json ? std::size_t{0} : k_tag_bytes + 1);
  auto* to = reinterpret_cast<std::uint8_t*>(grow(length_prefixed_bytes(size)));
  to = write_tag(to, k_batch_records_tag, size);
  to = write_optional_field(to, k_record_value_tag, value);
  to = write_kind(to, kind);
  ++record_count_;
}

encoded_records batch_encoder::finish() {
  const byte_span bytes(buffer_.get(), size_);
  encoded_records done{shared_bytes(std::move(buffer_), bytes), record_count_};
  *this = batch_encoder();
  return done;
}

// ---- batch_reader

batch_reader::batch_reader(byte_span payload) : begin_(payload.data()), rest_(payload) {
  if (payload.size() > k_message_bytes_max) fail("the batch is over 2 GiB");
}

bool batch_reader::fail(std::string_view what) {
  failed_ = error{errc::corruption, fmt::format("record {} of a batch, at byte {}: {}", position_,
                                                rest_.data() - begin_, what)};
  rest_ = {};
  return false;
}

bool batch_reader::next_encoded(byte_span& encoded) {
  if (!failed_.ok()) return false;
  field_reader in(rest_, k_batch_depth);
  while (const auto tag = in.tag()) {
    if (tag != k_batch_records_tag) {
      if (!in.skip_field(tag)) return fail("unknown field is cut off");
      continue;
    }
    if (!in.block(encoded)) return fail("the record ends after the batch");
    rest_ = rest_.subspan(in.position());
    return true;
  }
  if (!in.at_end()) return fail("no valid field tag");
  rest_ = {};
  return false;
}

bool batch_reader::next(record_view& record) {
  const auto before = rest_;
  byte_span encoded;
  if (!next_encoded(encoded)) return false;
  if (!decode_record(encoded, record)) {
    rest_ = before;
    return fail("malformed record");
  }
  ++position_;
  return true;
}

bool batch_reader::skip(std::uint64_t count) {
  byte_span encoded;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!next_encoded(encoded)) return false;
    ++position_;
  }
  return true;
}

bool decode_record(byte_span encoded, record_view& record) {
  record = {};
  std::uint32_t header_count = 0;
  field_reader in(encoded, k_record_depth);
  while (const auto tag = in.tag()) {
    bool good = false;
    byte_span bytes;
    switch (tag) {
      case k_record_value_tag:
        good = in.block(record.value);
        break;
      case k_record_key_tag:
        good = in.block(bytes);
        record.key = bytes;
        break;
      case k_record_headers_tag: {
        header_view header;
        good = in.block(bytes) && decode_header(bytes, header);
        ++header_count;
        break;
      }
      case k_record_kind_tag: {
        std::uint64_t number = 0;
        good = in.varint(number);
        record.kind = kind_of(number);
        break;
      }
      case k_record_content_type_tag:
        good = in.utf8_block(record.content_type);
        break;
      default:
        good = in.skip_field(tag);
    }
    if (!good) return false;
  }
  record.headers = header_range(encoded, header_count);
  return in.at_end();
}

result<std::uint32_t> count_records(byte_span payload) {
  batch_reader reader(payload);
  record_view record;
  while (reader.next(record)) {
  }
  if (!reader.ok()) return reader.failure();
  return static_cast<std::uint32_t>(reader.position());
}

}  // namespace cairn::proto
