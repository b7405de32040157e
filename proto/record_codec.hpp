#pragma once
// Records on the wire format of cairn.v1.RecordBatch, without a message object per record: the way
// of every append and read goes through here. The generated classes (proto/cairn/v1/record.pb.h)
// are the reference that the tests compare with, in both directions.
//
// Wire format: https://protobuf.dev/programming-guides/encoding. Unknown fields are skipped, of a
// field that comes twice the last one counts, as the generated classes do it.

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace cairn::proto {

/// What a value was sent as: cairn.v1.ValueKind. A number that this version does not know is read
/// as `bytes`.
enum class value_kind : std::uint8_t { json = 0, text = 1, bytes = 2 };

/// One header of a record: a UTF-8 name as the client spelt it, and any bytes.
struct header_view {
  std::string_view name;
  byte_span value;
};

/// The headers of an encoded record, read on the fly in their order. Valid as long as the batch is.
class header_range {
public:
  class iterator {
  public:
    using value_type = header_view;
    using difference_type = std::ptrdiff_t;
    iterator() = default;
    explicit iterator(byte_span rest) : rest_(rest) { advance(); }
    [[nodiscard]] const header_view& operator*() const { return current_; }
    [[nodiscard]] const header_view* operator->() const { return &current_; }
    iterator& operator++() {
      advance();
      return *this;
    }
    void operator++(int) { advance(); }
    [[nodiscard]] bool operator==(std::default_sentinel_t) const { return at_end_; }

  private:
    void advance();
    byte_span rest_;
    header_view current_;
    bool at_end_ = true;
  };

  header_range() = default;
  /// @pre `encoded_record` is a Record that batch_reader has accepted. `count` of its headers.
  header_range(byte_span encoded_record, std::uint32_t count)
      : encoded_record_(encoded_record), count_(count) {}

  [[nodiscard]] iterator begin() const {
    return count_ == 0 ? iterator{} : iterator{encoded_record_};
  }
  [[nodiscard]] static std::default_sentinel_t end() { return {}; }
  [[nodiscard]] std::uint32_t size() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }

private:
  byte_span encoded_record_;
  std::uint32_t count_ = 0;
};

/// One record inside a batch. Everything in it points into the batch.
struct record_view {
  byte_span value;
  std::optional<byte_span> key;
  header_range headers;
  value_kind kind = value_kind::json;
  std::string_view content_type;  ///< empty: the usual one of `kind`, see usual_content_type()
};

/// One record to be encoded.
struct new_record {
  byte_span value;
  std::optional<byte_span> key;
  std::span<const header_view> headers;
  value_kind kind = value_kind::json;
  std::string_view content_type;  ///< empty: the usual one of `kind`
};

/// application/json, text/plain or application/octet-stream.
[[nodiscard]] std::string_view usual_content_type(value_kind kind);

/// The content type to answer with: the one that was sent, or the usual one.
[[nodiscard]] inline std::string_view content_type_of(const record_view& record) {
  return record.content_type.empty() ? usual_content_type(record.kind) : record.content_type;
}

/// A finished batch: a serialized cairn.v1.RecordBatch and how many records it holds.
struct encoded_records {
  shared_bytes payload;
  std::uint32_t record_count = 0;
};

/// Encodes records one after the other into one buffer. Not thread-safe. The caller bounds what it
/// appends: a batch of 2 GiB or more aborts.
class batch_encoder {
public:
  batch_encoder() = default;
  /// Room for `size_bytes` of encoded records (a value costs at most k_record_overhead_bytes more
  /// than itself), so that no byte is moved later.
  explicit batch_encoder(std::size_t size_bytes) { reserve(size_bytes); }

  /// Upper bound of what a record costs beyond its bytes when it has neither key, headers nor a
  /// content type.
  static constexpr std::size_t k_record_overhead_bytes = 14;

  void reserve(std::size_t size_bytes);

  /// Copies `record` behind the ones before it. @pre header names and content type are UTF-8.
  void append(const new_record& record);

  /// The frequent case: a value without key, headers and content type.
  void append(byte_span value, value_kind kind);

  [[nodiscard]] std::size_t size_bytes() const { return size_; }
  [[nodiscard]] std::uint32_t record_count() const { return record_count_; }

  /// Hands out what has been appended; the encoder is empty afterwards and can be used again.
  [[nodiscard]] encoded_records finish();

private:
  std::byte* grow(std::size_t more_bytes);

  std::shared_ptr<std::byte[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
  std::uint32_t record_count_ = 0;
};

/// Walks over the records of a batch without copying.
///
///   batch_reader reader(payload);
///   record_view record;
///   while (reader.next(record)) use(record);
///   if (!reader.ok()) return reader.failure();
///
/// Every byte is bounds-checked: a malformed batch ends the walk with errc::corruption that names
/// the record and the position, and nothing outside the batch is ever read.
class batch_reader {
public:
  /// `payload` must outlive the reader and the views it gives.
  explicit batch_reader(byte_span payload);

  /// Reads the next record into `record`. False at the end, or when the batch is malformed.
  [[nodiscard]] bool next(record_view& record);

  /// Passes over `count` records, looking only at their lengths. False when there are fewer, or
  /// when the batch is malformed.
  [[nodiscard]] bool skip(std::uint64_t count);

  /// Records passed so far: next() gives the record with this number, from 0.
  [[nodiscard]] std::uint64_t position() const { return position_; }

  [[nodiscard]] bool ok() const { return failed_.ok(); }
  /// corruption. @pre `!ok()`.
  [[nodiscard]] const error& failure() const { return failed_.error(); }

private:
  [[nodiscard]] bool next_encoded(byte_span& encoded);
  bool fail(std::string_view what);

  const std::byte* begin_ = nullptr;
  byte_span rest_;
  std::uint64_t position_ = 0;
  status failed_;
};

/// Decodes one serialized cairn.v1.Record. False when it is malformed.
[[nodiscard]] bool decode_record(byte_span encoded, record_view& record);

/// Checks every record of `payload`. Returns their number. corruption.
[[nodiscard]] result<std::uint32_t> count_records(byte_span payload);

}  // namespace cairn::proto
