#pragma once
// What an actor remembers about itself for people: how much it has done and the last few things
// that happened.

#include "actors/messages.hpp"
#include "storage/env.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::actors {

/// Owner: its actor. Allocates nothing until the first event.
class actor_journal {
public:
  /// `clock` stamps the events and outlives the journal.
  actor_journal(storage::env& clock, std::string kind, std::string name, std::uint64_t parent,
                std::uint64_t restarts = 0);

  /// Counts a message that is being handled.
  void count() { ++processed_; }

  /// Keeps a line, newest last, with the time; the oldest goes when there are `k_events_max`.
  void note(std::string_view event);

  /// Fills a report; `state` is one line.
  [[nodiscard]] actor_report report(std::uint64_t id, std::uint64_t mailbox,
                                    std::string state) const;

  [[nodiscard]] std::uint64_t processed() const { return processed_; }
  [[nodiscard]] std::uint64_t restarts() const { return restarts_; }

  static constexpr std::size_t k_events_max = 16;

private:
  storage::env* clock_;
  std::string kind_;
  std::string name_;
  std::uint64_t parent_;
  std::uint64_t restarts_;
  std::uint64_t processed_ = 0;
  std::vector<std::string> events_;  // oldest first
};

/// `2026-01-31T12:00:00.123Z`.
[[nodiscard]] std::string utc_text(unix_ms time_ms);

}  // namespace cairn::actors
