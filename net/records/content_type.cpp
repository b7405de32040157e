#include "net/records/append_body.hpp"
#include "net/records/ascii.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace cairn::net {

namespace {

struct known_type {
  std::string_view name;
  body_format format;
};

constexpr std::array k_known_types{
    known_type{"application/json", body_format::json},
    known_type{"application/x-ndjson", body_format::ndjson},
    known_type{"application/vnd.cairn.records+json", body_format::records},
    known_type{"text/plain", body_format::text},
    known_type{"application/octet-stream", body_format::bytes},
};

constexpr std::string_view k_understood =
    "understood are application/json, application/x-ndjson, application/vnd.cairn.records+json, "
    "text/plain and application/octet-stream";

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

content_class refuse(std::string detail) {
  return {std::nullopt, std::move(detail), false};
}

// One `; name=value` of RFC 9110 section 5.6.6, taken off the front of `rest`. False when there is
// none.
bool take_parameter(std::string_view& rest, std::string_view& name, std::string& value) {
  rest = trim(rest);
  if (!rest.starts_with(';')) return false;
  rest = trim(rest.substr(1));
  const auto equals = rest.find_first_of("=;\" \t");
  if (equals == 0 || equals == std::string_view::npos || rest[equals] != '=') return false;
  name = rest.substr(0, equals);
  rest.remove_prefix(equals + 1);
  value.clear();
  if (!rest.starts_with('"')) {
    const auto size = std::min(rest.find_first_of("; \t\"="), rest.size());
    value = rest.substr(0, size);
    rest.remove_prefix(size);
    return size != 0;
  }
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      rest.remove_prefix(i + 1);
      return true;
    }
    if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
    value += rest[i];
  }
  return false;
}

content_class apply_charset(content_class found, std::string_view parameters) {
  bool seen = false;
  std::string_view name;
  std::string value;
  while (!trim(parameters).empty()) {
    if (!take_parameter(parameters, name, value)) {
      return refuse(fmt::format("the content type has a malformed parameter: \"{}\"", parameters));
    }
    if (!same_but_for_case(name, "charset") || found.format == body_format::bytes) continue;
    if (seen) return refuse("the content type has two charsets");
    seen = true;
    found.must_be_ascii = same_but_for_case(value, "us-ascii");
    if (!same_but_for_case(value, "utf-8") && !found.must_be_ascii) {
      return refuse(fmt::format("charset \"{}\"; understood are utf-8 and us-ascii", value));
    }
  }
  return found;
}

}  // namespace

content_class classify_content_type(std::string_view content_type) {
  const auto sent = trim(content_type);
  if (sent.empty()) return refuse(fmt::format("no Content-Type; {}", k_understood));
  if (sent.size() > k_content_type_bytes_max) {
    return refuse(
        fmt::format("Content-Type of {} bytes, limit {}", sent.size(), k_content_type_bytes_max));
  }
  const auto semicolon = sent.find(';');
  const auto name = trim(sent.substr(0, semicolon));
  const auto known =
      std::find_if(k_known_types.begin(), k_known_types.end(),
                   [&](const known_type& type) { return same_but_for_case(type.name, name); });
  if (known == k_known_types.end()) {
    return refuse(fmt::format("Content-Type \"{}\"; {}", name, k_understood));
  }
  const auto parameters =
      semicolon == std::string_view::npos ? std::string_view() : sent.substr(semicolon);
  return apply_charset({known->format, {}, false}, parameters);
}

}  // namespace cairn::net
