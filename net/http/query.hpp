#pragma once
// The query of a request, read strictly: every parameter is known, stands once and is exact.

#include "net/http/problem.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::net {

/// A number that must be exact: digits only, no sign, fraction or exponent, below 2^64.
[[nodiscard]] std::optional<std::uint64_t> parse_exact_u64(std::string_view text);

/// Parameters by name. Handlers take the ones they know; what is left over is refused.
class query_reader {
public:
  static constexpr std::size_t k_parameters_max = 16;

  query_reader() = default;
  query_reader(const query_reader&) = delete;
  query_reader& operator=(const query_reader&) = delete;

  /// Splits and decodes `query`. 400 naming the parameter for duplicates and malformed escapes.
  [[nodiscard]] std::optional<problem> parse(std::string_view query);

  /// The value, once: the parameter counts as known from then on. Valid as long as this reader.
  [[nodiscard]] std::optional<std::string_view> take(std::string_view name);

  /// Reads a number from `name` into `out`, if it is there. 400 naming the parameter unless it is
  /// exact and within [low, high].
  [[nodiscard]] std::optional<problem> take_number(std::string_view name, std::uint64_t low,
                                                   std::uint64_t high, std::uint64_t& out);

  /// 400 naming a parameter that nobody took; nothing if there is none.
  [[nodiscard]] std::optional<problem> refuse_unknown() const;

private:
  struct parameter {
    std::string_view name;
    std::string_view value;
    bool taken = false;
  };
  std::array<parameter, k_parameters_max> parameters_;
  std::size_t count_ = 0;
  std::string decoded_;
};

}  // namespace cairn::net
