#include "apps/cairn/record_printer.hpp"

#include "net/records/base64.hpp"

namespace cairn::cli {

const std::map<std::string, print_format>& print_formats() {
  static const std::map<std::string, print_format> formats{{"ndjson", print_format::ndjson},
                                                           {"json", print_format::json},
                                                           {"raw", print_format::raw},
                                                           {"text", print_format::text}};
  return formats;
}

status record_printer::print(std::string_view line) {
  if (format_ == print_format::json) {
    out_.write(any_ ? ",\n" : "[\n");
    any_ = true;
    out_.write(line);
    return {};
  }
  if (format_ == print_format::ndjson) {
    out_.write(line);
    out_.write("\n");
    return {};
  }
  const auto record = reader_.parse(line);
  if (!record) return record.error();
  if (record->has_value) {
    const auto text = format_ == print_format::text ? reader_.string_value(*record) : std::nullopt;
    out_.write(text ? std::string_view(*text) : record->raw_value);
  } else {
    decoded_.clear();
    if (!net::decode_base64(record->value_base64, decoded_)) {
      return error{errc::corruption, "the node sent a value_base64 that is not base64"};
    }
    out_.write(decoded_);
  }
  out_.write("\n");
  return {};
}

void record_printer::finish() {
  if (format_ == print_format::json) out_.write(any_ ? "\n]\n" : "[]\n");
  out_.flush();
}

}  // namespace cairn::cli
