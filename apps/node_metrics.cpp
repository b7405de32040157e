#include "apps/node_metrics.hpp"

#include <array>
#include <map>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>

namespace cairn::apps {

namespace {

using prometheus::BuildCounter;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Histogram;

constexpr double k_ns_per_s = 1e9;

const Histogram::BucketBoundaries k_seconds{50e-6,  100e-6, 150e-6, 200e-6, 300e-6, 500e-6,
                                            1e-3,   2e-3,   5e-3,   10e-3,  25e-3,  50e-3,
                                            100e-3, 250e-3, 1.0,    5.0};
const Histogram::BucketBoundaries k_counts{1,   2,   4,   8,    16,   32,   64,
                                           128, 256, 512, 1024, 4096, 16384};
const Histogram::BucketBoundaries k_bytes{256,    1024,    4096,    16384,   65536,
                                          262144, 1048576, 4194304, 16777216};

/// Codes an append can fail with.
constexpr std::array k_append_failures{errc::expected_offset_missed,
                                       errc::overloaded,
                                       errc::unavailable,
                                       errc::disk_full,
                                       errc::too_large,
                                       errc::invalid_argument,
                                       errc::key_reused,
                                       errc::sequence_gap,
                                       errc::producer_fenced,
                                       errc::sequence_too_old,
                                       errc::outcome_unknown,
                                       errc::io_error,
                                       errc::internal};

class log_metrics : public actors::log_observer {
public:
  log_metrics(prometheus::Registry& registry, const std::string& log) : labels_{{"log", log}} {
    sync_ = &histogram(registry, "cairn_log_sync_seconds",
                       "Time of one fdatasync of the log's store", k_seconds);
    write_ = &histogram(registry, "cairn_log_write_seconds",
                        "Time of one write to the log's store, without the sync", k_seconds);
    group_appends_ = &histogram(registry, "cairn_log_group_appends",
                                "Appends that shared one write and one sync", k_counts);
    group_records_ = &histogram(registry, "cairn_log_group_records",
                                "Records that shared one write and one sync", k_counts);
    group_bytes_ = &histogram(registry, "cairn_log_group_bytes",
                              "Payload bytes that shared one write and one sync", k_bytes);
    appended_records_ = &counter(registry, "cairn_log_appended_records_total",
                                 "Records that are durable since the start");
    appended_bytes_ = &counter(registry, "cairn_log_appended_bytes_total",
                               "Payload bytes that are durable since the start");
    frames_ = &counter(registry, "cairn_log_frames_total", "Frames written since the start");
    cached_bytes_ = &counter(registry, "cairn_log_read_cached_bytes_total",
                             "Payload bytes read from the page cache");
    cold_bytes_ = &counter(registry, "cairn_log_read_disk_bytes_total",
                           "Payload bytes read by the reader actors, which may wait for the disk");
    cold_failures_ =
        &counter(registry, "cairn_log_read_faults_total", "Reads by the reader actors that failed");
    auto& failures = BuildCounter()
                         .Name("cairn_log_append_failures_total")
                         .Help("Appends that were refused or failed, by error code")
                         .Labels(labels_)
                         .Register(registry);
    for (const auto code : k_append_failures) {
      failures_.emplace(code, &failures.Add({{"code", std::string(to_string(code))}}));
    }
  }

  void committed(const actors::commit_facts& facts) override {
    sync_->Observe(static_cast<double>(facts.sync_ns) / k_ns_per_s);
    write_->Observe(static_cast<double>(facts.write_ns) / k_ns_per_s);
    if (facts.appends > 0) proposed(facts.appends);
    group_records_->Observe(static_cast<double>(facts.records));
    group_bytes_->Observe(static_cast<double>(facts.payload_bytes));
    appended_records_->Increment(static_cast<double>(facts.records));
    appended_bytes_->Increment(static_cast<double>(facts.payload_bytes));
    frames_->Increment(static_cast<double>(facts.frames));
  }

  void proposed(std::uint64_t appends) override {
    group_appends_->Observe(static_cast<double>(appends));
  }

  void append_failed(errc code, std::uint64_t count) override {
    const auto known = failures_.find(code);
    const auto& counter = known == failures_.end() ? failures_.at(errc::internal) : known->second;
    counter->Increment(static_cast<double>(count));
  }

  void cached_read(std::uint64_t bytes) override {
    cached_bytes_->Increment(static_cast<double>(bytes));
  }

  void cold_read(errc code, std::uint64_t bytes) override {
    cold_bytes_->Increment(static_cast<double>(bytes));
    if (code != errc::none) cold_failures_->Increment();
  }

private:
  Histogram& histogram(prometheus::Registry& registry, const char* name, const char* help,
                       const Histogram::BucketBoundaries& buckets) {
    return BuildHistogram().Name(name).Help(help).Register(registry).Add(labels_, buckets);
  }
  Counter& counter(prometheus::Registry& registry, const char* name, const char* help) {
    return BuildCounter().Name(name).Help(help).Register(registry).Add(labels_);
  }

  metric_labels labels_;
  Histogram* sync_ = nullptr;
  Histogram* write_ = nullptr;
  Histogram* group_appends_ = nullptr;
  Histogram* group_records_ = nullptr;
  Histogram* group_bytes_ = nullptr;
  Counter* appended_records_ = nullptr;
  Counter* appended_bytes_ = nullptr;
  Counter* frames_ = nullptr;
  Counter* cached_bytes_ = nullptr;
  Counter* cold_bytes_ = nullptr;
  Counter* cold_failures_ = nullptr;
  std::map<errc, Counter*> failures_;
};

}  // namespace

std::shared_ptr<actors::log_observer> make_log_metrics(prometheus::Registry& registry,
                                                       const std::string& log) {
  return std::make_shared<log_metrics>(registry, log);
}

actors::inspect_handler metrics_hook(std::shared_ptr<const node_registry> registry) {
  return [registry = std::move(registry)](const v1::InspectRequest& question,
                                          const actors::inspect_done_fn& done) {
    v1::InspectAnswer answer;
    *answer.mutable_metrics() = to_metric_list(registry->Collect(), question.metrics().pattern());
    done(std::move(answer), {});
  };
}

void add_node_metrics(node_registry& registry, const node_metric_sources& from) {
  const auto add = [&](void (*collect)(const node_metric_sources&, metric_families&)) {
    registry.add_source([collect, from](metric_families& to) { collect(from, to); });
  };
  add(collect_log);
  add(collect_group);
  add(collect_stages);
  add(collect_process);
  if (from.events) add(collect_events);
  if (from.system != nullptr) {
    registry.add_source([system = from.system](metric_families& to) { collect_caf(*system, to); });
  }
}

}  // namespace cairn::apps
