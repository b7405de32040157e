#include "actors/inspect/inspect_facts.hpp"

#include "actors/recorder/describe.hpp"
#include "actors/wire/envelope_parts.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cairn::actors {
namespace {

using wire::clean_text;

std::string node_of(const cluster_report& cluster, raft::node_id number) {
  if (number == raft::k_nobody) return {};
  if (number.value() == cluster.number) return cluster.node;
  for (const auto& member : cluster.members) {
    if (member.number == number.value()) return member.node;
  }
  return {};  // the configuration is ahead of what the ClusterActor has told
}

bool linked_to(const cluster_report& cluster, raft::node_id number) {
  return std::any_of(cluster.members.begin(), cluster.members.end(), [&](const auto& member) {
    return member.number == number.value() && member.linked;
  });
}

const char* role_in(const raft::configuration& group, raft::node_id number) {
  if (raft::holds(group.voters, number)) return "voter";
  if (raft::holds(group.learners, number)) return "learner";
  return "outgoing";
}

void fill_peer(const raft_report& report, const cluster_report& cluster, raft::node_id number,
               v1::RaftPeer& out) {
  out.set_node(clean_text(node_of(cluster, number)));
  out.set_number(number.value());
  out.set_role(role_in(*report.members, number));
  out.set_linked(linked_to(cluster, number));
  const auto known = std::find_if(report.peers.begin(), report.peers.end(),
                                  [&](const auto& peer) { return peer.node == number; });
  if (known == report.peers.end()) return;
  out.set_state(known->replicating ? "replicate" : "probe");
  out.set_match_index(known->match.value());
  out.set_match_offset(known->match_offset.value());
  out.set_active(known->active);
}

std::vector<raft::node_id> others_of(const raft_report& report) {
  std::vector<raft::node_id> all;
  const auto& group = *report.members;
  for (const auto* part : {&group.voters, &group.outgoing, &group.learners})
    all.insert(all.end(), part->begin(), part->end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  std::erase(all, report.self);
  return all;
}

void fill_gate(const log_gate& gate, std::uint64_t now_ns, v1::RaftState& out) {
  const auto reasons = gate.unready_reasons(now_ns);
  out.set_fenced(out.fenced() || gate.fenced());
  out.set_disk_full(gate.disk_full());
  if (gate.fenced()) out.set_fence_reason(gate.closed_reason());
  if (gate.disk_full()) out.set_disk_full_reason(fmt::format("{}", fmt::join(reasons, "; ")));
  out.set_refuses(fmt::format("{}", fmt::join(reasons, "; ")));
  out.set_queued_bytes(gate.queued_bytes());
}

}  // namespace

void fill_actors(std::vector<actor_report>& reports, std::uint64_t after, v1::ActorList& out) {
  std::sort(reports.begin(), reports.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  out.mutable_actors()->Reserve(static_cast<int>(reports.size()));
  for (auto& report : reports) {
    if (report.id <= after) continue;
    auto& one = *out.add_actors();
    one.set_id(report.id);
    one.set_kind(std::move(report.kind));
    one.set_name(clean_text(report.name));
    one.set_parent(report.parent);
    one.set_state(std::move(report.state));
    one.set_mailbox(report.mailbox);
    one.set_processed(report.processed);
    one.set_restarts(report.restarts);
    one.set_busy_ns(report.busy_ns);
    for (auto& event : report.events)
      one.add_events(std::move(event));
  }
}

void fill_members(const cluster_report& cluster, const membership_report& gossip,
                  const v1::MemberState& self, v1::MemberList& out) {
  out.set_cluster_id(clean_text(cluster.cluster_id));
  out.set_leader(clean_text(cluster.leader));
  for (const auto& member : cluster.members) {
    auto& one = *out.add_members();
    if (member.node == self.id()) one = self;
    one.set_id(clean_text(member.node));
    one.set_number(member.number);
    one.set_role(clean_text(member.role));
    one.set_linked(member.linked);
    one.set_state(member.linked ? "alive" : "failed");
    if (const auto* heard = gossip.find(member.node); heard != nullptr) {
      one.set_state(swim::to_string(heard->state));
      one.set_version(heard->info.version);
      one.set_incarnation(heard->incarnation);
      one.set_since_ms(heard->since_ms);
      one.set_by(clean_text(heard->by));
    }
    one.set_http(member.http);
    one.set_grpc(member.grpc);
    one.set_peer(member.peer);
    one.set_zone(member.zone);
  }
  if (out.members().empty()) *out.add_members() = self;
}

void fill_raft(const raft_report& report, const cluster_report& cluster, const log_gate* gate,
               std::uint64_t now_ns, v1::RaftState& out) {
  out.set_node(clean_text(cluster.node));
  out.set_number(report.self.value());
  out.set_voter(raft::holds(report.members->voters, report.self));
  const bool learner = !out.voter() && report.lead.as == raft::role::follower;
  out.set_role(learner ? "learner" : std::string(name_of(report.lead.as)));
  out.set_term(report.lead.term.value());
  out.set_leader(clean_text(node_of(cluster, report.lead.leader)));
  out.set_commit_index(report.commit.value());
  out.set_last_index(report.last.value());
  out.set_durable_index(report.durable.value());
  out.set_next_offset(report.next_offset.value());
  out.set_joint(report.members->joint());
  out.set_quiesced(report.quiesced);
  out.set_fenced(report.fenced);
  for (const auto number : others_of(report))
    fill_peer(report, cluster, number, *out.add_peers());
  if (gate != nullptr) fill_gate(*gate, now_ns, out);
  if (!report.node.empty()) fill_raft_facts(report, out);
}

void fill_log(const log_report& report, const segment_directory* segments, v1::LogState& out) {
  out.set_lowest_offset(report.range.lowest.value());
  out.set_next_offset(report.range.next.value());
  out.set_size_bytes(report.size_bytes);
  out.set_term(report.term.value());
  for (const auto& segment : report.segments) {
    auto& one = *out.add_segments();
    one.set_base_offset(segment.base_offset.value());
    one.set_next_offset(segment.next_offset.value());
    one.set_size_bytes(segment.size_bytes);
    one.set_sealed(segment.sealed);
    if (segments == nullptr) continue;
    if (const auto actor = segments->find(segment.base_offset)) one.set_actor(actor.id());
  }
}

void fill_events(const node_events& events, std::uint64_t after, std::uint32_t limit,
                 v1::EventList& out) {
  const auto page = events.after(after, limit == 0 ? SIZE_MAX : limit);
  for (const auto& event : page.events) {
    auto& one = *out.add_events();
    one.set_id(event.id);
    one.set_time_ms(event.time_ms);
    one.set_kind(std::string(to_string(event.kind)));
    one.set_severity(std::string(to_string(event.severity)));
    one.set_source(clean_text(event.source));
    one.set_text(event.text);
    for (const auto& [name, value] : event.fields)
      (*one.mutable_fields())[clean_text(name)] = clean_text(value);
  }
  out.set_next(page.next);
  out.set_lost(page.lost);
  out.set_boot(events.boot());
  out.set_more(page.next < events.last_id());
}

}  // namespace cairn::actors
