#pragma once
// Reports of the actors as answers of proto/cairn/v1/inspect.proto. Pure.

#include "actors/cluster/cluster_view.hpp"
#include "actors/log_gate.hpp"
#include "actors/membership/membership_view.hpp"
#include "actors/messages.hpp"
#include "actors/node_events.hpp"
#include "actors/segment_directory.hpp"
#include "proto/cairn/v1/inspect.pb.h"

#include <string>
#include <string_view>

namespace cairn::actors {

/// Ids above `after`, ascending.
void fill_actors(std::vector<actor_report>& reports, std::uint64_t after, v1::ActorList& out);

/// Who is in the cluster (`cluster`), and in which state (`gossip`). `self` is what this node says
/// about itself: of it come version and addresses that nobody else has told, and it is the one
/// member while the cluster has not said anything yet.
void fill_members(const cluster_report& cluster, const membership_report& gossip,
                  const v1::MemberState& self, v1::MemberList& out);

/// One replica of a log: `report` is the RaftActor's, `cluster` gives numbers their names. `gate`
/// may be null.
void fill_raft(const raft_report& report, const cluster_report& cluster, const log_gate* gate,
               std::uint64_t now_ns, v1::RaftState& out);

/// What a RaftActor knows better than anybody else: names, times, peers, queues, elections.
void fill_raft_facts(const raft_report& report, v1::RaftState& out);

/// The stored log. `segments` names their actors and may be null.
void fill_log(const log_report& report, const segment_directory* segments, v1::LogState& out);

/// A page of the ring.
void fill_events(const node_events& events, std::uint64_t after, std::uint32_t limit,
                 v1::EventList& out);

}  // namespace cairn::actors
