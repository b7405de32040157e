#include "apps/metric_families.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <limits>

namespace cairn::apps {

namespace {

constexpr double k_ns_per_s = 1e9;

using prometheus::ClientMetric;
using prometheus::MetricType;

ClientMetric& add_metric(prometheus::MetricFamily& to, const metric_labels& labels) {
  ClientMetric& made = to.metric.emplace_back();
  for (const auto& [name, value] : labels)
    made.label.push_back({name, value});
  return made;
}

const char* name_of(MetricType type) {
  switch (type) {
    case MetricType::Counter:
      return "counter";
    case MetricType::Gauge:
      return "gauge";
    case MetricType::Histogram:
      return "histogram";
    case MetricType::Summary:
      return "summary";
    default:
      return "untyped";
  }
}

v1::MetricSample& add_sample(v1::MetricFamily& to, const ClientMetric& from, const char* suffix,
                             double value) {
  v1::MetricSample& made = *to.add_samples();
  made.set_suffix(suffix);
  for (const auto& label : from.label)
    (*made.mutable_labels())[label.name] = label.value;
  made.set_value(value);
  return made;
}

// As the text format writes a histogram.
void add_histogram(v1::MetricFamily& to, const ClientMetric& from) {
  for (const auto& bucket : from.histogram.bucket) {
    auto& made = add_sample(to, from, "_bucket", static_cast<double>(bucket.cumulative_count));
    (*made.mutable_labels())["le"] = bucket.upper_bound == std::numeric_limits<double>::infinity()
                                         ? "+Inf"
                                         : fmt::format("{}", bucket.upper_bound);
  }
  add_sample(to, from, "_sum", from.histogram.sample_sum);
  add_sample(to, from, "_count", static_cast<double>(from.histogram.sample_count));
}

}  // namespace

prometheus::MetricFamily& add_family(metric_families& to, std::string name, std::string help,
                                     MetricType type) {
  auto& made = to.emplace_back();
  made.name = std::move(name);
  made.help = std::move(help);
  made.type = type;
  return made;
}

void add_sample(prometheus::MetricFamily& to, const metric_labels& labels, double value) {
  ClientMetric& made = add_metric(to, labels);
  made.counter.value = value;
  made.gauge.value = value;
}

void add_times(prometheus::MetricFamily& to, const metric_labels& labels,
               const actors::time_totals& times) {
  auto& histogram = add_metric(to, labels).histogram;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < times.counts.size(); ++i) {
    count += times.counts[i];
    const double bound = i < actors::k_time_bounds_ns.size()
                             ? static_cast<double>(actors::k_time_bounds_ns[i]) / k_ns_per_s
                             : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({count, bound});
  }
  histogram.sample_count = count;
  histogram.sample_sum = static_cast<double>(times.sum_ns) / k_ns_per_s;
}

metric_families node_registry::Collect() const {
  metric_families all = prometheus::Registry::Collect();
  for (const source& made : sources_)
    made(all);
  // A family without a sample says nothing, and its help alone confuses readers.
  std::erase_if(all, [](const auto& family) { return family.metric.empty(); });
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return all;
}

v1::MetricList to_metric_list(const metric_families& families, std::string_view pattern) {
  v1::MetricList out;
  for (const auto& family : families) {
    if (family.name.find(pattern) == std::string::npos) continue;
    v1::MetricFamily& made = *out.add_families();
    made.set_name(family.name);
    made.set_help(family.help);
    made.set_type(name_of(family.type));
    for (const ClientMetric& metric : family.metric) {
      if (family.type == MetricType::Histogram) {
        add_histogram(made, metric);
      } else {
        const bool counts = family.type == MetricType::Counter;
        add_sample(made, metric, "", counts ? metric.counter.value : metric.gauge.value);
      }
    }
  }
  return out;
}

}  // namespace cairn::apps
