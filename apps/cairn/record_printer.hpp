#pragma once
// Prints record objects as they come from a node.

#include "apps/cairn/context.hpp"
#include "apps/cairn/stored_lines.hpp"

#include <map>
#include <string>
#include <string_view>

namespace cairn::cli {

enum class print_format : std::uint8_t {
  ndjson,  ///< the record objects, one per line
  json,    ///< one array of them
  raw,   ///< the values alone: JSON texts, text and bytes as they were stored, each with a line end
  text,  ///< as raw, but a JSON string is printed as the text it stands for
};

/// The option --format of read and tail.
[[nodiscard]] const std::map<std::string, print_format>& print_formats();

class record_printer {
public:
  record_printer(print_format format, output& out) : format_(format), out_(out) {}

  /// corruption: no record object, or a value that is not what it says.
  [[nodiscard]] status print(std::string_view line);
  /// Ends the array.
  void finish();

private:
  print_format format_;
  output& out_;
  record_reader reader_;
  std::string decoded_;
  bool any_ = false;
};

}  // namespace cairn::cli
