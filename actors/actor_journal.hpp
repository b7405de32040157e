#pragma once
// What an actor remembers about itself for people: how much it has done and the last few things
// that happened.

#include "actors/messages.hpp"
#include "storage/env.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::actors {

/// Processor time of the calling thread so far.
[[nodiscard]] std::uint64_t thread_cpu_ns();

/// Owner: its actor. Allocates nothing until the first event.
///
/// How busy an actor is, is measured in one of two ways, neither of which costs anything on the way
/// of an append:
/// - actors that handle few messages, or long ones (all but the RaftActor and the gateway's ports):
///   the time from entering a handler to leaving it, two reads of the clock (some 50 ns) a message,
///   with what it waited for the disk. The LogActor gets one message a group of appends;
/// - the RaftActor and the ports handle many short messages on a thread of their own and never
///   wait: the thread's processor time, read when somebody asks.
///
/// Memory of an actor's events: k_events_max lines of k_event_bytes_max, 4 KiB at most.
class actor_journal {
public:
  /// While it lives, the actor is in a handler.
  class busy_scope {
  public:
    explicit busy_scope(actor_journal& journal)
        : journal_(journal), begun_ns_(journal.clock_->monotonic_ns()) {}
    ~busy_scope() { journal_.busy_ns_ += journal_.clock_->monotonic_ns() - begun_ns_; }
    busy_scope(const busy_scope&) = delete;
    busy_scope& operator=(const busy_scope&) = delete;

  private:
    actor_journal& journal_;
    std::uint64_t begun_ns_;
  };

  /// `clock` stamps the events and outlives the journal.
  actor_journal(storage::env& clock, std::string kind, std::string name, std::uint64_t parent,
                std::uint64_t restarts = 0);

  /// Counts a message that is being handled.
  void count() { ++processed_; }
  /// Likewise, and measures how long that takes. Not within another such scope.
  [[nodiscard]] busy_scope enter() {
    ++processed_;
    return busy_scope(*this);
  }
  /// The actor has the calling thread for itself: from now on its processor time counts as busy.
  void own_thread() { thread_since_ns_ = thread_cpu_ns(); }

  /// Keeps a line, newest last, with the time; the oldest goes when there are `k_events_max`. Lines
  /// beyond k_event_bytes_max are cut.
  void note(std::string_view event);

  /// Fills a report; `state` is one line. On the actor's thread.
  [[nodiscard]] actor_report report(std::uint64_t id, std::uint64_t mailbox,
                                    std::string state) const;

  [[nodiscard]] std::uint64_t processed() const { return processed_; }
  [[nodiscard]] std::uint64_t restarts() const { return restarts_; }

  static constexpr std::size_t k_events_max = 16;
  static constexpr std::size_t k_event_bytes_max = 256;

private:
  storage::env* clock_;
  std::string kind_;
  std::string name_;
  std::uint64_t parent_;
  std::uint64_t restarts_;
  std::uint64_t processed_ = 0;
  std::uint64_t busy_ns_ = 0;
  std::optional<std::uint64_t> thread_since_ns_;  // its processor time when the actor got it
  std::vector<std::string> events_;               // oldest first
};

/// `2026-01-31T12:00:00.123Z`.
[[nodiscard]] std::string utc_text(unix_ms time_ms);

}  // namespace cairn::actors
