// The process, what happened in it, and what CAF counts of its actors.

#include "apps/node_metrics.hpp"
#include "apps/process_facts.hpp"
#include "apps/version.hpp"

#include <caf/actor_system.hpp>
#include <caf/telemetry/metric_registry.hpp>
#include <limits>
#include <prometheus/metric_type.h>

namespace cairn::apps {

namespace {

using prometheus::MetricType;

void add_single(metric_families& to, const char* name, const char* help, MetricType type,
                double value) {
  add_sample(add_family(to, name, help, type), {}, value);
}

/// Turns CAF's metrics into ours: prefix, name and unit joined with underscores, as CAF's own
/// exporter does it.
class caf_collector {
public:
  explicit caf_collector(metric_families& to) : to_(to) {}

  template <class Value>
  void operator()(const caf::telemetry::metric_family* family,
                  const caf::telemetry::metric* instance,
                  const caf::telemetry::counter<Value>* counter) {
    add_sample(family_of(family, MetricType::Counter), labels_of(instance),
               static_cast<double>(counter->value()));
  }

  void operator()(const caf::telemetry::metric_family* family,
                  const caf::telemetry::metric* instance, const caf::telemetry::int_gauge* gauge) {
    add_sample(family_of(family, MetricType::Gauge), labels_of(instance),
               static_cast<double>(gauge->value()));
  }
  void operator()(const caf::telemetry::metric_family* family,
                  const caf::telemetry::metric* instance, const caf::telemetry::dbl_gauge* gauge) {
    add_sample(family_of(family, MetricType::Gauge), labels_of(instance), gauge->value());
  }

  template <class Value>
  void operator()(const caf::telemetry::metric_family* family,
                  const caf::telemetry::metric* instance,
                  const caf::telemetry::histogram<Value>* histogram) {
    auto& to = family_of(family, MetricType::Histogram);
    auto& made = to.metric.emplace_back();
    for (const auto& [name, value] : labels_of(instance))
      made.label.push_back({name, value});
    std::uint64_t count = 0;
    for (const auto& bucket : histogram->buckets()) {
      count += static_cast<std::uint64_t>(bucket.count.value());
      const bool last =
          bucket.upper_bound == std::numeric_limits<Value>::max() ||
          static_cast<double>(bucket.upper_bound) == std::numeric_limits<double>::infinity();
      made.histogram.bucket.push_back({count, last ? std::numeric_limits<double>::infinity()
                                                   : static_cast<double>(bucket.upper_bound)});
    }
    made.histogram.sample_count = count;
    made.histogram.sample_sum = static_cast<double>(histogram->sum());
  }

private:
  static std::string plain(std::string text) {
    for (char& c : text) {
      if (c == '-' || c == '.') c = '_';
    }
    return text;
  }

  prometheus::MetricFamily& family_of(const caf::telemetry::metric_family* from, MetricType type) {
    if (from == last_) return to_[at_];
    last_ = from;
    at_ = to_.size();
    std::string name = plain(from->prefix()) + "_" + plain(from->name());
    if (from->unit() != "1") name += "_" + plain(from->unit());
    if (type == MetricType::Counter) name += "_total";
    return add_family(to_, std::move(name), from->helptext(), type);
  }

  static metric_labels labels_of(const caf::telemetry::metric* instance) {
    metric_labels out;
    for (const auto& label : instance->labels()) {
      out.emplace(plain(std::string(label.name().begin(), label.name().end())),
                  std::string(label.value().begin(), label.value().end()));
    }
    return out;
  }

  metric_families& to_;
  const caf::telemetry::metric_family* last_ = nullptr;
  std::size_t at_ = 0;
};

}  // namespace

void collect_process(const node_metric_sources& from, metric_families& to) {
  add_single(to, "process_cpu_seconds_total", "Processor time used, user and system",
             MetricType::Counter, process_cpu_seconds());
  add_single(to, "process_resident_memory_bytes", "Resident memory", MetricType::Gauge,
             static_cast<double>(process_resident_bytes()));
  add_single(to, "process_virtual_memory_bytes", "Address space used", MetricType::Gauge,
             static_cast<double>(process_virtual_bytes()));
  add_single(to, "process_open_fds", "Open file descriptors", MetricType::Gauge,
             static_cast<double>(process_open_files()));
  add_single(to, "process_max_fds", "Limit of open file descriptors", MetricType::Gauge,
             static_cast<double>(process_open_files_max()));
  add_single(to, "process_threads", "Threads", MetricType::Gauge,
             static_cast<double>(process_threads()));
  add_single(to, "process_start_time_seconds", "Start of the process, Unix time", MetricType::Gauge,
             static_cast<double>(from.started_ms) / 1e3);
  add_sample(add_family(to, "cairn_build_info", "Always 1; the labels say what runs here",
                        MetricType::Gauge),
             {{"version", std::string(k_version)}, {"node", from.node_id}}, 1);
}

void collect_events(const node_metric_sources& from, metric_families& to) {
  auto& all = add_family(to, "cairn_events_total",
                         "What happened on this node (GET /v1/events), by kind and severity",
                         MetricType::Counter);
  using actors::event_kind;
  for (auto kind = event_kind::node; kind <= event_kind::recorder;
       kind = static_cast<event_kind>(static_cast<int>(kind) + 1)) {
    for (const auto severity : {actors::event_severity::info, actors::event_severity::warning,
                                actors::event_severity::error}) {
      add_sample(
          all,
          {{"kind", std::string(to_string(kind))}, {"severity", std::string(to_string(severity))}},
          static_cast<double>(from.events->count(kind, severity)));
    }
  }
}

void collect_caf(const caf::actor_system& system, metric_families& to) {
  caf_collector collector(to);
  system.metrics().collect(collector);
}

}  // namespace cairn::apps
