#pragma once
// What GET /metrics says about the node beside the gateway's own numbers (docs/metrics.md).

#include "actors/cluster/cluster_view.hpp"
#include "actors/inspect/inspect_actor.hpp"
#include "actors/log_gate.hpp"
#include "actors/log_observer.hpp"
#include "actors/node_events.hpp"
#include "actors/raft_view.hpp"
#include "apps/metric_families.hpp"
#include "storage/env.hpp"
#include "storage/log_reader.hpp"

#include <caf/fwd.hpp>
#include <memory>
#include <string>

namespace cairn::apps {

/// Counts what the log's actors do. Handles are resolved once, here.
[[nodiscard]] std::shared_ptr<actors::log_observer> make_log_metrics(prometheus::Registry& registry,
                                                                     const std::string& log);

/// What is looked at when somebody asks.
struct node_metric_sources {
  storage::env* env = nullptr;  ///< outlives the registry
  unix_ms started_ms = 0;
  std::string data_dir;
  std::string log;
  std::string node_id;
  std::shared_ptr<actors::log_gate> gate;
  std::shared_ptr<storage::log_reader> reader;
  std::shared_ptr<actors::raft_view> raft;
  std::shared_ptr<actors::cluster_view> cluster;
  std::shared_ptr<actors::append_times> times;
  actors::node_events_ptr events;             ///< may be null
  const caf::actor_system* system = nullptr;  ///< likewise; outlives the registry
};

/// Answers v1::AskMetrics with what a scrape would show. The InspectActor's hook.
[[nodiscard]] actors::inspect_handler metrics_hook(std::shared_ptr<const node_registry> registry);

/// Registers everything that is made on demand: log, group, stages, process, CAF.
void add_node_metrics(node_registry& registry, const node_metric_sources& from);

// Parts of it, each a source of the registry.
void collect_log(const node_metric_sources& from, metric_families& to);
void collect_group(const node_metric_sources& from, metric_families& to);
void collect_stages(const node_metric_sources& from, metric_families& to);
void collect_process(const node_metric_sources& from, metric_families& to);
/// cairn_events_total: by kind and severity.
void collect_events(const node_metric_sources& from, metric_families& to);
/// caf_*: what CAF counts of the actors of `system`.
void collect_caf(const caf::actor_system& system, metric_families& to);

}  // namespace cairn::apps
