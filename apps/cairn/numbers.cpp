#include "apps/cairn/numbers.hpp"

#include "apps/cairn/context.hpp"

#include <charconv>
#include <fmt/format.h>
#include <optional>
#include <string_view>

namespace cairn::cli {

namespace {

// Beyond it a bound is there for arithmetic, and nobody wants to read it.
constexpr std::uint64_t k_highest_told = std::uint64_t{1} << 40U;

bool are_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// "1,234,567" without its separators; nothing when they stand anywhere else.
std::optional<std::string> digits_of(std::string_view text) {
  constexpr std::size_t k_group = 3;
  auto comma = text.find(',');
  std::string digits(text.substr(0, comma));
  if (!are_digits(digits) || (comma != std::string_view::npos && digits.size() > k_group)) {
    return std::nullopt;
  }
  while (comma != std::string_view::npos) {
    text.remove_prefix(comma + 1);
    comma = text.find(',');
    const auto group = text.substr(0, comma);
    if (group.size() != k_group || !are_digits(group)) return std::nullopt;
    digits += group;
  }
  return digits;
}

template <class Number>
std::optional<Number> parse(std::string_view text) {
  Number number{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

CLI::Validator whole_number(std::uint64_t lowest, std::uint64_t highest) {
  const bool bounded = highest <= k_highest_told;
  return CLI::Validator(
      [=](std::string& word) -> std::string {
        const auto digits = digits_of(word);
        const auto number = digits ? parse<std::uint64_t>(*digits) : std::nullopt;
        if (number && *number >= lowest && *number <= highest) {
          word = *digits;
          return {};
        }
        return fmt::format("'{}' is no whole number from {}{}", word, lowest,
                           bounded ? " to " + with_commas(highest) : " on");
      },
      bounded ? fmt::format("[{} - {}]", lowest, highest) : "");
}

CLI::Validator decimal_number(double lowest, double highest) {
  return CLI::Validator(
      [=](std::string& word) -> std::string {
        const auto number = parse<double>(word);
        if (number && *number >= lowest && *number <= highest) return {};
        return fmt::format("'{}' is no number from {} to {}", word, lowest, highest);
      },
      fmt::format("[{} - {}]", lowest, highest));
}

}  // namespace cairn::cli
