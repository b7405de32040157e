#pragma once
// What a RaftActor remembers for people: when it last heard of whom, since when who leads, and why
// there were elections; and the events that it makes of that (docs/events.md). The core has no
// clock, so times come in here.

#include "actors/messages.hpp"
#include "actors/node_events.hpp"
#include "actors/raft_peers.hpp"
#include "storage/env.hpp"

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace cairn::actors {

/// Owner: one RaftActor. Bounded by the number of members.
class raft_chronicle {
public:
  static constexpr std::size_t k_elections_max = 8;

  /// `clock` and `names` outlive this; `events` may be null. `self`: this node's id, for the time
  /// before its number has a name.
  raft_chronicle(storage::env& clock, node_events_ptr events, const raft_peers& names,
                 std::string log, raft::node_id number, std::string self);

  /// Something of the group has come from a node. For every envelope.
  void heard(raft::node_id from) { heard_ns_[from] = clock_->monotonic_ns(); }
  void link(const std::string& node, bool up, const std::string& reason);

  /// What a core says, in this order.
  void elections(const std::vector<raft::election_step>& steps);
  void lead(const raft::leadership& now);
  /// The configuration in force has changed.
  void members(const raft::configuration& before, const raft::configuration& after);

  /// The disk that the log is on is full, or has room again.
  void disk_full(bool full, const std::string& reason);
  /// To be called now and then with all refusals because of a full queue so far; and, of that
  /// queue, the payloads in it and their bound.
  void backpressure(std::uint64_t refused, std::uint64_t queued_bytes,
                    std::uint64_t queued_bytes_max);
  void fault(event_severity severity, const std::string& text,
             std::vector<std::pair<std::string, std::string>> fields = {});

  /// Everything of a report that is about times, names and elections; the rest is there.
  void fill(raft_report& report, raft::node_id vote) const;
  [[nodiscard]] const std::deque<election_report>& elections() const { return elections_; }

private:
  struct link_state {
    bool up = false;
    std::uint64_t since_ns = 0;
    std::string reason;
  };
  /// Of refusals that follow each other.
  struct episode {
    std::uint64_t begun_ns = 0;  // 0: none
    std::uint64_t last_ns = 0;
    std::uint64_t before = 0;
  };

  void take(const raft::election_step& step);
  void stood(const raft::election_step& step, election_report& about);
  void ended(const raft::election_step& step, const election_report& about);
  [[nodiscard]] election_report& record_of(const raft::election_step& step);
  [[nodiscard]] std::string why(const raft::election_step& step, std::uint64_t silence_ms) const;
  [[nodiscard]] std::string name(raft::node_id number) const;
  [[nodiscard]] std::string names_of(const raft::node_set& nodes) const;
  [[nodiscard]] std::uint64_t silence_ms(raft::node_id node) const;
  void add(event_kind kind, event_severity severity, std::string text,
           std::vector<std::pair<std::string, std::string>> fields);

  storage::env* clock_;
  node_events_ptr events_;
  const raft_peers& names_;
  const std::string log_;
  const raft::node_id number_;
  const std::string self_;
  std::map<raft::node_id, std::uint64_t> heard_ns_;
  std::map<std::string, link_state> links_;
  std::deque<election_report> elections_;
  raft::leadership lead_;
  unix_ms since_ms_;
  unix_ms leader_since_ms_ = 0;
  episode refusing_;
  std::uint64_t refused_ = 0;
};

}  // namespace cairn::actors
