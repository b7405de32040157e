#pragma once
// Metric families made when somebody asks, from numbers that are kept anyway: nothing has to be
// updated while nobody looks.

#include "actors/append_times.hpp"
#include "proto/cairn/v1/inspect.pb.h"

#include <functional>
#include <map>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::apps {

using metric_labels = std::map<std::string, std::string>;
using metric_families = std::vector<prometheus::MetricFamily>;

/// Adds a family without samples. `type` is Counter, Gauge or Histogram.
prometheus::MetricFamily& add_family(metric_families& to, std::string name, std::string help,
                                     prometheus::MetricType type);
/// To a family of counters or gauges.
void add_sample(prometheus::MetricFamily& to, const metric_labels& labels, double value);
/// To a family of histograms of seconds.
void add_times(prometheus::MetricFamily& to, const metric_labels& labels,
               const actors::time_totals& times);

/// A registry that also has families which are made on demand.
class node_registry : public prometheus::Registry {
public:
  using source = std::function<void(metric_families& to)>;

  /// Called at each Collect(), from the thread that asks; thread-safe. Before the first scrape.
  void add_source(source made) { sources_.push_back(std::move(made)); }

  /// All families, ordered by name.
  [[nodiscard]] metric_families Collect() const override;

private:
  std::vector<source> sources_;
};

/// The families whose name contains `pattern`, for v1::AskMetrics.
[[nodiscard]] v1::MetricList to_metric_list(const metric_families& families,
                                            std::string_view pattern);

}  // namespace cairn::apps
