#include "apps/console/human.hpp"

#include <array>
#include <ctime>
#include <fmt/format.h>

namespace cairn::console {

namespace {

std::tm utc_of(std::int64_t time_ms) {
  const std::time_t seconds = static_cast<std::time_t>(time_ms / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return parts;
}

std::string two_units(std::uint64_t number, std::uint64_t per, const char* large,
                      const char* small) {
  if (number % per == 0) return fmt::format("{} {}", number / per, large);
  return fmt::format("{} {} {} {}", number / per, large, number % per, small);
}

}  // namespace

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array k_units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto number = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (number >= 1023.95 && unit + 1 < k_units.size()) {
    number /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", number, unit == 0 ? 0 : 1, k_units[unit]);
}

std::string count_text(std::uint64_t count) {
  auto text = std::to_string(count);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) {
    text.insert(static_cast<std::size_t>(at), ",");
  }
  return text;
}

std::string count_of(std::uint64_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count_text(count), noun, count == 1 ? "" : "s");
}

std::string duration_text(std::uint64_t ms) {
  if (ms < 1000) return fmt::format("{} ms", ms);
  if (ms < 10'000) return fmt::format("{}.{} s", ms / 1000, ms % 1000 / 100);
  const auto seconds = ms / 1000;
  if (seconds < 60) return fmt::format("{} s", seconds);
  const auto minutes = seconds / 60;
  if (minutes < 10) return two_units(seconds, 60, "min", "s");
  if (minutes < 60) return fmt::format("{} min", minutes);
  const auto hours = minutes / 60;
  if (hours < 24) return two_units(minutes, 60, "h", "min");
  return two_units(hours, 24, "d", "h");
}

std::string short_time_text(std::uint64_t ns) {
  const auto number = static_cast<double>(ns);
  if (ns < 1'000) return fmt::format("{} ns", ns);
  if (ns < 1'000'000) return fmt::format("{:.1f} us", number / 1e3);
  if (ns < 1'000'000'000) return fmt::format("{:.2f} ms", number / 1e6);
  return fmt::format("{:.2f} s", number / 1e9);
}

std::string age_text(std::int64_t time_ms, std::int64_t now_ms) {
  if (time_ms == 0) return "-";
  if (time_ms > now_ms) {
    return fmt::format("in {}", duration_text(static_cast<std::uint64_t>(time_ms - now_ms)));
  }
  return fmt::format("{} ago", duration_text(static_cast<std::uint64_t>(now_ms - time_ms)));
}

std::string time_text(std::int64_t time_ms) {
  if (time_ms <= 0) return "-";
  const auto parts = utc_of(time_ms);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string clock_text(std::int64_t time_ms) {
  if (time_ms <= 0) return "-";
  const auto parts = utc_of(time_ms);
  return fmt::format("{:02}:{:02}:{:02}.{:03}", parts.tm_hour, parts.tm_min, parts.tm_sec,
                     time_ms % 1000);
}

std::string time_and_age(std::int64_t time_ms, std::int64_t now_ms) {
  if (time_ms <= 0) return "an unknown time";
  return fmt::format("{} ({})", time_text(time_ms), age_text(time_ms, now_ms));
}

}  // namespace cairn::console
