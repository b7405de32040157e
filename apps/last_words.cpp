#include "apps/last_words.hpp"

#include "actors/actor_journal.hpp"
#include "storage/base/check.hpp"

#include <chrono>
#include <csignal>
#include <ctime>
#include <fmt/format.h>

namespace cairn::apps {

namespace {

constexpr std::string_view k_changed =
    "SIGBUS: a file that is mapped into memory was cut short, or the disk could not read it. Does "
    "another program change the data directory? Does dmesg tell of the disk? What was acknowledged "
    "is not touched by this; the next start recovers.";
constexpr std::string_view k_ours =
    "which is a bug of this program. Please report this line, with the core file if there is one. "
    "What was acknowledged is not touched by this; the next start recovers.";

/// Decimal digits, with zeros in front.
void put(char* at, int digits, unsigned value) noexcept {
  for (int i = digits - 1; i >= 0; --i) {
    at[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

/// Over a time as actors::utc_text() writes it: "2026-01-31T12:00:00.000Z".
void put_now(char* at) noexcept {
  using namespace std::chrono;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const sys_seconds time{seconds(now.tv_sec)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  put(at, 4, static_cast<unsigned>(static_cast<int>(date.year())));
  put(at + 5, 2, static_cast<unsigned>(date.month()));
  put(at + 8, 2, static_cast<unsigned>(date.day()));
  put(at + 11, 2, static_cast<unsigned>(clock.hours().count()));
  put(at + 14, 2, static_cast<unsigned>(clock.minutes().count()));
  put(at + 17, 2, static_cast<unsigned>(clock.seconds().count()));
  put(at + 20, 3, static_cast<unsigned>(now.tv_nsec / 1'000'000));
}

}  // namespace

last_words::last_words(log_format format, std::string_view node_id) {
  const std::array<std::pair<int, std::string>, 4> all{{
      {SIGBUS, std::string(k_changed)},
      {SIGSEGV, fmt::format("SIGSEGV, {}", k_ours)},
      {SIGFPE, fmt::format("SIGFPE, {}", k_ours)},
      {SIGILL, fmt::format("SIGILL, {}", k_ours)},
  }};
  const auto placeholder = actors::utc_text(0);
  for (std::size_t i = 0; i < all.size(); ++i) {
    log_record told;
    told.level = log_level::critical;
    told.message = "ended by " + all.at(i).second;
    line& made = lines_.at(i);
    made.signal_number = all.at(i).first;
    made.text = formatted(format, told, node_id, 0) + "\n";
    made.time_at = made.text.find(placeholder);
    CAIRN_CHECK(made.time_at != std::string::npos, "no time in {}", made.text);
  }
}

std::string_view last_words::of(int signal_number) noexcept {
  for (line& one : lines_) {
    if (one.signal_number != signal_number) continue;
    put_now(one.text.data() + one.time_at);
    return one.text;
  }
  return {};
}

}  // namespace cairn::apps
