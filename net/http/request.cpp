#include "net/http/request.hpp"

#include <algorithm>
#include <array>

namespace cairn::net {

namespace {

constexpr std::array<std::string_view, k_method_count> k_method_names{
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "other"};

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

}  // namespace

std::string_view to_string(http_method method) {
  return k_method_names.at(static_cast<std::size_t>(method));
}

http_method parse_method(std::string_view token) {
  for (std::size_t i = 0; i + 1 < k_method_names.size(); ++i) {
    if (k_method_names[i] == token) return static_cast<http_method>(i);
  }
  return http_method::other;
}

bool iequals(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

void request_head::clear() {
  auto kept_fields = std::move(fields);
  auto kept_cairn_fields = std::move(cairn_fields);
  kept_fields.clear();
  kept_cairn_fields.clear();
  *this = request_head{};
  fields = std::move(kept_fields);
  cairn_fields = std::move(kept_cairn_fields);
}

}  // namespace cairn::net
