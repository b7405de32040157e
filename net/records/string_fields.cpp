#include "net/records/string_fields.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>
#include <simdjson.h>

namespace cairn::net {

namespace {

error wrong(std::string detail) {
  return {errc::invalid_argument, std::move(detail)};
}

error broken(simdjson::error_code code) {
  return wrong(fmt::format("the body: not a JSON object: {}", simdjson::error_message(code)));
}

}  // namespace

result<std::vector<std::string>> parse_string_fields(std::string_view body,
                                                     std::span<const std::string_view> names) {
  const simdjson::padded_string text(body);
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  if (const auto code = parser.parse(text).get(document)) return broken(code);
  simdjson::dom::object object;
  if (const auto code = document.get_object().get(object)) return broken(code);
  std::vector<std::optional<std::string>> found(names.size());
  for (const auto field : object) {
    const auto at = std::find(names.begin(), names.end(), field.key);
    if (at == names.end()) {
      return wrong(fmt::format("{}: unknown field; known are {}", field.key.substr(0, 64),
                               fmt::join(names, ", ")));
    }
    auto& value = found[static_cast<std::size_t>(at - names.begin())];
    if (value) return wrong(fmt::format("{}: comes twice", *at));
    std::string_view string;
    if (field.value.get_string().get(string) != simdjson::SUCCESS) {
      return wrong(fmt::format("{}: not a string", *at));
    }
    value.emplace(string);
  }
  std::vector<std::string> values;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!found[i]) return wrong(fmt::format("{}: missing", names[i]));
    values.push_back(*std::move(found[i]));
  }
  return values;
}

}  // namespace cairn::net
