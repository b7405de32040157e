// What a RaftActor reports, in the operators' language.
#include "actors/inspect/inspect_facts.hpp"
#include "actors/wire/envelope_parts.hpp"

#include <algorithm>
#include <array>

namespace cairn::actors {

namespace {

using wire::clean_text;

std::string_view role_of(const raft_report& report) {
  constexpr std::array<std::string_view, 4> names{"follower", "pre-candidate", "candidate",
                                                  "leader"};
  const bool voter = raft::holds(report.members->voters, report.self) ||
                     raft::holds(report.members->outgoing, report.self);
  if (!voter && report.lead.as == raft::role::follower) return "learner";
  return names.at(static_cast<std::size_t>(report.lead.as));
}

std::string_view name_of(raft::send_state state) {
  constexpr std::array<std::string_view, 3> names{"probe", "replicate", "snapshot"};
  return names.at(static_cast<std::size_t>(state));
}

void fill_peer(const raft_member_report& member, const raft_report& report, v1::RaftPeer& out) {
  out.set_node(clean_text(member.name));
  out.set_number(member.node.value());
  out.set_role(member.role);
  out.set_linked(member.linked);
  out.set_last_contact_ms(member.last_contact_ms);
  const auto peer = std::find_if(report.peers.begin(), report.peers.end(),
                                 [&](const auto& one) { return one.node == member.node; });
  if (peer == report.peers.end()) return;  // this node does not lead
  out.set_state(std::string(name_of(peer->state)));
  out.set_match_index(peer->match.value());
  out.set_next_index(peer->next.value());
  out.set_match_offset(peer->match_offset.value());
  out.set_in_flight_bytes(peer->in_flight_bytes);
  out.set_in_flight_messages(peer->in_flight_messages);
  out.set_active(peer->active);
}

void fill_election(const election_report& election, v1::Election& out) {
  out.set_term(election.term.value());
  out.set_time_ms(election.time_ms);
  out.set_cause(std::string(to_string(election.cause)));
  out.set_leader(clean_text(election.leader));
  out.set_previous(clean_text(election.previous));
  out.set_candidate(clean_text(election.candidate));
  if (election.silence_ms != k_unknown) out.set_silence_ms(election.silence_ms);
  out.set_attempts(election.attempts);
  out.set_detail(election.detail);
}

void fill_positions(const raft_report& report, v1::RaftState& out) {
  out.set_first_index(report.first.value());
  out.set_applied_index(report.applied.value());
  out.set_applied_offset(report.applied_offset.value());
}

}  // namespace

void fill_raft_facts(const raft_report& report, v1::RaftState& out) {
  out.set_node(clean_text(report.node));
  out.set_role(std::string(role_of(report)));
  out.set_voted_for(clean_text(report.voted_for));
  out.set_leader(clean_text(report.leader));
  out.set_since_ms(report.since_ms);
  out.set_leader_since_ms(report.leader_since_ms);
  fill_positions(report, out);
  out.clear_peers();
  for (const auto& member : report.others)
    fill_peer(member, report, *out.add_peers());
  out.set_last_contact_ms(report.last_contact_ms);
  out.set_election_timeout_ms(report.election_timeout_ms);
  out.set_heartbeat_ms(report.heartbeat_ms);
  if (!report.fence_reason.empty()) out.set_fence_reason(report.fence_reason);
  if (!report.disk_full_reason.empty()) out.set_disk_full_reason(report.disk_full_reason);
  if (!report.refuses.empty()) out.set_refuses(report.refuses);
  out.set_waiting_appends(report.waiting_appends);
  out.set_open_appends(report.open_appends);
  out.set_queued_bytes(report.queued_bytes);
  out.set_queued_bytes_max(report.queued_bytes_max);
  for (const auto& election : report.elections)
    fill_election(election, *out.add_elections());
}

}  // namespace cairn::actors
