#pragma once
// What a log holds at some offsets, to compare with what was meant to be stored there.

#include "apps/cairn/line_source.hpp"
#include "net/client/log_client.hpp"
#include "storage/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::cli {

/// The parts of a record object that the CLI looks at. Views into the line and into the reader.
struct record_object {
  std::uint64_t offset = 0;
  std::string_view raw_value;     ///< the JSON text, or empty
  std::string_view value_base64;  ///< or this
  bool has_value = false;         ///< raw_value is there
};

/// Reads record objects as nodes send them, whatever the order of their fields. Not thread-safe.
class record_reader {
public:
  record_reader();
  ~record_reader();
  record_reader(const record_reader&) = delete;
  record_reader& operator=(const record_reader&) = delete;

  /// Views in the result are valid until the next call. corruption: no record object.
  [[nodiscard]] result<record_object> parse(std::string_view line);

  /// The text that `object.raw_value`, a JSON string, stands for; nothing when it is no string.
  [[nodiscard]] std::optional<std::string> string_value(const record_object& object);

private:
  struct parsers;
  std::unique_ptr<parsers> parsers_;
};

/// How the log compares with a batch that should stand at some offset.
struct comparison {
  std::uint64_t equal_count = 0;  ///< so many records from the first on are the same
  bool differs = false;           ///< and the next one is another; else the log ends there
};

/// Compares the records from `offset` on with the lines of `batch`. Errors are those of the client.
[[nodiscard]] result<comparison> compare_with_log(net::log_client& client, std::string_view log,
                                                  std::uint64_t offset, const line_batch& batch);

}  // namespace cairn::cli
