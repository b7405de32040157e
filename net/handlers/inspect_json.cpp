#include "net/handlers/inspect_json.hpp"

#include "net/handlers/json_members.hpp"

namespace cairn::net {

namespace {

void text_or_null(std::string& out, std::string_view name, const std::string& text) {
  append_json_key(out, name);
  append_or_null(out, text);
}

void append_state(std::string& out, const v1::ActorState& actor) {
  member(out, "id", actor.id());
  member(out, "kind", actor.kind());
  member(out, "name", actor.name());
  append_json_key(out, "parent");
  append_or_null(out, actor.parent() == 0 ? std::nullopt : std::optional(actor.parent()));
  member(out, "state", actor.state());
  member(out, "mailbox", actor.mailbox());
  member(out, "processed", actor.processed());
  member(out, "restarts", actor.restarts());
  if (actor.busy_ns() > 0) member(out, "busy_us", actor.busy_ns() / 1'000);
}

/// "Never" is null.
void ago_member(std::string& out, std::string_view name, std::uint64_t ago_ms) {
  append_json_key(out, name);
  append_or_null(out, ago_ms == UINT64_MAX ? std::nullopt : std::optional(ago_ms));
}

void append_peer(std::string& out, const v1::RaftPeer& peer) {
  out += '{';
  member(out, "node", peer.node());
  member(out, "number", peer.number());
  member(out, "role", peer.role());
  text_or_null(out, "state", peer.state());
  member(out, "match_index", peer.match_index());
  member(out, "next_index", peer.next_index());
  member(out, "match_offset", peer.match_offset());
  member(out, "in_flight_bytes", peer.in_flight_bytes());
  member(out, "in_flight_messages", peer.in_flight_messages());
  ago_member(out, "last_contact_ms", peer.last_contact_ms());
  member(out, "active", peer.active());
  member(out, "linked", peer.linked());
  out += '}';
}

void append_election(std::string& out, const v1::Election& election) {
  out += '{';
  member(out, "term", election.term());
  time_member(out, "time", election.time_ms());
  member(out, "cause", election.cause());
  text_or_null(out, "leader", election.leader());
  text_or_null(out, "previous", election.previous());
  member(out, "silence_ms", election.silence_ms());
  member(out, "detail", election.detail());
  out += '}';
}

}  // namespace

void append_members(std::string& out, const v1::InspectAnswer& answer) {
  const auto& cluster = answer.members();
  member(out, "cluster_id", cluster.cluster_id());
  member(out, "node", answer.node());
  text_or_null(out, "leader", cluster.leader());
  list_member(out, "members", cluster.members(), [&](const v1::MemberState& one) {
    out += '{';
    member(out, "id", one.id());
    member(out, "state", one.state());
    member(out, "http", one.http());
    member(out, "grpc", one.grpc());
    member(out, "peer", one.peer());
    member(out, "version", one.version());
    member(out, "incarnation", one.incarnation());
    member(out, "zone", one.zone());
    member(out, "role", one.role());
    member(out, "linked", one.linked());
    time_member(out, "since", one.since_ms());
    member(out, "by", one.by());
    out += '}';
  });
}

void append_actors(std::string& out, const v1::InspectAnswer& answer) {
  member(out, "node", answer.node());
  list_member(out, "actors", answer.actors().actors(), [&](const v1::ActorState& actor) {
    out += '{';
    append_state(out, actor);
    out += '}';
  });
  if (answer.actors().more() > 0) member(out, "more", answer.actors().more());
}

void append_actor(std::string& out, const v1::InspectAnswer& answer) {
  if (answer.actors().actors().empty()) return;
  const auto& actor = answer.actors().actors(0);
  append_state(out, actor);
  member(out, "node", answer.node());
  list_member(out, "events", actor.events(),
              [&](const std::string& event) { append_json_lossy(out, event); });
}

void append_node_facts(std::string& out, const v1::InspectAnswer& answer) {
  const auto& facts = answer.node_facts();
  member(out, "node", answer.node());
  text_or_null(out, "cluster_id", facts.cluster_id());
  member(out, "version", facts.version());
  member(out, "pid", facts.pid());
  time_member(out, "started", facts.started_ms());
  time_member(out, "now", facts.now_ms());
  member(out, "peer", facts.peer());
  member(out, "http", facts.http());
  member(out, "grpc", facts.grpc());
  member(out, "data_dir", facts.data_dir());
  member(out, "ready", facts.unready().empty());
  list_member(out, "unready", facts.unready(),
              [&](const std::string& reason) { append_json_lossy(out, reason); });
  member(out, "disk_bytes", facts.disk_bytes());
  member(out, "disk_free_bytes", facts.disk_free_bytes());
  member(out, "resident_bytes", facts.resident_bytes());
  member(out, "cpu_ms", facts.cpu_ns() / 1'000'000);
  member(out, "threads", facts.threads());
  member(out, "open_files", facts.open_files());
  list_member(out, "links", facts.links(), [&](const v1::LinkState& link) {
    out += '{';
    member(out, "node", link.node());
    member(out, "up", link.up());
    member(out, "address", link.address());
    time_member(out, "since", link.since_ms());
    out += '}';
  });
  member(out, "observers", facts.observers());
}

void append_raft(std::string& out, const v1::InspectAnswer& answer) {
  const auto& raft = answer.raft();
  member(out, "log", raft.log());
  member(out, "node", answer.node());
  member(out, "number", raft.number());
  member(out, "role", raft.role());
  member(out, "voter", raft.voter());
  member(out, "term", raft.term());
  text_or_null(out, "voted_for", raft.voted_for());
  text_or_null(out, "leader", raft.leader());
  time_member(out, "since", raft.since_ms());
  time_member(out, "leader_since", raft.leader_since_ms());
  member(out, "first_index", raft.first_index());
  member(out, "commit_index", raft.commit_index());
  member(out, "applied_index", raft.applied_index());
  member(out, "last_index", raft.last_index());
  member(out, "durable_index", raft.durable_index());
  member(out, "next_offset", raft.next_offset());
  member(out, "applied_offset", raft.applied_offset());
  member(out, "joint", raft.joint());
  ago_member(out, "last_contact_ms", raft.last_contact_ms());
  member(out, "election_timeout_ms", raft.election_timeout_ms());
  member(out, "heartbeat_ms", raft.heartbeat_ms());
  member(out, "quiesced", raft.quiesced());
  member(out, "fenced", raft.fenced());
  text_or_null(out, "fence_reason", raft.fence_reason());
  member(out, "disk_full", raft.disk_full());
  text_or_null(out, "disk_full_reason", raft.disk_full_reason());
  text_or_null(out, "refuses", raft.refuses());
  member(out, "waiting_appends", raft.waiting_appends());
  member(out, "open_appends", raft.open_appends());
  member(out, "queued_bytes", raft.queued_bytes());
  member(out, "queued_bytes_max", raft.queued_bytes_max());
  list_member(out, "peers", raft.peers(),
              [&](const v1::RaftPeer& peer) { append_peer(out, peer); });
  list_member(out, "elections", raft.elections(),
              [&](const v1::Election& election) { append_election(out, election); });
}

}  // namespace cairn::net
