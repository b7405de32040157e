#pragma once
// Numbers as people read them. Pure.

#include "storage/base/ids.hpp"

#include <cstdint>
#include <string>

namespace cairn::console {

/// 1300000 -> "1.2 MiB".
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
/// 12345678 -> "12,345,678".
[[nodiscard]] std::string count_text(std::uint64_t count);
/// "1 record", "2 records".
[[nodiscard]] std::string count_of(std::uint64_t count, const std::string& noun);
/// "850 ms", "1.2 s", "47 s", "3 min", "2 h 5 min", "3 d 4 h".
[[nodiscard]] std::string duration_text(std::uint64_t ms);
/// "640 ns", "12.3 us", "1.24 ms", "2.1 s".
[[nodiscard]] std::string short_time_text(std::uint64_t ns);
/// "3 min ago"; "in 3 min" for what is to come (clocks differ); "-" for 0, which means never.
[[nodiscard]] std::string age_text(std::int64_t time_ms, std::int64_t now_ms);
/// "2026-11-23 07:01:02 UTC"; "-" for 0.
[[nodiscard]] std::string time_text(std::int64_t time_ms);
/// "07:01:02.123".
[[nodiscard]] std::string clock_text(std::int64_t time_ms);
/// "2026-11-23 07:01:02 UTC (3 min ago)".
[[nodiscard]] std::string time_and_age(std::int64_t time_ms, std::int64_t now_ms);

}  // namespace cairn::console
