#include "apps/log_format.hpp"

#include "actors/actor_journal.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <utility>
#include <vector>

namespace cairn::apps {

namespace {

constexpr char k_field = '\x1e';  // begins a field: b or q (bare, quoted), key, k_value, value
constexpr char k_value = '\x1f';

/// Length of the UTF-8 sequence at the start of `text`, 0 if there is none.
std::size_t utf8_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t length = lead < 0x80             ? 1
                             : (lead & 0xe0) == 0xc0 ? 2
                             : (lead & 0xf0) == 0xe0 ? 3
                             : (lead & 0xf8) == 0xf0 ? 4
                                                     : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
  }
  return length;
}

/// As JSON escapes it, without quotes around it; `quotes`: those within, too.
void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto length = utf8_length(text.substr(i));
    if (length == 0) {
      out += "\\ufffd";
      ++i;
    } else if (quotes && (c == '"' || c == '\\')) {
      out += '\\';
      out += text[i++];
    } else if (c < 0x20 || c == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
      ++i;
    } else {
      out += text.substr(i, length);
      i += length;
    }
  }
}

/// A word needs no quotes in key=value.
bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
  });
}

std::string time_text(unix_ms time_ms) {
  return actors::utc_text(time_ms);
}

template <class Enum>
std::string names_of(std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) out += i + 1 == count ? " or " : ", ";
    out += to_string(static_cast<Enum>(i));
  }
  return out;
}

error bad_level(std::string_view word, const std::string& expected) {
  return {errc::invalid_argument, fmt::format("'{}' is none of {}", word, expected)};
}

}  // namespace

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  append_escaped(out, text, true);
  return out + "\"";
}

std::string text_line(const log_record& line, std::string_view node_id, unix_ms time_ms) {
  std::string out = fmt::format("{} {} {} {}: ", time_text(time_ms), to_string(line.level), node_id,
                                to_string(line.component));
  append_escaped(out, line.message, false);
  for (const auto& field : line.fields) {
    out += ' ';
    out += field.key;
    out += '=';
    out += is_word(field.value) ? field.value : json_quoted(field.value);
  }
  return out;
}

std::string json_line(const log_record& line, std::string_view node_id, unix_ms time_ms) {
  std::string out =
      fmt::format(R"({{"time":"{}","level":"{}","node":{},"component":"{}","message":{})",
                  time_text(time_ms), to_string(line.level), json_quoted(node_id),
                  to_string(line.component), json_quoted(line.message));
  for (const auto& field : line.fields) {
    out +=
        fmt::format(",\"{}\":{}", field.key, field.bare ? field.value : json_quoted(field.value));
  }
  return out + "}";
}

std::string formatted(log_format format, const log_record& line, std::string_view node_id,
                      unix_ms time_ms) {
  return format == log_format::json ? json_line(line, node_id, time_ms)
                                    : text_line(line, node_id, time_ms);
}

std::string packed(const log_record& line) {
  std::string out;
  const auto put = [&out](std::string_view text) {
    for (const char c : text)
      out += c == k_field || c == k_value ? '?' : c;
  };
  put(line.message);
  for (const auto& field : line.fields) {
    out += k_field;
    out += field.bare ? 'b' : 'q';
    put(field.key);
    out += k_value;
    put(field.value);
  }
  return out;
}

log_record unpacked(std::string_view text) {
  log_record out;
  auto end = std::min(text.find(k_field), text.size());
  out.message = text.substr(0, end);
  while (end < text.size()) {
    const auto begin = end + 1;
    end = std::min(text.find(k_field, begin), text.size());
    const auto field = text.substr(begin, end - begin);
    const auto value = field.find(k_value);
    if (field.empty() || value == std::string_view::npos) continue;
    out.fields.push_back(
        {field.substr(1, value - 1), std::string(field.substr(value + 1)), field.front() == 'b'});
  }
  return out;
}

std::string component_names() {
  return names_of<log_component>(k_log_components);
}
std::string level_names() {
  return names_of<log_level>(k_log_levels);
}

result<log_levels> parse_log_levels(std::string_view text) {
  log_level all = log_level::info;
  bool has_all = false;
  std::vector<std::pair<log_component, log_level>> single;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    const auto word = text.substr(begin, end - begin);
    begin = end + 1;
    const auto equals = word.find('=');
    const auto name = equals == std::string_view::npos ? word : word.substr(equals + 1);
    const auto level = log_level_of(name);
    if (!level) return bad_level(name, level_names());
    if (equals == std::string_view::npos) {
      if (std::exchange(has_all, true)) {
        return error{errc::invalid_argument,
                     fmt::format("'{}' is a second level for all components", word)};
      }
      all = *level;
      continue;
    }
    const auto component = log_component_of(word.substr(0, equals));
    if (!component) return bad_level(word.substr(0, equals), component_names());
    single.emplace_back(*component, *level);
  }
  log_levels out;
  out.fill(all);
  for (const auto& [component, level] : single)
    out.at(static_cast<std::size_t>(component)) = level;
  return out;
}

}  // namespace cairn::apps
