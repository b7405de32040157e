#include "net/server/http_metrics.hpp"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace cairn::net {

namespace {

// Seconds. The last bucket is +Inf.
const std::vector<double> k_bounds_s{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                     0.05,   0.1,     0.25,   0.5,   1.0,    2.5,   10.0};

constexpr std::array<std::string_view, k_refusal_count> k_refusal_names{"too-many-connections",
                                                                        "bad-request", "timed-out"};

constexpr std::size_t slot_of(http_method method, route_id route, std::size_t status_slot) {
  return (static_cast<std::size_t>(route) * k_method_count + static_cast<std::size_t>(method)) *
             k_status_count +
         status_slot;
}

}  // namespace

struct http_metrics::families {
  explicit families(prometheus::Registry& registry)
      : requests(prometheus::BuildCounter()
                     .Name("cairn_http_requests_total")
                     .Help("HTTP requests answered, by method, route and status")
                     .Register(registry)),
        latency(prometheus::BuildHistogram()
                    .Name("cairn_http_request_duration_seconds")
                    .Help("Seconds from a request's complete head to the end of its answer")
                    .Register(registry)),
        bytes(prometheus::BuildCounter()
                  .Name("cairn_http_bytes_total")
                  .Help("Bytes read from and written to HTTP clients")
                  .Register(registry)),
        accepted(prometheus::BuildCounter()
                     .Name("cairn_http_connections_accepted_total")
                     .Help("HTTP connections accepted")
                     .Register(registry)),
        refused(prometheus::BuildCounter()
                    .Name("cairn_http_refused_total")
                    .Help("Connections ended by the gateway for what they did or for want of room")
                    .Register(registry)),
        open(prometheus::BuildGauge()
                 .Name("cairn_http_connections")
                 .Help("HTTP connections open now")
                 .Register(registry)),
        in_flight(prometheus::BuildGauge()
                      .Name("cairn_http_requests_in_flight")
                      .Help("HTTP requests read but not yet answered")
                      .Register(registry)),
        bytes_in(bytes.Add({{"direction", "in"}})),
        bytes_out(bytes.Add({{"direction", "out"}})),
        accepted_total(accepted.Add({})),
        open_now(open.Add({})),
        in_flight_now(in_flight.Add({})) {
    for (std::size_t i = 0; i < k_refusal_count; ++i) {
      refused_by[i] = &refused.Add({{"reason", std::string(k_refusal_names[i])}});
    }
    request_counters.resize(k_route_count * k_method_count * k_status_count);
  }

  prometheus::Family<prometheus::Counter>& requests;
  prometheus::Family<prometheus::Histogram>& latency;
  prometheus::Family<prometheus::Counter>& bytes;
  prometheus::Family<prometheus::Counter>& accepted;
  prometheus::Family<prometheus::Counter>& refused;
  prometheus::Family<prometheus::Gauge>& open;
  prometheus::Family<prometheus::Gauge>& in_flight;
  prometheus::Counter& bytes_in;
  prometheus::Counter& bytes_out;
  prometheus::Counter& accepted_total;
  prometheus::Gauge& open_now;
  prometheus::Gauge& in_flight_now;
  std::array<prometheus::Counter*, k_refusal_count> refused_by{};

  std::mutex mutex;  // guards the two tables, which fill as combinations come up
  std::vector<prometheus::Counter*> request_counters;
  std::array<prometheus::Histogram*, k_route_count> route_latencies{};
};

http_metrics::http_metrics(prometheus::Registry& registry)
    : families_(std::make_unique<families>(registry)) {}
http_metrics::~http_metrics() = default;

worker_metrics::worker_metrics(http_metrics& shared) : shared_(&shared), requests_(k_slot_count) {
  static_assert(k_bucket_count == 16, "one more than the bounds");
}

void worker_metrics::count_request(http_method method, route_id route, int status,
                                   std::chrono::nanoseconds took) {
  const std::size_t slot = slot_of(method, route, status_slot_of(status));
  if (requests_[slot]++ == 0) dirty_requests_.push_back(static_cast<std::uint32_t>(slot));
  route_latency& latency = latencies_[static_cast<std::size_t>(route)];
  const double seconds = std::chrono::duration<double>(took).count();
  std::size_t bucket = 0;
  while (bucket < k_bounds_s.size() && seconds > k_bounds_s[bucket])
    ++bucket;
  ++latency.buckets[bucket];
  latency.sum_s += seconds;
  latency.dirty = true;
}

void worker_metrics::flush_requests() {
  auto& to = *shared_->families_;
  for (const std::uint32_t slot : dirty_requests_) {
    auto*& counter = to.request_counters[slot];
    if (counter == nullptr) {
      const std::size_t status_slot = slot % k_status_count;
      const auto method = static_cast<http_method>(slot / k_status_count % k_method_count);
      const auto route = static_cast<route_id>(slot / k_status_count / k_method_count);
      counter = &to.requests.Add({{"method", std::string(to_string(method))},
                                  {"route", std::string(label_of(route))},
                                  {"status", fmt::to_string(status_in_slot(status_slot))}});
    }
    counter->Increment(requests_[slot]);
    requests_[slot] = 0;
  }
  dirty_requests_.clear();
}

void worker_metrics::flush_latencies() {
  auto& to = *shared_->families_;
  for (std::size_t i = 0; i < k_route_count; ++i) {
    route_latency& latency = latencies_[i];
    if (!latency.dirty) continue;
    auto*& histogram = to.route_latencies[i];
    if (histogram == nullptr) {
      histogram =
          &to.latency.Add({{"route", std::string(label_of(static_cast<route_id>(i)))}}, k_bounds_s);
    }
    histogram->ObserveMultiple({latency.buckets.begin(), latency.buckets.end()}, latency.sum_s);
    latency = {};
  }
}

void worker_metrics::flush(std::size_t open_connections, std::size_t in_flight) {
  auto& to = *shared_->families_;
  {
    const std::lock_guard lock(to.mutex);
    flush_requests();
    flush_latencies();
  }
  const auto move_to = [](prometheus::Counter& counter, std::uint64_t& count) {
    if (count != 0) counter.Increment(static_cast<double>(count));
    count = 0;
  };
  move_to(to.bytes_in, bytes_in_);
  move_to(to.bytes_out, bytes_out_);
  move_to(to.accepted_total, connections_);
  for (std::size_t i = 0; i < k_refusal_count; ++i)
    move_to(*to.refused_by[i], refused_[i]);
  const auto change = [](prometheus::Gauge& gauge, std::size_t& before, std::size_t now) {
    if (now != before) gauge.Increment(static_cast<double>(now) - static_cast<double>(before));
    before = now;
  };
  change(to.open_now, flushed_open_, open_connections);
  change(to.in_flight_now, flushed_in_flight_, in_flight);
}

std::string format_metrics(prometheus::Registry& registry) {
  return prometheus::TextSerializer().Serialize(registry.Collect());
}

}  // namespace cairn::net
