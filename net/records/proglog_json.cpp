#include "net/records/proglog_json.hpp"

#include "net/records/base64.hpp"
#include "proto/record_codec.hpp"

#include <fmt/format.h>
#include <optional>
#include <simdjson.h>

namespace cairn::net {

namespace {

namespace ondemand = simdjson::ondemand;

error at(std::string_view path, std::string_view what) {
  return {errc::invalid_argument, fmt::format("{}: {}", path, what)};
}

error broken(std::string_view path, simdjson::error_code code) {
  if (code == simdjson::INCORRECT_TYPE) return at(path, "has the wrong type");
  if (code == simdjson::EMPTY) return at(path, "there is no JSON text");
  return at(path, fmt::format("not JSON as it must be: {}", simdjson::error_message(code)));
}

error unknown_field(std::string_view path, std::string_view name) {
  return at(fmt::format("{}{}", path, name.substr(0, 64)), "unknown field");
}

// Calls `read(name, value)` for every field of `object`.
template <class Read>
status for_each_field(ondemand::object object, std::string_view path, const Read& read) {
  for (auto field : object) {
    std::string_view name;
    ondemand::value value;
    if (const auto code = field.unescaped_key().get(name)) return broken(path, code);
    if (const auto code = field.value().get(value)) return broken(path, code);
    if (status good = read(name, value); !good) return good;
  }
  return {};
}

status read_offset(ondemand::value value, std::string_view path,
                   std::optional<std::uint64_t>& offset) {
  if (offset) return at(path, "comes twice");
  std::uint64_t number = 0;
  if (value.get_uint64().get(number) != simdjson::SUCCESS) {
    return at(path, "not a whole number from 0 to 18446744073709551615");
  }
  offset = number;
  return {};
}

// Parses `body` as one object and nothing else.
template <class Read>
status parse_object(const simdjson::padded_string& body, const Read& read) {
  ondemand::parser parser;
  ondemand::document document;
  if (const auto code = parser.iterate(body).get(document)) return broken("the body", code);
  ondemand::object root;
  if (const auto code = document.get_object().get(root)) return broken("the body", code);
  if (auto good = for_each_field(root, "the body", read); !good) return good;
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS)
    return at("the body", "goes on after its JSON text");
  return {};
}

struct produced {
  std::optional<std::string> value_base64;
  std::optional<std::uint64_t> offset;
  bool has_record = false;
};

status read_produced_record(ondemand::value record_value, produced& out) {
  if (out.has_record) return at("record", "comes twice");
  out.has_record = true;
  ondemand::object record;
  if (const auto code = record_value.get_object().get(record)) return broken("record", code);
  return for_each_field(record, "record", [&](std::string_view name, ondemand::value value) {
    if (name == "offset") return read_offset(value, "record.offset", out.offset);
    if (name != "value") return status(unknown_field("record.", name));
    if (out.value_base64) return status(at("record.value", "comes twice"));
    std::string_view text;
    if (const auto code = value.get_string().get(text)) return status(broken("record.value", code));
    out.value_base64 = std::string(text);
    return status();
  });
}

}  // namespace

result<encoded_batch> parse_proglog_produce(std::string_view body, std::uint64_t max_record_bytes) {
  produced found;
  const simdjson::padded_string padded(body);
  auto parsed = parse_object(padded, [&](std::string_view name, ondemand::value value) {
    if (name != "record") return status(unknown_field("", name));
    return read_produced_record(value, found);
  });
  if (!parsed) return parsed.error();
  if (!found.has_record) return at("record", "is missing");
  if (!found.value_base64) return at("record.value", "is missing");
  const auto size = base64_decoded_bytes(*found.value_base64);
  if (size > max_record_bytes) {
    return error{errc::too_large, fmt::format("record.value is a record of {} bytes, limit {}",
                                              size, max_record_bytes)};
  }
  std::string value;
  if (!decode_base64(*found.value_base64, value)) {
    return at("record.value", "not canonical base64 (RFC 4648 section 4, with padding)");
  }
  proto::batch_encoder encoder;
  encoder.append(as_byte_span(value), proto::value_kind::bytes);
  auto batch = encoder.finish();
  return encoded_batch{std::move(batch.payload), batch.record_count};
}

result<record_offset> parse_proglog_consume(std::string_view body) {
  std::optional<std::uint64_t> offset;
  const simdjson::padded_string padded(body);
  auto parsed = parse_object(padded, [&](std::string_view name, ondemand::value value) {
    if (name != "offset") return status(unknown_field("", name));
    return read_offset(value, "offset", offset);
  });
  if (!parsed) return parsed.error();
  if (!offset) return at("offset", "is missing");
  return record_offset(*offset);
}

std::string format_proglog_produced(record_offset offset) {
  return fmt::format("{{\"offset\":{}}}", offset.value());
}

std::string format_proglog_consumed(record_offset offset, byte_span value) {
  std::string out = "{\"record\":{\"value\":\"";
  append_base64(out, value);
  fmt::format_to(std::back_inserter(out), "\",\"offset\":{}}}}}", offset.value());
  return out;
}

}  // namespace cairn::net
