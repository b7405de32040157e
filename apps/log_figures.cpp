// The log and its group, as they stand when somebody asks.

#include "apps/node_metrics.hpp"

#include <prometheus/metric_type.h>

namespace cairn::apps {

namespace {

using prometheus::MetricType;

double as_double(std::uint64_t value) {
  return static_cast<double>(value);
}

/// Families of one sample each, with the same labels.
class singles {
public:
  singles(metric_families& to, metric_labels labels) : to_(to), labels_(std::move(labels)) {}

  void gauge(const char* name, const char* help, double value) {
    add_sample(add_family(to_, name, help, MetricType::Gauge), labels_, value);
  }
  void counter(const char* name, const char* help, double value) {
    add_sample(add_family(to_, name, help, MetricType::Counter), labels_, value);
  }

private:
  metric_families& to_;
  const metric_labels labels_;
};

/// Families with a sample a peer. Their order in `to` is that of add().
class per_peer {
public:
  per_peer(metric_families& to, std::string log) : to_(to), log_(std::move(log)) {}

  /// @returns which family, for sample().
  std::size_t add(const char* name, const char* help) {
    add_family(to_, name, help, MetricType::Gauge);
    return to_.size() - 1;
  }
  void sample(std::size_t family, const std::string& peer, double value) {
    add_sample(to_[family], {{"log", log_}, {"peer", peer}}, value);
  }

private:
  metric_families& to_;
  const std::string log_;
};

// Also of a follower, which hears of the leader, and of others when they ask for votes.
void collect_contacts(const node_metric_sources& from, const actors::raft_report& report,
                      metric_families& to) {
  per_peer peers(to, from.log);
  const auto contact = peers.add("cairn_raft_peer_last_contact_seconds",
                                 "How long ago the peer was last heard of in the log's group; "
                                 "nothing if never");
  for (const auto& peer : report.others) {
    if (peer.last_contact_ms == actors::k_unknown || peer.name.empty()) continue;
    peers.sample(contact, peer.name, as_double(peer.last_contact_ms) / 1e3);
  }
}

void collect_elections(const node_metric_sources& from, metric_families& to) {
  auto& all = add_family(to, "cairn_raft_elections_total",
                         "Elections that this node saw, each term once, by its cause as it saw it",
                         MetricType::Counter);
  const auto counts = from.raft->elections();
  for (auto cause = raft::election_cause::start; cause <= raft::election_cause::only_voter;
       cause = static_cast<raft::election_cause>(static_cast<int>(cause) + 1)) {
    const auto found = counts.find(cause);
    add_sample(all, {{"log", from.log}, {"cause", std::string(raft::to_string(cause))}},
               found == counts.end() ? 0 : as_double(found->second));
  }
}

void collect_peers(const node_metric_sources& from, const actors::raft_report& report,
                   const std::map<raft::node_id, std::string>& names, metric_families& to) {
  per_peer peers(to, from.log);
  const auto lag = peers.add("cairn_raft_peer_lag_entries",
                             "Entries of the leader's log that are not on the peer's disk yet");
  const auto records = peers.add("cairn_raft_peer_lag_records",
                                 "Records of the leader's log that are not on the peer's disk yet");
  const auto in_flight = peers.add("cairn_raft_peer_in_flight_bytes",
                                   "Bytes of entries sent to the peer and not acknowledged yet");
  const auto flows =
      peers.add("cairn_raft_peer_replicating",
                "1 while entries flow to the peer; 0 while the leader looks where their logs "
                "agree, or waits for a snapshot");
  const auto active = peers.add("cairn_raft_peer_active",
                                "1 if the peer answered within the last election timeouts");
  for (const auto& peer : report.peers) {
    const auto name = names.find(peer.node);
    if (name == names.end()) continue;
    const auto behind = [](std::uint64_t all, std::uint64_t there) {
      return as_double(all > there ? all - there : 0);
    };
    // A new leader learns what a peer holds from its first answer: until then 0 stands there, and
    // would look as if the whole log were missing.
    if (peer.replicating || peer.match.value() > 0) {
      peers.sample(lag, name->second, behind(report.last.value(), peer.match.value()));
      peers.sample(records, name->second,
                   behind(report.next_offset.value(), peer.match_offset.value()));
    }
    peers.sample(in_flight, name->second, as_double(peer.in_flight_bytes));
    peers.sample(flows, name->second, peer.replicating ? 1 : 0);
    peers.sample(active, name->second, peer.active ? 1 : 0);
  }
}

}  // namespace

void collect_log(const node_metric_sources& from, metric_families& to) {
  singles log(to, {{"log", from.log}});
  const auto& gate = *from.gate;
  log.gauge("cairn_log_queued_appends", "Appends accepted but not yet answered",
            as_double(gate.queued_appends()));
  log.gauge("cairn_log_queued_bytes", "Payload bytes accepted but not yet answered",
            as_double(gate.queued_bytes()));
  log.gauge("cairn_log_waiting_readers", "Reads that wait for new records",
            as_double(gate.waiting_readers.count()));
  log.gauge("cairn_log_cold_reads", "Reads that wait for the disk",
            as_double(gate.cold_reads.count()));
  log.gauge("cairn_log_segments", "Segments of the log", as_double(gate.segment_count.load()));
  log.counter("cairn_log_segment_restarts_total", "Segment actors started again after a fault",
              as_double(gate.segment_restarts.load()));
  log.gauge("cairn_log_session_keys", "Idempotency keys that are remembered",
            as_double(gate.session_keys.load()));
  log.gauge("cairn_log_session_producers", "Producers that are remembered",
            as_double(gate.session_producers.load()));
  log.counter("cairn_log_replayed_appends_total",
              "Appends answered with their first receipt, by this node",
              as_double(gate.replayed_appends.load()));
  log.gauge("cairn_log_size_bytes", "Bytes of all frames and headers",
            as_double(gate.size_bytes.load()));
  log.gauge("cairn_log_lowest_offset", "Offset of the oldest record kept",
            as_double(from.reader->lowest_offset().value()));
  log.gauge("cairn_log_next_offset", "Offset that the next record gets, as readers see it",
            as_double(from.reader->end_offset().value()));
  log.gauge("cairn_log_fenced", "1 after a failed write or sync: the log takes no more writes",
            gate.fenced() ? 1 : 0);
  log.gauge("cairn_log_disk_full", "1 while appends are refused for lack of disk space",
            gate.disk_full() ? 1 : 0);
  const auto free = from.env->free_bytes(from.data_dir);
  if (!free) return;
  singles(to, {}).gauge("cairn_disk_free_bytes",
                        "Bytes free on the file system of the data directory", as_double(*free));
}

void collect_group(const node_metric_sources& from, metric_families& to) {
  singles group(to, {{"log", from.log}});
  const auto facts = from.raft->get();
  group.gauge("cairn_raft_term", "Raft's term", as_double(facts.lead.term.value()));
  group.gauge("cairn_raft_leads", "1 while this node leads",
              facts.lead.as == raft::role::leader ? 1 : 0);
  group.gauge("cairn_raft_leader_known", "1 while this node knows who leads",
              facts.lead.leader == raft::k_nobody ? 0 : 1);
  const auto cluster = from.cluster->get();
  std::map<raft::node_id, std::string> names;
  std::uint64_t linked = 0;
  auto& links = add_family(to, "cairn_peer_link_up",
                           "1 while this node is linked with the other member", MetricType::Gauge);
  for (const auto& member : cluster->members) {
    names.emplace(raft::node_id(member.number), member.node);
    if (member.linked) ++linked;
    if (member.node != from.node_id) {
      add_sample(links, {{"peer", member.node}}, member.linked ? 1 : 0);
    }
  }
  singles whole(to, {});
  whole.gauge("cairn_cluster_members", "Members of the cluster",
              as_double(cluster->members.size()));
  whole.gauge("cairn_cluster_members_linked", "Members that are linked, this one included",
              as_double(linked));
  const auto report = from.raft->report();
  if (!report) return;
  group.gauge("cairn_raft_last_index", "Index of the last entry of this node's log",
              as_double(report->last.value()));
  group.gauge("cairn_raft_durable_index", "Index of the last entry on this node's disk",
              as_double(report->durable.value()));
  group.gauge("cairn_raft_commit_index", "Index up to which this node knows entries as committed",
              as_double(report->commit.value()));
  collect_peers(from, *report, names, to);
  collect_contacts(from, *report, to);
  collect_elections(from, to);
}

void collect_stages(const node_metric_sources& from, metric_families& to) {
  auto& stages = add_family(
      to, "cairn_append_stage_seconds",
      "Where the time of appends goes, an observation an append and stage: queue, write, sync, "
      "replicate, commit and answer on the leader, forward on a node that does not lead, total "
      "on the node that took the append",
      MetricType::Histogram);
  const auto totals = from.times->stages();
  for (std::size_t i = 0; i < totals.size(); ++i) {
    add_times(stages,
              {{"log", from.log},
               {"stage", std::string(to_string(static_cast<actors::append_stage>(i)))}},
              totals[i]);
  }
  auto& peers = add_family(to, "cairn_raft_peer_ack_seconds",
                           "From an append's entry on the leader to the acknowledgement that it "
                           "is on the peer's disk, an observation an append",
                           MetricType::Histogram);
  for (const auto& [peer, times] : from.times->peers())
    add_times(peers, {{"log", from.log}, {"peer", peer}}, times);
}

}  // namespace cairn::apps
