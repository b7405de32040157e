#include "net/http/rfc3339.hpp"

#include "net/http/query.hpp"

#include <chrono>
#include <limits>

namespace cairn::net {

namespace {

/// `count` digits at `at`; nothing if they are not all there.
std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(at, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

bool has(std::string_view text, std::size_t at, std::string_view any_of) {
  return at < text.size() && any_of.find(text[at]) != std::string_view::npos;
}

/// Minutes east of UTC of "Z" or "+hh:mm".
std::optional<int> parse_zone(std::string_view zone) {
  if (zone == "Z" || zone == "z") return 0;
  if (zone.size() != 6 || !has(zone, 0, "+-") || zone[3] != ':') return std::nullopt;
  const auto hours = digits(zone, 1, 2);
  const auto minutes = digits(zone, 4, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return (zone[0] == '-' ? -1 : 1) * (*hours * 60 + *minutes);
}

}  // namespace

std::optional<unix_ms> parse_time(std::string_view text) {
  if (const auto plain = parse_exact_u64(text)) {
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<unix_ms>::max());
    return *plain <= most ? std::optional(static_cast<unix_ms>(*plain)) : std::nullopt;
  }
  const auto year = digits(text, 0, 4);
  const auto month = digits(text, 5, 2);
  const auto day = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2);
  const auto minute = digits(text, 14, 2);
  const auto second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || !has(text, 10, "Tt ") || text[13] != ':' ||
      text[16] != ':') {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  // 60 is a leap second, which Unix time counts as the next one.
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  std::size_t at = 19;
  unix_ms fraction_ms = 0;
  if (has(text, at, ".")) {
    unix_ms weight = 100;
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
      fraction_ms += (text[at] - '0') * weight;
      weight /= 10;
    }
    if (at == first) return std::nullopt;
  }
  const auto zone = parse_zone(text.substr(at));
  if (!zone) return std::nullopt;
  const auto days_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                           std::chrono::sys_days(date).time_since_epoch())
                           .count();
  const unix_ms minutes = *hour * 60 + *minute - *zone;
  return days_ms + minutes * 60'000 + *second * 1'000 + fraction_ms;
}

}  // namespace cairn::net
