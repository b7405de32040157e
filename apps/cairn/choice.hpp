#pragma once
// An option whose value is one of a few words.

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <map>
#include <string>
#include <type_traits>

namespace cairn::cli {

/// Turns a word into the number of its enum value; refuses any other word by naming it and those
/// that are known. (CLI11's own CheckedTransformer cannot print enum classes and names half of its
/// map.)
template <class Enum>
[[nodiscard]] CLI::Validator choice_of(std::map<std::string, Enum> values) {
  return CLI::Validator(
      [values = std::move(values)](std::string& word) -> std::string {
        const auto found = values.find(word);
        if (found != values.end()) {
          word = std::to_string(static_cast<std::underlying_type_t<Enum>>(found->second));
          return {};
        }
        std::string known;
        for (const auto& [name, value] : values)
          known += (known.empty() ? "" : ", ") + name;
        return fmt::format("'{}' is not one of {}", word, known);
      },
      "");
}

}  // namespace cairn::cli
