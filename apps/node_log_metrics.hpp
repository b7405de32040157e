#pragma once
// What GET /metrics says about the node's own log.

#include "apps/metric_families.hpp"
#include "apps/node_log.hpp"

namespace cairn::apps {

/// Registers the cairn_node_log_* counters. `log` outlives the registry's last scrape. Before the
/// first scrape.
void add_node_log_metrics(node_registry& registry, const node_log& log);

}  // namespace cairn::apps
