#include "apps/cairn/stored_lines.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <simdjson.h>

namespace cairn::cli {

namespace {

namespace ondemand = simdjson::ondemand;

// As a node shows a line: raw line ends between tokens are spaces there.
bool same_value(std::string_view shown, std::string_view line) {
  if (shown.size() != line.size()) return false;
  return std::equal(shown.begin(), shown.end(), line.begin(),
                    [](char a, char b) { return a == b || (a == ' ' && b == '\r'); });
}

}  // namespace

struct record_reader::parsers {
  ondemand::parser line;
  ondemand::parser value;
  std::string padded_line;
  std::string padded_value;
};

record_reader::record_reader() : parsers_(std::make_unique<parsers>()) {}
record_reader::~record_reader() = default;

result<record_object> record_reader::parse(std::string_view line) {
  const auto broken = [&] {
    return error{errc::corruption,
                 fmt::format("the node sent what is no record: {}", line.substr(0, 200))};
  };
  auto& padded = parsers_->padded_line;
  padded.assign(line);
  padded.append(simdjson::SIMDJSON_PADDING, ' ');
  ondemand::document document;
  ondemand::object object;
  if (parsers_->line.iterate(padded.data(), line.size(), padded.size()).get(document) ||
      document.get_object().get(object)) {
    return broken();
  }
  record_object found;
  bool has_offset = false;
  for (auto field : object) {
    std::string_view name;
    ondemand::value value;
    if (field.unescaped_key().get(name) || field.value().get(value)) return broken();
    if (name == "offset") {
      if (value.get_uint64().get(found.offset)) return broken();
      has_offset = true;
    } else if (name == "value") {
      ondemand::json_type type{};
      if (value.type().get(type)) return broken();
      const bool nested = type == ondemand::json_type::array || type == ondemand::json_type::object;
      found.has_value = true;
      if (!nested) {
        found.raw_value = net::trim_json_end(value.raw_json_token());
      } else if (type == ondemand::json_type::array) {
        ondemand::array array;
        if (value.get_array().get(array) || array.raw_json().get(found.raw_value)) return broken();
      } else {
        ondemand::object inner;
        if (value.get_object().get(inner) || inner.raw_json().get(found.raw_value)) return broken();
      }
      found.raw_value = net::trim_json_end(found.raw_value);
    } else if (name == "value_base64") {
      if (value.get_string().get(found.value_base64)) return broken();
    }
  }
  if (!has_offset) return broken();
  return found;
}

std::optional<std::string> record_reader::string_value(const record_object& object) {
  if (!object.raw_value.starts_with('"')) return std::nullopt;
  auto& padded = parsers_->padded_value;
  padded.assign(object.raw_value);
  padded.append(simdjson::SIMDJSON_PADDING, ' ');
  ondemand::document document;
  std::string_view text;
  if (parsers_->value.iterate(padded.data(), object.raw_value.size(), padded.size())
          .get(document) ||
      document.get_string().get(text)) {
    return std::nullopt;
  }
  return std::string(text);
}

result<comparison> compare_with_log(net::log_client& client, std::string_view log,
                                    std::uint64_t offset, const line_batch& batch) {
  comparison found;
  record_reader reader;
  std::optional<error> broken;
  std::string_view rest = batch.body;
  const auto compare_one = [&](std::string_view line) {
    const auto record = reader.parse(line);
    if (!record) {
      broken = record.error();
      return false;
    }
    const auto size = rest.find('\n');
    found.differs = record->offset != offset + found.equal_count || !record->has_value ||
                    !same_value(record->raw_value, rest.substr(0, size));
    if (found.differs) return false;
    rest.remove_prefix(size + 1);
    ++found.equal_count;
    return found.equal_count < batch.line_count;
  };
  while (found.equal_count < batch.line_count && !found.differs) {
    net::read_call call;
    call.log = log;
    call.from.offset = offset + found.equal_count;
    call.linearizable = true;  // a node that is behind would say that the log ends before
    call.limit = std::min<std::uint64_t>(batch.line_count - found.equal_count, 10'000);
    const auto count = client.read(call, compare_one);
    if (broken) return *broken;
    if (!count) return count.error();
    if (*count == 0) break;
  }
  return found;
}

}  // namespace cairn::cli
