#include "apps/metric_families.hpp"

#include <doctest/doctest.h>
#include <limits>
#include <prometheus/counter.h>

using namespace cairn;
using namespace cairn::apps;

namespace {

void add_some(node_registry& registry) {
  prometheus::BuildCounter().Name("m_total").Help("m").Register(registry).Add({}).Increment(3);
  registry.add_source([](metric_families& to) {
    auto& gauges = add_family(to, "a_bytes", "a", prometheus::MetricType::Gauge);
    add_sample(gauges, {{"peer", "n2"}}, 7);
    add_sample(gauges, {{"peer", "n3"}}, 8);
  });
  registry.add_source([](metric_families& to) {
    actors::time_totals times;
    times.counts[0] = 2;
    times.counts[3] = 1;
    times.counts.back() = 1;
    times.sum_ns = 12'000'000'000;
    add_times(add_family(to, "z_seconds", "z", prometheus::MetricType::Histogram),
              {{"stage", "sync"}}, times);
    add_family(to, "empty", "has no sample", prometheus::MetricType::Gauge);
  });
}

}  // namespace

TEST_CASE("metric families: what is registered and what is made on demand come in one order") {
  node_registry registry;
  add_some(registry);
  const auto all = registry.Collect();
  REQUIRE(all.size() == 3);
  CHECK(all[0].name == "a_bytes");
  CHECK(all[1].name == "m_total");
  CHECK(all[2].name == "z_seconds");
  CHECK(registry.Collect().size() == 3);
}

TEST_CASE("metric families: times are a histogram of seconds with cumulative buckets") {
  node_registry registry;
  add_some(registry);
  const auto all = registry.Collect();
  const auto& histogram = all[2].metric.at(0).histogram;
  CHECK(histogram.sample_count == 4);
  CHECK(histogram.sample_sum == doctest::Approx(12.0));
  REQUIRE(histogram.bucket.size() == actors::k_time_bucket_count);
  CHECK(histogram.bucket.front().upper_bound == doctest::Approx(10e-6));
  CHECK(histogram.bucket.front().cumulative_count == 2);
  CHECK(histogram.bucket[3].cumulative_count == 3);
  CHECK(histogram.bucket[actors::k_time_bucket_count - 2].upper_bound == doctest::Approx(10.0));
  CHECK(histogram.bucket.back().upper_bound == std::numeric_limits<double>::infinity());
  CHECK(histogram.bucket.back().cumulative_count == 4);
}

TEST_CASE("metric families: operators get those whose name contains their pattern") {
  node_registry registry;
  add_some(registry);
  CHECK(to_metric_list(registry.Collect(), "").families_size() == 3);
  CHECK(to_metric_list(registry.Collect(), "nothing").families_size() == 0);
  const auto gauges = to_metric_list(registry.Collect(), "bytes");
  REQUIRE(gauges.families_size() == 1);
  CHECK(gauges.families(0).type() == "gauge");
  CHECK(gauges.families(0).help() == "a");
  REQUIRE(gauges.families(0).samples_size() == 2);
  CHECK(gauges.families(0).samples(1).labels().at("peer") == "n3");
  CHECK(gauges.families(0).samples(1).value() == 8);
  const auto counters = to_metric_list(registry.Collect(), "_total");
  CHECK(counters.families(0).samples(0).value() == 3);
  CHECK(counters.families(0).type() == "counter");
  const auto times = to_metric_list(registry.Collect(), "seconds");
  const auto& samples = times.families(0).samples();
  REQUIRE(samples.size() == static_cast<int>(actors::k_time_bucket_count) + 2);
  CHECK(samples.Get(0).suffix() == "_bucket");
  CHECK(samples.Get(0).labels().at("le") == "1e-05");
  CHECK(samples.Get(samples.size() - 3).labels().at("le") == "+Inf");
  CHECK(samples.Get(samples.size() - 2).suffix() == "_sum");
  CHECK(samples.Get(samples.size() - 1).value() == 4);
}
