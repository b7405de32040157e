// A record batch as it may come from a disk or a peer: taken or refused exactly as the generated
// classes do it, and never read beyond its end.
#include "proto/cairn/v1/record.pb.h"
#include "proto/record_codec.hpp"
#include "storage/base/check.hpp"
#include "tests/support/record_reference.hpp"

#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn;
  static auto* const k_quiet = google::protobuf::SetLogHandler(nullptr);
  (void)k_quiet;
  v1::RecordBatch expected;
  const bool parses = testing::parse_records({reinterpret_cast<const char*>(data), size}, expected);
  proto::batch_reader reader({reinterpret_cast<const std::byte*>(data), size});
  proto::record_view record;
  int count = 0;
  while (reader.next(record)) {
    if (parses) {
      const auto& one = expected.records(count);
      CAIRN_CHECK(as_text(record.value) == one.value(), "value of record {}", count);
      CAIRN_CHECK(record.key.has_value() == one.has_key(), "key of record {}", count);
      CAIRN_CHECK(static_cast<int>(record.headers.size()) == one.headers_size(), "headers of {}",
                  count);
      int h = 0;
      for (auto header = record.headers.begin(); header != proto::header_range::end(); ++header) {
        CAIRN_CHECK(header->name == one.headers(h).name(), "header {} of {}", h, count);
        CAIRN_CHECK(as_text(header->value) == one.headers(h).value(), "header {} of {}", h, count);
        ++h;
      }
      CAIRN_CHECK(record.content_type == one.content_type(), "content type of {}", count);
    }
    ++count;
  }
  CAIRN_CHECK(reader.ok() == parses, "taken: {}, by the generated classes: {}", reader.ok(),
              parses);
  if (parses) CAIRN_CHECK(count == expected.records_size(), "{} records", count);
  return 0;
}
