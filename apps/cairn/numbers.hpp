#pragma once
// Options whose value is a number within bounds. (CLI11's own CLI::Range writes a bound of 310
// digits out, and takes no number as this program prints it.)

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <string>

namespace cairn::cli {

/// For CLI::Option::transform(): takes 1234567 and 1,234,567, refuses anything else by naming it.
/// Without `highest` there is no bound that people would meet.
[[nodiscard]] CLI::Validator whole_number(
    std::uint64_t lowest, std::uint64_t highest = std::numeric_limits<std::uint64_t>::max());

/// For CLI::Option::check(): a number such as 0.25.
[[nodiscard]] CLI::Validator decimal_number(double lowest, double highest);

}  // namespace cairn::cli
