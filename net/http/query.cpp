#include "net/http/query.hpp"

#include "net/http/target.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace cairn::net {

std::optional<std::uint64_t> parse_exact_u64(std::string_view text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, failed] = std::from_chars(text.data(), end, value);
  if (failed != std::errc{} || stopped != end || text.empty()) return std::nullopt;
  return value;
}

std::optional<problem> query_reader::parse(std::string_view query) {
  count_ = 0;
  decoded_.clear();
  // Views into `decoded_` must not move: decoding never makes text longer.
  if (query.find('%') != std::string_view::npos) decoded_.reserve(query.size());
  const auto decode = [&](std::string_view text) -> std::optional<std::string_view> {
    if (text.find('%') == std::string_view::npos) return text;
    const std::size_t first = decoded_.size();
    if (!percent_decode(text, decoded_)) return std::nullopt;
    const std::string_view plain = std::string_view(decoded_).substr(first);
    if (!is_utf8(plain) || plain.find('\0') != std::string_view::npos) return std::nullopt;
    return plain;
  };
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    const auto name = decode(pair.substr(0, equals));
    const auto value = decode(pair.substr(std::min(equals + 1, pair.size())));
    if (!name || !value) {
      return bad_argument(
          fmt::format("query parameter '{}' is not percent-encoded UTF-8", pair.substr(0, equals)));
    }
    if (count_ == k_parameters_max) {
      return bad_argument(fmt::format("more than {} query parameters", k_parameters_max));
    }
    for (std::size_t i = 0; i < count_; ++i) {
      if (parameters_[i].name == *name) {
        return bad_argument(fmt::format("query parameter '{}' is given twice", *name));
      }
    }
    parameters_[count_++] = {*name, *value, false};
  }
  return std::nullopt;
}

std::optional<std::string_view> query_reader::take(std::string_view name) {
  for (std::size_t i = 0; i < count_; ++i) {
    if (parameters_[i].name != name) continue;
    parameters_[i].taken = true;
    return parameters_[i].value;
  }
  return std::nullopt;
}

std::optional<problem> query_reader::take_number(std::string_view name, std::uint64_t low,
                                                 std::uint64_t high, std::uint64_t& out) {
  const auto text = take(name);
  if (!text) return std::nullopt;
  const auto value = parse_exact_u64(*text);
  if (!value || *value < low || *value > high) {
    return bad_argument(fmt::format(
        "query parameter '{}' is '{}', not a whole number from {} to {}", name, *text, low, high));
  }
  out = *value;
  return std::nullopt;
}

std::optional<problem> query_reader::refuse_unknown() const {
  for (std::size_t i = 0; i < count_; ++i) {
    if (!parameters_[i].taken) {
      return bad_argument(fmt::format("unknown query parameter '{}'", parameters_[i].name));
    }
  }
  return std::nullopt;
}

}  // namespace cairn::net
