#pragma once
// What the console writes on: how wide it is, whether it has colours and line drawing, and texts
// that fit it. Pure but for screen_of().

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::console {

enum class tint : std::uint8_t { plain, bold, dim, red, green, yellow, blue, cyan };

struct screen {
  bool terminal = false;  ///< somebody looks, now
  bool colour = false;
  bool utf8 = false;
  std::size_t columns = 0;  ///< 0: as many as it takes (a file, a pipe)
  std::size_t rows = 24;

  /// `text` between the escapes of a colour, or as it is where there are none.
  [[nodiscard]] std::string paint(tint colour, std::string_view text) const;
  /// For bars: `columns`, or 80 where there is no limit.
  [[nodiscard]] std::size_t bar_columns() const { return columns == 0 ? 80 : columns; }
};

/// Of a descriptor: its window, or COLUMNS; NO_COLOR and TERM=dumb; the locale's character set.
[[nodiscard]] screen screen_of(int descriptor);

/// How many bytes the UTF-8 sequence at the beginning of `text` has; 0: it is none. Not empty.
[[nodiscard]] std::size_t utf8_sequence_bytes(std::string_view text);

/// Bytes from outside for a terminal: control characters and what is no UTF-8 become '?', on a
/// screen without UTF-8 all that is no ASCII.
[[nodiscard]] std::string printable(std::string_view bytes, bool utf8);

/// In columns: escapes count nothing, a character one.
[[nodiscard]] std::size_t width_of(std::string_view text);

/// The beginning of it, with a mark at the end when some is missing. No escapes in it.
[[nodiscard]] std::string cut(std::string_view text, std::size_t columns, bool utf8);

/// Broken at blanks; lines after the first begin with `indent` blanks, before the first one `used`
/// columns are taken. columns 0: one line.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t columns, std::size_t indent,
                                  std::size_t used = 0);

/// `part` of `whole` as a bar of `columns`, at least a mark when part is not 0.
[[nodiscard]] std::string bar(double part, double whole, std::size_t columns, bool utf8);

/// Columns of texts, as wide as they must be; columns that may shrink do so where the screen ends.
class table {
public:
  enum class align : std::uint8_t { left, right };
  struct column {
    std::string title;
    align side = align::left;
    bool may_shrink = false;
  };
  struct cell {
    cell(std::string text_, tint colour_ = tint::plain)  // NOLINT(*-explicit-*)
        : text(std::move(text_)), colour(colour_) {}
    cell(const char* text_) : text(text_) {}  // NOLINT(*-explicit-*)
    std::string text;
    tint colour = tint::plain;
  };

  explicit table(std::vector<column> columns) : columns_(std::move(columns)) {}
  /// As many cells as there are columns.
  void add(std::vector<cell> row);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  /// The titles and a line a row, each with its end.
  [[nodiscard]] std::string text(const screen& on) const;

private:
  [[nodiscard]] std::vector<std::size_t> widths(const screen& on) const;

  std::vector<column> columns_;
  std::vector<std::vector<cell>> rows_;
};

}  // namespace cairn::console
