// application/vnd.cairn.records+json. simdjson's on-demand parser walks over the frame around the
// values; each value is then checked as a JSON text of its own, so that its bytes can be kept as
// they came and its memory is bounded by max_record_bytes.
#include "net/records/base64.hpp"
#include "net/records/json_text.hpp"
#include "net/records/record_limits.hpp"

#include <algorithm>
#include <optional>
#include <simdjson.h>
#include <string>

namespace cairn::net::detail {

namespace {

namespace ondemand = simdjson::ondemand;

error at(std::string_view path, std::string_view what) {
  return {errc::invalid_argument, fmt::format("{}: {}", path, what)};
}

error broken(std::string_view path, simdjson::error_code code) {
  if (code == simdjson::INCORRECT_TYPE) return at(path, "has the wrong type");
  return at(path, fmt::format("not JSON as it must be: {}", simdjson::error_message(code)));
}

std::string child(std::string_view path, std::string_view name) {
  constexpr std::size_t k_shown_bytes = 64;
  return fmt::format("{}.{}", path, name.substr(0, k_shown_bytes));
}

// One record while its fields arrive, in whatever order. Reused, so that its strings keep their
// room.
struct pending_record {
  std::optional<std::string_view> json;    // in the body
  std::optional<std::string_view> base64;  // in the parser's strings
  std::optional<std::string_view> key;
  bool has_headers = false;
  std::vector<proto::header_view> headers;
  std::string bytes;

  void clear() {
    json.reset();
    base64.reset();
    key.reset();
    has_headers = false;
    headers.clear();
    bytes.clear();
  }
};

class batch_body_parser {
public:
  batch_body_parser(std::string_view body, const append_body_options& options)
      : options_(options), padded_(body), encoder_(body.size()) {}

  result<encoded_batch> parse() {
    ondemand::parser parser;
    ondemand::document document;
    if (const auto code = parser.iterate(padded_).get(document)) return broken("the body", code);
    if (auto good = read_root(document); !good) return good.error();
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS)
      return at("the body", "goes on after its JSON text");
    if (encoder_.record_count() == 0) return at("records", "the batch is empty");
    return to_batch(encoder_.finish());
  }

private:
  status read_root(ondemand::document& document) {
    ondemand::object root;
    if (const auto code = document.get_object().get(root)) return broken("the body", code);
    bool has_records = false;
    for (auto field : root) {
      std::string_view name;
      if (const auto code = field.unescaped_key().get(name)) return broken("the body", code);
      if (name != "records") return at(name.substr(0, 64), "unknown field");
      if (has_records) return at("records", "comes twice");
      has_records = true;
      ondemand::array records;
      if (const auto code = field.value().get_array().get(records)) return broken("records", code);
      if (auto good = read_records(records); !good) return good;
    }
    if (!has_records) return at("records", "is missing");
    return {};
  }

  status read_records(ondemand::array records) {
    for (auto element : records) {
      if (encoder_.record_count() >= options_.max_records) return too_many_records(options_);
      const auto path = fmt::format("records[{}]", encoder_.record_count());
      ondemand::object record;
      if (const auto code = element.get_object().get(record)) return broken(path, code);
      if (auto good = read_record(record, path); !good) return good;
    }
    return {};
  }

  status read_record(ondemand::object record, const std::string& path) {
    pending_.clear();
    for (auto field : record) {
      std::string_view name;
      if (const auto code = field.unescaped_key().get(name)) return broken(path, code);
      ondemand::value value;
      if (const auto code = field.value().get(value)) return broken(child(path, name), code);
      if (auto good = read_field(name, value, path); !good) return good;
    }
    return finish_record(path);
  }

  status read_field(std::string_view name, ondemand::value value, const std::string& path) {
    if (name == "value") return read_json_value(value, path);
    if (name == "value_base64") return read_string(value, pending_.base64, child(path, name));
    if (name == "key") return read_string(value, pending_.key, child(path, name));
    if (name == "headers") return read_headers(value, child(path, name));
    return at(child(path, name), "unknown field");
  }

  status read_json_value(ondemand::value value, const std::string& path) {
    if (pending_.json) return at(child(path, "value"), "comes twice");
    std::string_view raw;
    const auto code = raw_text(value, raw);
    if (code != simdjson::SUCCESS) return broken(child(path, "value"), code);
    raw = trim_json_end(raw);
    if (auto good = check_size(raw.size(), options_, [&] { return path; }); !good) return good;
    const auto readable = padded_.size() + simdjson::SIMDJSON_PADDING -
                          static_cast<std::size_t>(raw.data() - padded_.data());
    if (auto good = thread_json_checker().check(raw, readable); !good) {
      return good.code() == errc::invalid_argument ? at(child(path, "value"), good.error().detail)
                                                   : good.error();
    }
    pending_.json = raw;
    return {};
  }

  static simdjson::error_code raw_text(ondemand::value& value, std::string_view& raw) {
    ondemand::json_type type{};
    if (const auto code = value.type().get(type)) return code;
    if (type == ondemand::json_type::array) {
      ondemand::array array;
      if (const auto code = value.get_array().get(array)) return code;
      return array.raw_json().get(raw);
    }
    if (type == ondemand::json_type::object) {
      ondemand::object object;
      if (const auto code = value.get_object().get(object)) return code;
      return object.raw_json().get(raw);
    }
    // The loop over the object moves past a scalar by itself.
    raw = value.raw_json_token();
    return simdjson::SUCCESS;
  }

  static status read_string(ondemand::value value, std::optional<std::string_view>& out,
                            const std::string& path) {
    if (out) return at(path, "comes twice");
    std::string_view text;
    if (const auto code = value.get_string().get(text)) return broken(path, code);
    out = text;
    return {};
  }

  status read_headers(ondemand::value value, const std::string& path) {
    if (pending_.has_headers) return at(path, "comes twice");
    pending_.has_headers = true;
    ondemand::object headers;
    if (const auto code = value.get_object().get(headers)) return broken(path, code);
    for (auto field : headers) {
      std::string_view name;
      std::string_view text;
      if (const auto code = field.unescaped_key().get(name)) return broken(path, code);
      if (const auto code = field.value().get_string().get(text)) {
        return broken(child(path, name), code);
      }
      if (pending_.headers.size() > k_record_headers_max) break;  // check_headers refuses it
      pending_.headers.push_back({name, as_byte_span(text)});
    }
    if (auto good = check_headers(pending_.headers); !good) return at(path, good.error().detail);
    return {};
  }

  status finish_record(const std::string& path) {
    if (pending_.json && pending_.base64) {
      return at(path, "has both value and value_base64");
    }
    proto::new_record record;
    if (pending_.json) {
      record.value = as_byte_span(*pending_.json);
    } else if (pending_.base64) {
      const auto size = base64_decoded_bytes(*pending_.base64);
      if (auto good = check_size(size, options_, [&] { return path; }); !good) return good;
      if (!decode_base64(*pending_.base64, pending_.bytes)) {
        return at(child(path, "value_base64"),
                  "not canonical base64 (RFC 4648 section 4, with padding)");
      }
      record.value = as_byte_span(pending_.bytes);
      record.kind = proto::value_kind::bytes;
    } else {
      return at(path, "has neither value nor value_base64");
    }
    if (pending_.key) record.key = as_byte_span(*pending_.key);
    record.headers = pending_.headers;
    if (auto good = check_size(counted_bytes(record), options_, [&] { return path; }); !good) {
      return good;
    }
    encoder_.append(record);
    return {};
  }

  const append_body_options& options_;
  simdjson::padded_string padded_;
  proto::batch_encoder encoder_;
  pending_record pending_;
};

}  // namespace

result<encoded_batch> parse_record_batch(std::string_view body,
                                         const append_body_options& options) {
  if (body.empty()) return at("the body", "there is no JSON text");
  if (body.starts_with("\xEF\xBB\xBF")) return at("the body", "starts with a byte order mark");
  return batch_body_parser(body, options).parse();
}

}  // namespace cairn::net::detail
