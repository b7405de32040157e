#include "apps/console/screen.hpp"

#include "storage/base/check.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <langinfo.h>
#include <optional>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>

namespace cairn::console {

namespace {

constexpr std::size_t k_columns_min = 40;
constexpr std::size_t k_columns_max = 1000;
/// A column that may shrink keeps so many.
constexpr std::size_t k_shrunk_columns_min = 6;
constexpr std::string_view k_gap = "  ";

std::string_view escape_of(tint colour) {
  switch (colour) {
    case tint::plain:
      return "";
    case tint::bold:
      return "\033[1m";
    case tint::dim:
      return "\033[2m";
    case tint::red:
      return "\033[31m";
    case tint::green:
      return "\033[32m";
    case tint::yellow:
      return "\033[33m";
    case tint::blue:
      return "\033[34m";
    case tint::cyan:
      return "\033[36m";
  }
  return "";
}

std::optional<std::size_t> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  std::size_t number = 0;
  const char* end = text + std::strlen(text);
  const auto [rest, failure] = std::from_chars(text, end, number);
  if (failure != std::errc{} || rest != end || number == 0) return std::nullopt;
  return number;
}

bool set_and_not_empty(const char* variable) {
  const char* text = std::getenv(variable);
  return text != nullptr && *text != '\0';
}

}  // namespace

std::size_t utf8_sequence_bytes(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  std::size_t size = 0;
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) size = 2;
  if (first >= 0xe0 && first < 0xf0) size = 3;
  if (first >= 0xf0 && first < 0xf5) size = 4;
  if (size == 0 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and beyond the last character.
  if (first == 0xe0 && byte(1) < 0xa0) return 0;
  if (first == 0xed && byte(1) >= 0xa0) return 0;
  if (first == 0xf0 && byte(1) < 0x90) return 0;
  if (first == 0xf4 && byte(1) >= 0x90) return 0;
  return size;
}

std::string screen::paint(tint colour_of, std::string_view text) const {
  if (!colour || colour_of == tint::plain || text.empty()) return std::string(text);
  return fmt::format("{}{}\033[0m", escape_of(colour_of), text);
}

screen screen_of(int descriptor) {
  screen on;
  on.terminal = ::isatty(descriptor) == 1;
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  on.colour = on.terminal && !dumb && !set_and_not_empty("NO_COLOR");
  on.utf8 = std::string_view(::nl_langinfo(CODESET)) == "UTF-8";
  winsize window{};
  if (on.terminal && ::ioctl(descriptor, TIOCGWINSZ, &window) == 0 && window.ws_col > 0) {
    on.columns = window.ws_col;
    if (window.ws_row > 0) on.rows = window.ws_row;
  } else if (const auto columns = number_in("COLUMNS")) {
    on.columns = *columns;
  } else if (on.terminal) {
    on.columns = 80;
  }
  if (on.columns != 0) on.columns = std::clamp(on.columns, k_columns_min, k_columns_max);
  return on;
}

std::string printable(std::string_view bytes, bool utf8) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const auto size = utf8_sequence_bytes(bytes);
    // Terminals obey both sets of control characters.
    const bool control = (size == 1 && (bytes[0] < ' ' || bytes[0] == '\x7f')) ||
                         (size == 2 && bytes[0] == '\xc2' && bytes[1] < '\xa0');
    if (size == 0 || control || (size > 1 && !utf8)) {
      text.push_back(bytes[0] == '\t' || bytes[0] == '\n' ? ' ' : '?');
    } else {
      text.append(bytes.substr(0, size));
    }
    bytes.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return text;
}

std::size_t width_of(std::string_view text) {
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\033') {
      i = std::min(text.find('m', i), text.size() - 1);
    } else if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) {
      ++columns;
    }
  }
  return columns;
}

std::string cut(std::string_view text, std::size_t columns, bool utf8) {
  if (width_of(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::string kept;
  for (std::size_t width = 0; !text.empty() && width + 1 < columns; ++width) {
    const auto size = std::max<std::size_t>(utf8_sequence_bytes(text), 1);
    kept.append(text.substr(0, size));
    text.remove_prefix(size);
  }
  return kept + (utf8 ? "\u2026" : "~");
}

std::string wrapped(std::string_view text, std::size_t columns, std::size_t indent,
                    std::size_t used) {
  if (columns <= indent + 10) return std::string(text);
  std::string whole;
  std::size_t width = used;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    const auto word = text.substr(0, end);
    const auto word_width = width_of(word);
    const bool first = whole.empty();
    if (!first && width + 1 + word_width > columns) {
      whole += "\n" + std::string(indent, ' ');
      width = indent;
    } else if (!first) {
      whole += ' ';
      ++width;
    }
    whole += word;
    width += word_width;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return whole;
}

std::string bar(double part, double whole, std::size_t columns, bool utf8) {
  if (part <= 0 || columns == 0) return {};
  const double share = whole <= 0 ? 1 : std::min(part / whole, 1.0);
  // In eighths of a column where there are characters for them.
  const auto eighths = std::max<std::size_t>(
      1, static_cast<std::size_t>(std::lround(share * static_cast<double>(columns) * 8)));
  std::string text;
  if (!utf8) return std::string(std::max<std::size_t>((eighths + 4) / 8, 1), '#');
  for (std::size_t i = 0; i < eighths / 8; ++i)
    text += "\u2588";
  constexpr const char* k_parts[] = {"",       "\u258f", "\u258e", "\u258d",
                                     "\u258c", "\u258b", "\u258a", "\u2589"};
  return text + k_parts[eighths % 8];
}

void table::add(std::vector<cell> row) {
  CAIRN_CHECK(row.size() == columns_.size(), "{} cells for {} columns", row.size(),
              columns_.size());
  rows_.push_back(std::move(row));
}

std::vector<std::size_t> table::widths(const screen& on) const {
  std::vector<std::size_t> widths;
  std::size_t total = 0;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = width_of(columns_[i].title);
    for (const auto& row : rows_)
      width = std::max(width, width_of(row[i].text));
    widths.push_back(width);
    total += width + (i == 0 ? 0 : k_gap.size());
  }
  if (on.columns == 0) return widths;
  // The widest of those that may shrink gives a column, until all fit.
  while (total > on.columns) {
    std::size_t widest = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (!columns_[i].may_shrink || widths[i] <= k_shrunk_columns_min) continue;
      if (widest == columns_.size() || widths[i] > widths[widest]) widest = i;
    }
    if (widest == columns_.size()) break;
    --widths[widest];
    --total;
  }
  return widths;
}

std::string table::text(const screen& on) const {
  const auto widths = this->widths(on);
  std::string whole;
  const auto add_line = [&](const auto& text_at, const auto& colour_at) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const auto text = cut(text_at(i), widths[i], on.utf8);
      const std::string blanks(widths[i] - width_of(text), ' ');
      const bool right = columns_[i].side == align::right;
      if (i > 0) line += k_gap;
      if (right) line += blanks;
      line += on.paint(colour_at(i), text);
      if (!right && i + 1 < columns_.size()) line += blanks;
    }
    while (!line.empty() && line.back() == ' ')
      line.pop_back();
    whole += line + "\n";
  };
  add_line([&](std::size_t i) { return columns_[i].title; },
           [](std::size_t) { return tint::bold; });
  for (const auto& row : rows_) {
    add_line([&](std::size_t i) { return row[i].text; },
             [&](std::size_t i) { return row[i].colour; });
  }
  return whole;
}

}  // namespace cairn::console
