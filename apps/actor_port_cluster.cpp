// What a port says about its log, its cluster and its actors, and changes of the cluster.

#include "apps/actor_port.hpp"
#include "apps/config_values.hpp"
#include "apps/inspect_port.hpp"
#include "apps/port_failure.hpp"

#include <algorithm>

namespace cairn::apps {

namespace {

/// The replicas as this node knows them: a leader knows how far the others are, the others know
/// only themselves.
std::vector<net::replica_info> replicas_of(const actors::raft_report& group,
                                           const actors::cluster_report& cluster,
                                           const std::string& self) {
  const bool leads = group.lead.as == raft::role::leader;
  std::vector<net::replica_info> replicas;
  const auto add = [&](const std::string& node, raft::node_id number, bool linked) {
    auto& one = replicas.emplace_back();
    one.node = node;
    one.role = raft::holds(group.members->learners, number) ? "learner" : "voter";
    one.state = number == group.lead.leader ? "leader" : "follower";
    one.healthy = linked;
    if (number == group.self) {
      const bool campaigns =
          group.lead.as == raft::role::candidate || group.lead.as == raft::role::pre_candidate;
      if (campaigns) one.state = "candidate";
      one.match_offset = group.next_offset;
      if (leads) one.lag = 0;
      one.healthy = !group.fenced;
    }
    for (const auto& peer : group.peers) {
      if (peer.node != number) continue;
      one.healthy = linked && peer.active;
      if (peer.match.value() == 0) continue;  // not heard of since this node leads
      one.match_offset = std::min(peer.match_offset, group.next_offset);
      one.lag = group.next_offset.since(*one.match_offset);
    }
  };
  for (const auto& member : cluster.members)
    add(member.node, raft::node_id(member.number), member.linked);
  if (cluster.members.empty()) add(self, group.self, true);
  return replicas;
}

actors::change_cluster::action action_of(net::cluster_change::action what) {
  switch (what) {
    case net::cluster_change::action::add_member:
      return actors::change_cluster::action::add_member;
    case net::cluster_change::action::remove_member:
      return actors::change_cluster::action::remove_member;
    case net::cluster_change::action::move_leader:
      break;
  }
  return actors::change_cluster::action::move_leader;
}

}  // namespace

net::request_id actor_port::describe_log(std::string log,
                                         net::completion<net::log_description> done) {
  const auto id = next_id_++;
  if (!serves(log)) {
    answer_later<net::log_description>(id, std::move(done), unknown_log(log));
    return id;
  }
  return ask(backend_.actors().writer(), caf::make_message(actors::ask_raft{}), id,
             [this, id, done = std::move(done)](caf::message& message) mutable {
               auto response = response_of<actors::raft_report>(message);
               if (auto* failure = std::get_if<net::failure>(&response)) {
                 done(std::move(*failure));
                 return;
               }
               describe_storage(id, *std::get<actors::raft_report*>(response), std::move(done));
             });
}

void actor_port::describe_storage(net::request_id id, const actors::raft_report& group,
                                  net::completion<net::log_description> done) {
  net::log_description log_now;
  log_now.log = backend_.log_name();
  log_now.settings = backend_.settings();
  log_now.settings.replication_factor = static_cast<std::uint32_t>(group.members->voters.size());
  log_now.term = group.lead.term;
  log_now.leader = backend_.leader();
  log_now.replicas =
      replicas_of(group, *backend_.actors().cluster_view()->get(), backend_.node_id());
  ask(backend_.actors().writer(), caf::make_message(actors::ask_log{}), id,
      [log_now = std::move(log_now), done = std::move(done)](caf::message& message) mutable {
        auto response = response_of<actors::log_report>(message);
        if (auto* failure = std::get_if<net::failure>(&response)) {
          done(std::move(*failure));
          return;
        }
        const auto& report = *std::get<actors::log_report*>(response);
        log_now.bounds = bounds_of(report.range);
        log_now.size_bytes = report.size_bytes;
        for (const auto& segment : report.segments) {
          log_now.segments.push_back({.base_offset = segment.base_offset,
                                      .next_offset = segment.next_offset,
                                      .size_bytes = segment.size_bytes,
                                      .sealed = segment.sealed});
        }
        done(std::move(log_now));
      });
}

net::request_id actor_port::list_logs(net::completion<std::vector<net::log_description>> done) {
  return describe_log(backend_.log_name(),
                      [done = std::move(done)](net::outcome<net::log_description> outcome) {
                        if (auto* failure = std::get_if<net::failure>(&outcome)) {
                          done(std::move(*failure));
                        } else {
                          std::vector<net::log_description> logs;
                          logs.push_back(std::move(std::get<net::log_description>(outcome)));
                          done(std::move(logs));
                        }
                      });
}

net::request_id actor_port::inspect(v1::InspectRequest question, std::chrono::milliseconds deadline,
                                    net::completion<net::inspect_answer> done) {
  return ask(backend_.actors().inspect(), inspect_message(std::move(question), deadline),
             next_id_++,
             [done = std::move(done)](caf::message& message) { done(inspect_outcome(message)); });
}

net::request_id actor_port::change_cluster(net::cluster_change change,
                                           net::completion<net::cluster_changed> done) {
  const auto id = next_id_++;
  const auto& cluster = backend_.actors().cluster();
  const auto refuse = [&](errc code, std::string detail) {
    answer_later<net::cluster_changed>(id, std::move(done), make_failure(code, std::move(detail)));
    return id;
  };
  if (!cluster) return refuse(errc::unsupported, "this node is not part of a cluster");
  if (change.what == net::cluster_change::action::add_member) {
    const auto peer = parse_address(change.peer);
    if (!peer || peer->port == 0) {
      return refuse(errc::invalid_argument,
                    peer ? "peer: its port is 0" : "peer: " + peer.error().detail);
    }
  }
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      change.deadline - std::chrono::steady_clock::now());
  actors::change_cluster wish{
      .what = action_of(change.what),
      .node = std::move(change.node),
      .peer = std::move(change.peer),
      .log = std::move(change.log),
      .timeout_ms = static_cast<std::uint32_t>(std::clamp<std::int64_t>(left.count(), 1, 600'000))};
  return ask(
      cluster, caf::make_message(std::move(wish)), id,
      [done = std::move(done)](caf::message& message) {
        auto response = response_of<actors::cluster_change_done>(message);
        if (auto* failure = std::get_if<net::failure>(&response)) {
          done(std::move(*failure));
          return;
        }
        auto& outcome = *std::get<actors::cluster_change_done*>(response);
        if (outcome.code != errc::none) {
          auto failure = make_failure(outcome.code, std::move(outcome.detail));
          failure.leader = std::move(outcome.leader);
          done(std::move(failure));
          return;
        }
        done(net::cluster_changed{
            .changed = outcome.changed, .leader = std::move(outcome.leader), .term = outcome.term});
      });
}

}  // namespace cairn::apps
