#include "apps/node_metrics.hpp"

#include "apps/process_facts.hpp"
#include "apps/version.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

namespace cairn::apps {

namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
using labels = std::map<std::string, std::string>;

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

  labels labels_;
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

/// A gauge and where its value comes from.
struct gauge_source {
  Gauge* gauge;
  std::function<double()> value;
};

class gauge_set {
public:
  explicit gauge_set(node_registry& registry) : registry_(registry) {}

  void add(const char* name, const char* help, const labels& constant,
           std::function<double()> value) {
    auto& gauge = BuildGauge().Name(name).Help(help).Register(registry_).Add(constant);
    sources_.push_back({&gauge, std::move(value)});
  }

  [[nodiscard]] std::vector<gauge_source> take() { return std::move(sources_); }

private:
  node_registry& registry_;
  std::vector<gauge_source> sources_;
};

double as_double(std::uint64_t value) {
  return static_cast<double>(value);
}

void add_log_gauges(gauge_set& gauges, const node_gauge_sources& from) {
  const labels log{{"log", from.log}};
  const auto gate = from.gate;
  const auto reader = from.reader;
  gauges.add("cairn_log_queued_appends", "Appends accepted but not yet answered", log,
             [gate] { return as_double(gate->queued_appends()); });
  gauges.add("cairn_log_queued_bytes", "Payload bytes accepted but not yet answered", log,
             [gate] { return as_double(gate->queued_bytes()); });
  gauges.add("cairn_log_waiting_readers", "Reads that wait for new records", log,
             [gate] { return as_double(gate->waiting_readers.count()); });
  gauges.add("cairn_log_cold_reads", "Reads that wait for the disk", log,
             [gate] { return as_double(gate->cold_reads.count()); });
  gauges.add("cairn_log_segments", "Segments of the log", log,
             [gate] { return as_double(gate->segment_count.load()); });
  gauges.add("cairn_log_segment_restarts", "Segment actors started again after a fault", log,
             [gate] { return as_double(gate->segment_restarts.load()); });
  gauges.add("cairn_log_session_keys", "Idempotency keys that are remembered", log,
             [gate] { return as_double(gate->session_keys.load()); });
  gauges.add("cairn_log_session_producers", "Producers that are remembered", log,
             [gate] { return as_double(gate->session_producers.load()); });
  gauges.add("cairn_log_replayed_appends",
             "Appends answered with their first receipt, by this node", log,
             [gate] { return as_double(gate->replayed_appends.load()); });
  gauges.add("cairn_log_size_bytes", "Bytes of all frames and headers", log,
             [gate] { return as_double(gate->size_bytes.load()); });
  gauges.add("cairn_log_lowest_offset", "Offset of the oldest record kept", log,
             [reader] { return as_double(reader->lowest_offset().value()); });
  gauges.add("cairn_log_next_offset", "Offset that the next record gets", log,
             [reader] { return as_double(reader->end_offset().value()); });
  gauges.add("cairn_log_fenced", "1 after a failed write or sync: the log takes no more writes",
             log, [gate] { return gate->fenced() ? 1.0 : 0.0; });
  gauges.add("cairn_log_disk_full", "1 while appends are refused for lack of disk space", log,
             [gate] { return gate->disk_full() ? 1.0 : 0.0; });
}

void add_cluster_gauges(gauge_set& gauges, const node_gauge_sources& from) {
  const labels log{{"log", from.log}};
  const auto raft = from.raft;
  const auto cluster = from.cluster;
  gauges.add("cairn_raft_term", "Raft's term", log,
             [raft] { return as_double(raft->get().lead.term.value()); });
  gauges.add("cairn_raft_leads", "1 while this node leads", log,
             [raft] { return raft->get().lead.as == raft::role::leader ? 1.0 : 0.0; });
  gauges.add("cairn_raft_leader_known", "1 while this node knows who leads", log,
             [raft] { return raft->get().lead.leader == raft::k_nobody ? 0.0 : 1.0; });
  gauges.add("cairn_cluster_members", "Members of the cluster", {},
             [cluster] { return as_double(cluster->get()->members.size()); });
  gauges.add("cairn_cluster_members_linked", "Members that are linked, this one included", {},
             [cluster] {
               const auto report = cluster->get();
               return as_double(static_cast<std::uint64_t>(
                   std::count_if(report->members.begin(), report->members.end(),
                                 [](const auto& member) { return member.linked; })));
             });
}

void add_process_gauges(gauge_set& gauges, const node_gauge_sources& from) {
  gauges.add("cairn_disk_free_bytes", "Bytes free on the file system of the data directory", {},
             [env = from.env, path = from.data_dir] {
               const auto free = env->free_bytes(path);
               return free ? as_double(*free) : 0.0;
             });
  gauges.add("cairn_process_resident_memory_bytes", "Resident memory", {},
             [] { return as_double(process_resident_bytes()); });
  gauges.add("cairn_process_open_fds", "Open file descriptors", {},
             [] { return as_double(process_open_files()); });
  gauges.add("cairn_process_max_fds", "Limit of open file descriptors", {},
             [] { return as_double(process_open_files_max()); });
  gauges.add("cairn_process_cpu_seconds", "Processor time used, user and system", {},
             [] { return process_cpu_seconds(); });
  gauges.add("cairn_process_start_time_seconds", "Start of the process, Unix time", {},
             [started = as_double(static_cast<std::uint64_t>(from.env->now_ms())) / 1e3] {
               return started;
             });
  gauges.add("cairn_build_info", "Always 1; the labels say what runs here",
             {{"version", std::string(k_version)}, {"node", from.node_id}}, [] { return 1.0; });
}

}  // namespace

std::shared_ptr<actors::log_observer> make_log_metrics(prometheus::Registry& registry,
                                                       const std::string& log) {
  return std::make_shared<log_metrics>(registry, log);
}

void add_node_gauges(node_registry& registry, const node_gauge_sources& sources) {
  gauge_set gauges(registry);
  add_log_gauges(gauges, sources);
  add_cluster_gauges(gauges, sources);
  add_process_gauges(gauges, sources);
  registry.on_collect([all = gauges.take()] {
    for (const auto& source : all)
      source.gauge->Set(source.value());
  });
}

}  // namespace cairn::apps
