#include "net/records/append_body.hpp"

#include "net/records/ascii.hpp"
#include "net/records/json_text.hpp"
#include "net/records/record_limits.hpp"

#include <algorithm>
#include <cstring>
#include <simdjson.h>

namespace cairn::net {

namespace detail {

namespace {

bool is_token(std::string_view text) {
  constexpr std::string_view k_punctuation = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           k_punctuation.find(c) != std::string_view::npos;
  });
}

}  // namespace

status check_headers(std::span<const proto::header_view> headers) {
  if (headers.size() > k_record_headers_max) {
    return error{errc::invalid_argument, fmt::format("a record with {} headers, limit {}",
                                                     headers.size(), k_record_headers_max)};
  }
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto name = headers[i].name;
    if (name.size() > k_header_name_bytes_max) {
      return error{errc::invalid_argument, fmt::format("a header name of {} bytes, limit {}",
                                                       name.size(), k_header_name_bytes_max)};
    }
    if (!is_token(name)) {
      return error{errc::invalid_argument,
                   fmt::format("header name \"{}\" is no token (letters, digits and "
                               "!#$%&'*+-.^_`|~)",
                               name)};
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (same_but_for_case(headers[j].name, name)) {
        return error{errc::invalid_argument, fmt::format("header \"{}\" comes twice", name)};
      }
    }
  }
  return {};
}

std::uint64_t counted_bytes(const proto::new_record& record) {
  std::uint64_t size = record.value.size() + (record.key ? record.key->size() : 0);
  for (const auto& header : record.headers)
    size += header.name.size() + header.value.size();
  return size;
}

error too_many_records(const append_body_options& options) {
  return {errc::too_large, fmt::format("the body holds more than {} records", options.max_records)};
}

}  // namespace detail

namespace {

error not_json(std::string_view what, const error& why) {
  if (why.code != errc::invalid_argument) return why;
  return {errc::invalid_argument,
          fmt::format("{} is not JSON as it must be: {}", what, why.detail)};
}

result<encoded_batch> encode_single(std::string_view body, proto::value_kind kind,
                                    const append_body_options& options) {
  proto::new_record record{as_byte_span(body), options.key, options.headers, kind, {}};
  if (options.content_type != proto::usual_content_type(kind)) {
    record.content_type = options.content_type;
  }
  if (auto good = detail::check_headers(options.headers); !good) return good.error();
  const auto size = detail::counted_bytes(record);
  if (auto good = detail::check_size(size, options, [] { return "the body"; }); !good) {
    return good.error();
  }
  proto::batch_encoder encoder;
  encoder.append(record);
  return detail::to_batch(encoder.finish());
}

result<encoded_batch> parse_json(std::string_view body, const append_body_options& options) {
  // The size first: checking costs memory in proportion.
  if (auto good = detail::check_size(body.size(), options, [] { return "the body"; }); !good) {
    return good.error();
  }
  if (auto good = thread_json_checker().check(body); !good) {
    return not_json("the body", good.error());
  }
  return encode_single(body, proto::value_kind::json, options);
}

result<encoded_batch> parse_text(std::string_view body, bool must_be_ascii,
                                 const append_body_options& options) {
  const bool good = must_be_ascii ? std::none_of(body.begin(), body.end(),
                                                 [](char c) { return (c & '\x80') != 0; })
                                  : simdjson::validate_utf8(body.data(), body.size());
  if (!good) {
    return error{errc::invalid_argument,
                 fmt::format("the body is not valid {}", must_be_ascii ? "US-ASCII" : "UTF-8")};
  }
  return encode_single(body, proto::value_kind::text, options);
}

// Takes the next line off `rest`, without its end.
std::string_view take_line(std::string_view& rest) {
  const void* end = std::memchr(rest.data(), '\n', rest.size());
  if (end == nullptr) return std::exchange(rest, {});
  const auto size = static_cast<std::size_t>(static_cast<const char*>(end) - rest.data());
  auto line = rest.substr(0, size);
  rest.remove_prefix(size + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// Lines of `body`; stops to count once there are more than `most`. memchr takes a whole vector at a
// time, std::count a byte: over large lines that was the dearest pass of all.
std::uint64_t count_lines(std::string_view body, std::uint64_t most) {
  std::uint64_t lines = 0;
  while (!body.empty() && lines <= most) {
    ++lines;
    const auto end = body.find('\n');
    if (end == std::string_view::npos) break;
    body.remove_prefix(end + 1);
  }
  return lines;
}

result<encoded_batch> parse_ndjson(std::string_view body, const append_body_options& options) {
  if (body.empty()) return error{errc::invalid_argument, "the body holds no record"};
  const auto lines = count_lines(body, options.max_records);
  if (lines > options.max_records) return detail::too_many_records(options);
  auto& checker = thread_json_checker();
  proto::batch_encoder encoder(body.size() + lines * proto::batch_encoder::k_record_overhead_bytes);
  const char* const body_end = body.data() + body.size();
  for (auto rest = body; !rest.empty();) {
    const auto line = take_line(rest);
    const auto where = [&] { return fmt::format("line {}", encoder.record_count() + 1); };
    if (line.empty()) {
      return error{errc::invalid_argument, fmt::format("{} is empty", where())};
    }
    if (auto good = detail::check_size(line.size(), options, where); !good) return good.error();
    const auto readable = static_cast<std::size_t>(body_end - line.data());
    if (auto good = checker.check(line, readable); !good) return not_json(where(), good.error());
    encoder.append(as_byte_span(line), proto::value_kind::json);
  }
  return detail::to_batch(encoder.finish());
}

}  // namespace

result<encoded_batch> parse_append_body(std::string_view body, const append_body_options& options) {
  const auto type = classify_content_type(options.content_type);
  if (!type.format) return error{errc::invalid_argument, type.detail};
  if (!holds_one_record(*type.format) && (options.key || !options.headers.empty())) {
    return error{errc::invalid_argument,
                 "Cairn-Key and Cairn-Header-* are for one record; a batch of "
                 "application/vnd.cairn.records+json has them in its records"};
  }
  switch (*type.format) {
    case body_format::json:
      return parse_json(body, options);
    case body_format::ndjson:
      return parse_ndjson(body, options);
    case body_format::records:
      return detail::parse_record_batch(body, options);
    case body_format::text:
      return parse_text(body, type.must_be_ascii, options);
    case body_format::bytes:
      break;
  }
  return encode_single(body, proto::value_kind::bytes, options);
}

}  // namespace cairn::net
