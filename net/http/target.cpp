#include "net/http/target.hpp"

#include "net/http/request.hpp"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>

namespace cairn::net {

namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<problem> bad_segment(std::string_view why) {
  return bad_argument(fmt::format("the path {}", why));
}

/// Decodes one segment; plain ones are left where they are.
std::optional<problem> take_segment(std::string_view text, request_target& out) {
  std::string_view segment = text;
  if (text.find('%') != std::string_view::npos) {
    const std::size_t first = out.decoded.size();
    if (!percent_decode(text, out.decoded)) return bad_segment("has a malformed percent-escape");
    segment = std::string_view(out.decoded).substr(first);
  }
  if (segment == "." || segment == "..") return bad_segment("has a dot segment");
  for (const char c : segment) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return bad_segment("has an escaped control character");
    }
    if (c == '/' || c == '\\') return bad_segment("has an escaped slash");
  }
  if (!is_utf8(segment)) return bad_segment("is not UTF-8");
  out.segments[out.segment_count++] = segment;
  return std::nullopt;
}

/// "/a/b" of "http://host/a/b"; the target itself if it is in origin form already.
std::optional<std::string_view> origin_form(std::string_view target) {
  if (target.starts_with('/')) return target;
  const auto scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) return std::nullopt;
  const std::string_view scheme = target.substr(0, scheme_end);
  if (!iequals(scheme, "http") && !iequals(scheme, "https")) return std::nullopt;
  const std::string_view rest = target.substr(scheme_end + 3);
  const auto path = rest.find_first_of("/?");
  if (path == 0 || rest.empty()) return std::nullopt;
  if (path == std::string_view::npos) return std::string_view("/");
  if (rest[path] == '?') return std::nullopt;
  return rest.substr(path);
}

}  // namespace

bool percent_decode(std::string_view text, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return false;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return false;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return true;
}

bool is_utf8(std::string_view text) {
  std::size_t i = 0;
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
  while (i < text.size()) {
    const unsigned first = byte(i);
    if (first < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = first < 0xc2   ? 0
                               : first < 0xe0 ? 2
                               : first < 0xf0 ? 3
                               : first < 0xf5 ? 4
                                              : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xc0U) != 0x80U) return false;
    }
    const unsigned second = byte(i + 1);
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) {
      return false;
    }
    i += length;
  }
  return true;
}

std::optional<problem> parse_target(std::string_view target, request_target& out) {
  out.segment_count = 0;
  out.trailing_slash = out.too_deep = out.asterisk = false;
  out.query = {};
  out.decoded.clear();
  if (target == "*") {
    out.asterisk = true;
    return std::nullopt;
  }
  const auto origin = origin_form(target);
  if (!origin) return bad_argument("the target is neither a path nor an http URL");
  const auto query_at = origin->find('?');
  std::string_view path =
      origin->substr(1, query_at == std::string_view::npos ? query_at : query_at - 1);
  if (query_at != std::string_view::npos) out.query = origin->substr(query_at + 1);
  // Views into `decoded` must not move: it never needs more than the path has.
  if (path.find('%') != std::string_view::npos) out.decoded.reserve(path.size());
  while (!path.empty()) {
    const auto end = std::min(path.find('/'), path.size());
    if (end == 0) return bad_segment("has an empty segment");
    if (out.segment_count == k_segments_max) {
      out.too_deep = true;
      return std::nullopt;
    }
    if (auto wrong = take_segment(path.substr(0, end), out)) return wrong;
    out.trailing_slash = end + 1 == path.size();
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return std::nullopt;
}

}  // namespace cairn::net
