#pragma once
// What GET /metrics says about the node beside the gateway's own numbers.

#include "actors/cluster/cluster_view.hpp"
#include "actors/log_gate.hpp"
#include "actors/log_observer.hpp"
#include "actors/raft_view.hpp"
#include "storage/env.hpp"
#include "storage/log_reader.hpp"

#include <functional>
#include <memory>
#include <prometheus/registry.h>
#include <string>

namespace cairn::apps {

/// A registry that brings its gauges up to date when it is asked, so that nothing has to be updated
/// while nobody looks.
class node_registry : public prometheus::Registry {
public:
  /// Called at the start of each Collect(), from the thread that asks; thread-safe. Set before the
  /// first scrape.
  void on_collect(std::function<void()> refresh) { refresh_ = std::move(refresh); }

  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override {
    if (refresh_) refresh_();
    return prometheus::Registry::Collect();
  }

private:
  std::function<void()> refresh_;
};

/// Counts what the log's actors do. Handles are resolved once, here.
[[nodiscard]] std::shared_ptr<actors::log_observer> make_log_metrics(prometheus::Registry& registry,
                                                                     const std::string& log);

/// What the gauges read.
struct node_gauge_sources {
  storage::env* env = nullptr;  ///< outlives the registry
  std::string data_dir;
  std::string log;
  std::string node_id;
  std::shared_ptr<actors::log_gate> gate;
  std::shared_ptr<storage::log_reader> reader;
  std::shared_ptr<actors::raft_view> raft;
  std::shared_ptr<actors::cluster_view> cluster;
};

/// Registers the gauges of the log and the process and lets `registry` refresh them.
void add_node_gauges(node_registry& registry, const node_gauge_sources& sources);

}  // namespace cairn::apps
