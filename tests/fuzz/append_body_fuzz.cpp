// Bodies of appends, of every content type. The first byte chooses the type, the rest is the body.
// Whatever parses must be a batch of good records that can be shown, and its JSON must be JSON.
#include "net/records/append_body.hpp"
#include "net/records/json_text.hpp"
#include "net/records/proglog_json.hpp"
#include "net/records/record_format.hpp"
#include "storage/base/check.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace cairn;
using namespace cairn::net;

constexpr std::array<std::string_view, 6> k_types{
    "application/json", "application/x-ndjson",         "application/vnd.cairn.records+json",
    "text/plain",       "text/plain; charset=us-ascii", "application/octet-stream"};

void check_batch(const encoded_batch& batch) {
  proto::batch_reader reader(batch.payload.span());
  proto::record_view record;
  record_formatter formatter;
  std::string line;
  while (reader.next(record)) {
    line.clear();
    formatter.append_json(line, record_offset(reader.position()), 0, record);
    CAIRN_CHECK(line.find_first_of("\r\n") == std::string::npos, "line end in {}", line);
    // The object around a value of 32 levels is one more.
    const auto good = json_checker().check(line);
    CAIRN_CHECK(good.ok() || good.error().detail.starts_with("nested deeper"), "{} in {}",
                good.error().detail, line);
  }
  CAIRN_CHECK(reader.ok(), "an encoded batch is malformed");
  CAIRN_CHECK(reader.position() == batch.record_count, "{} records of {}", reader.position(),
              batch.record_count);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto type = data[0] % (k_types.size() + 3);
  if (type < k_types.size()) {
    append_body_options options;
    options.content_type = k_types[type];
    options.max_record_bytes = 4096;
    options.max_records = 64;
    const auto batch = parse_append_body(body, options);
    if (batch) check_batch(*batch);
  } else if (type == k_types.size()) {
    const auto batch = parse_proglog_produce(body, 4096);
    if (batch) check_batch(*batch);
  } else if (type == k_types.size() + 1) {
    (void)parse_proglog_consume(body);
  } else {
    const auto classified = classify_content_type(body);
    CAIRN_CHECK(classified.format || !classified.detail.empty(), "415 without a reason");
  }
  return 0;
}
