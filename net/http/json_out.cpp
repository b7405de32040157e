#include "net/http/json_out.hpp"

#include <array>
#include <charconv>

namespace cairn::net {

namespace {

constexpr std::string_view k_replacement = "\xef\xbf\xbd";

/// Length of the UTF-8 sequence at the front of `text`, 0 if it is not one (overlong forms,
/// surrogates and values beyond U+10FFFF are none).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80U) return 1;
  if (first >= 0xc2U && first <= 0xdfU) return tail(1) ? 2 : 0;
  if (first >= 0xe0U && first <= 0xefU) {
    if (!tail(1) || !tail(2)) return 0;
    if (first == 0xe0U && byte(1) < 0xa0U) return 0;
    if (first == 0xedU && byte(1) > 0x9fU) return 0;
    return 3;
  }
  if (first >= 0xf0U && first <= 0xf4U) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (first == 0xf0U && byte(1) < 0x90U) return 0;
    if (first == 0xf4U && byte(1) > 0x8fU) return 0;
    return 4;
  }
  return 0;
}

void append_control(std::string& out, unsigned char c) {
  constexpr std::string_view hex = "0123456789abcdef";
  switch (c) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += hex[c >> 4U];
      out += hex[c & 0xfU];
  }
}

}  // namespace

void append_json_lossy(std::string& out, std::string_view text) {
  out += '"';
  std::size_t plain = 0;  // start of what is copied as it is
  std::size_t i = 0;
  while (i < text.size()) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
      ++i;
      continue;
    }
    const std::size_t length = c < 0x80 ? 1 : utf8_length(text.substr(i));
    if (length > 1) {
      i += length;
      continue;
    }
    out.append(text.substr(plain, i - plain));
    if (length == 0) {
      out += k_replacement;
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else {
      append_control(out, c);
    }
    plain = ++i;
  }
  out.append(text.substr(plain));
  out += '"';
}

void append_number(std::string& out, std::uint64_t value) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

void append_json_key(std::string& out, std::string_view name) {
  if (out.empty() || out.back() != '{') out += ',';
  append_json_lossy(out, name);
  out += ':';
}

}  // namespace cairn::net
