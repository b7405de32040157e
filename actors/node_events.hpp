#pragma once
// What has happened on this node that an operator would want to know: elections, members, rolls,
// faults, back-pressure. One ring a node; actors add, the console and /v1/events read.

#include "storage/base/ids.hpp"
#include "storage/env.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cairn::actors {

enum class event_kind : std::uint8_t {
  node,          ///< started, ending, ready or not
  election,      ///< somebody stands for election, or a term has ended
  leader,        ///< who leads has changed
  membership,    ///< the configuration has changed
  reachability,  ///< alive, suspect, failed, left
  link,          ///< to another node, up or down
  segment,       ///< rolled, trimmed
  backpressure,  ///< appends are refused because a queue is full, or are taken again
  disk,          ///< full, or has room again
  fault,         ///< something broke: fenced, corruption, an actor restarted
  recorder,      ///< what it holds was fetched
};
[[nodiscard]] std::string_view to_string(event_kind kind);

enum class event_severity : std::uint8_t { info, warning, error };
[[nodiscard]] std::string_view to_string(event_severity severity);

struct node_event {
  std::uint64_t id = 0;  ///< ascending by one, from 1
  unix_ms time_ms = 0;
  event_kind kind = event_kind::node;
  event_severity severity = event_severity::info;
  std::string source;  ///< kind and name of the actor: "raft default"
  std::string text;    ///< one sentence
  std::vector<std::pair<std::string, std::string>> fields;
};

/// Thread-safe. Memory: at most `events_max` events of at most k_event_bytes_max each. What makes
/// room for a new event is the oldest one of the kind that has the most: a link that comes and goes
/// all day pushes out what it has said itself, not last night's election.
class node_events {
public:
  static constexpr std::size_t k_events_max = 1'024;
  static constexpr std::size_t k_event_bytes_max = 1'024;
  static constexpr std::size_t k_listeners_max = 128;

  struct page {
    std::vector<node_event> events;  ///< ascending
    std::uint64_t next = 0;          ///< ask on after this one
    std::uint64_t lost = 0;          ///< so many between `after` and the last of these are gone
  };

  /// `clock` outlives this. `boot` tells this run of the node from others.
  node_events(storage::env& clock, std::uint64_t boot, std::size_t events_max = k_events_max);

  /// Keeps an event; another one goes when there are `events_max` already. Text and fields beyond
  /// k_event_bytes_max are cut.
  void add(event_kind kind, event_severity severity, std::string source, std::string text,
           std::vector<std::pair<std::string, std::string>> fields = {});

  /// At most `limit` events with an id above `after`, oldest first.
  [[nodiscard]] page after(std::uint64_t after, std::size_t limit) const;
  /// Of the newest event; 0: there was none.
  [[nodiscard]] std::uint64_t last_id() const;
  [[nodiscard]] std::uint64_t boot() const { return boot_; }
  /// How many there were of a kind and severity, also those that are gone from the ring.
  [[nodiscard]] std::uint64_t count(event_kind kind, event_severity severity) const;

  /// `wake` is called after each add(), on the thread that adds, without a lock of ours but one
  /// that makes unlisten() wait for it: it must be quick, and must not call anything of this. 0:
  /// there are k_listeners_max already.
  [[nodiscard]] std::uint64_t listen(std::function<void()> wake);
  /// `wake` is not called any more once this returns.
  void unlisten(std::uint64_t listener);

private:
  void make_room();

  storage::env* clock_;
  const std::uint64_t boot_;
  const std::size_t events_max_;
  mutable std::mutex mutex_;
  std::deque<node_event> events_;              // guarded by mutex_; ids ascend
  std::map<event_kind, std::size_t> by_kind_;  // guarded by mutex_
  std::uint64_t last_id_ = 0;                  // guarded by mutex_
  std::map<std::pair<event_kind, event_severity>, std::uint64_t> counts_;  // guarded by mutex_
  std::mutex listeners_mutex_;
  std::map<std::uint64_t, std::function<void()>> listeners_;  // guarded by listeners_mutex_
  std::uint64_t last_listener_ = 0;                           // guarded by listeners_mutex_
};

/// What actors hold: null in tests that do not look.
using node_events_ptr = std::shared_ptr<node_events>;

}  // namespace cairn::actors
