#include "actors/actor_journal.hpp"

#include <ctime>
#include <fmt/format.h>

namespace cairn::actors {

actor_journal::actor_journal(storage::env& clock, std::string kind, std::string name,
                             std::uint64_t parent, std::uint64_t restarts)
    : clock_(&clock),
      kind_(std::move(kind)),
      name_(std::move(name)),
      parent_(parent),
      restarts_(restarts) {}

std::uint64_t thread_cpu_ns() {
  timespec time{};
  if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) != 0) return 0;
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

void actor_journal::note(std::string_view event) {
  if (events_.size() == k_events_max) events_.erase(events_.begin());
  auto line = fmt::format("{} {}", utc_text(clock_->now_ms()), event);
  if (line.size() > k_event_bytes_max) {
    auto size = k_event_bytes_max;
    while (size > 0 && (static_cast<unsigned char>(line[size]) & 0xc0U) == 0x80U)
      --size;  // not within a character
    line.resize(size);
  }
  events_.push_back(std::move(line));
}

actor_report actor_journal::report(std::uint64_t id, std::uint64_t mailbox,
                                   std::string state) const {
  const auto thread_ns = thread_since_ns_ ? thread_cpu_ns() - *thread_since_ns_ : 0;
  return {.id = id,
          .kind = kind_,
          .name = name_,
          .parent = parent_,
          .state = std::move(state),
          .mailbox = mailbox,
          .processed = processed_,
          .restarts = restarts_,
          .busy_ns = busy_ns_ + thread_ns,
          .events = events_};
}

std::string utc_text(unix_ms time_ms) {
  const auto ms = (time_ms % 1000 + 1000) % 1000;
  const std::time_t seconds = (time_ms - ms) / 1000;
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return fmt::format("{} ms", time_ms);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     ms);
}

}  // namespace cairn::actors
