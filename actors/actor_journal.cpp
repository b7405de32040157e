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

void actor_journal::note(std::string_view event) {
  if (events_.size() == k_events_max) events_.erase(events_.begin());
  events_.push_back(fmt::format("{} {}", utc_text(clock_->now_ms()), event));
}

actor_report actor_journal::report(std::uint64_t id, std::uint64_t mailbox,
                                   std::string state) const {
  return {.id = id,
          .kind = kind_,
          .name = name_,
          .parent = parent_,
          .state = std::move(state),
          .mailbox = mailbox,
          .processed = processed_,
          .restarts = restarts_,
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
