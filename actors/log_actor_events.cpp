// What a LogActor tells the node's ring of events.

#include "actors/log_actor.hpp"

#include <fmt/format.h>

namespace cairn::actors {
namespace {

std::string with_others(std::string text, std::uint64_t kept_back, const char* what) {
  if (kept_back == 0) return text;
  return fmt::format("{} ({} {} before it since the last event)", text, kept_back, what);
}

}  // namespace

void log_state::tell_rolled(const storage::segment_summary& begun) {
  if (!config_.events) return;
  const auto kept_back = rolls_.admit(store_->env().monotonic_ns());
  if (!kept_back) return;
  const auto& log = store_->config().name;
  config_.events->add(
      event_kind::segment, event_severity::info, "log " + log,
      with_others(fmt::format("a new segment begins at offset {}", begun.base_offset.value()),
                  *kept_back, "more began"),
      {{"what", "rolled"},
       {"log", log},
       {"base_offset", fmt::format("{}", begun.base_offset.value())},
       {"segments", fmt::format("{}", segments_.size())},
       {"kept_back", fmt::format("{}", *kept_back)}});
}

void log_state::tell_trimmed(const log_trimmed& trimmed) {
  if (!config_.events) return;
  const auto kept_back = trims_.admit(store_->env().monotonic_ns());
  if (!kept_back) return;
  const auto& log = store_->config().name;
  config_.events->add(event_kind::segment, event_severity::info, "log " + log,
                      with_others(fmt::format("retention has removed everything below offset {}",
                                              trimmed.lowest.value()),
                                  *kept_back, "more removals"),
                      {{"what", "trimmed"},
                       {"log", log},
                       {"lowest_offset", fmt::format("{}", trimmed.lowest.value())},
                       {"kept_back", fmt::format("{}", *kept_back)}});
}

// A segment ends by itself only when the disk gave back something wrong.
void log_state::tell_restart(record_offset base_offset, std::uint64_t restarts,
                             const caf::error& why) {
  if (!config_.events || (restarts & (restarts - 1)) != 0) return;
  const auto& log = store_->config().name;
  config_.events->add(
      event_kind::fault, event_severity::error, "log " + log,
      fmt::format("a read of the segment at offset {} failed: {}; its actor is started again",
                  base_offset.value(), caf::to_string(why)),
      {{"log", log},
       {"base_offset", fmt::format("{}", base_offset.value())},
       {"restarts", fmt::format("{}", restarts)}});
}

}  // namespace cairn::actors
