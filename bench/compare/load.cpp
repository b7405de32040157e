// compare_load: one thread that loads Cairn, etcd or NATS JetStream and prints what it saw as one
// line of JSON. bench/compare/run.py starts the clusters and runs it.

#include "bench/compare/load_loop.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <arpa/inet.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <cstdio>
#include <fmt/format.h>
#include <map>

namespace {

using namespace cairn;
using namespace cairn::bench;

const std::map<std::string, peer_kind> k_peers{
    {"cairn", peer_kind::cairn}, {"etcd", peer_kind::etcd}, {"nats", peer_kind::nats}};
const std::map<std::string, work_kind> k_works{
    {"append", work_kind::append}, {"batch", work_kind::batch}, {"read", work_kind::read}};

result<sockaddr_in> address_of(const std::string& text) {
  const auto colon = text.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  unsigned port = 0;
  const bool has_port =
      colon != std::string::npos &&
      std::from_chars(text.data() + colon + 1, text.data() + text.size(), port).ec == std::errc{};
  if (!has_port || port == 0 || port > 65535 ||
      inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.sin_addr) != 1) {
    return error{errc::invalid_argument, fmt::format("'{}' is no IPv4 address with a port", text)};
  }
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

std::uint32_t at_share(std::vector<std::uint32_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

std::string to_json(load_figures& figures, const shared_state& shared) {
  std::sort(figures.took_us.begin(), figures.took_us.end());
  boost::json::array cpu(figures.server_cpu_s.begin(), figures.server_cpu_s.end());
  return boost::json::serialize(boost::json::object{
      {"seconds", figures.seconds},
      {"requests", figures.requests},
      {"records", figures.records},
      {"refusals", figures.refusals},
      {"refusal", figures.refusal},
      {"p50_us", at_share(figures.took_us, 0.5)},
      {"p99_us", at_share(figures.took_us, 0.99)},
      {"max_us", at_share(figures.took_us, 1)},
      {"server_cpu_s", std::move(cpu)},
      {"own_cpu_s", figures.own_cpu_s},
      {"next_key", shared.next_key},
  });
}

}  // namespace

int main(int argc, char** argv) {
  load_plan plan;
  shared_state shared;
  std::vector<std::string> addresses;
  CLI::App app("Loads Cairn, etcd (JSON gateway) or NATS JetStream; prints one line of JSON.");
  app.add_option("--peer", plan.work.peer, "cairn, etcd or nats")
      ->required()
      ->transform(CLI::CheckedTransformer(k_peers));
  app.add_option("--work", plan.work.work, "append, batch or read")
      ->transform(CLI::CheckedTransformer(k_works));
  app.add_option("--address", addresses, "IPv4 address and port; connections are dealt in turn")
      ->required();
  app.add_option("--name", plan.work.name, "of the log (Cairn), of the stream (NATS)");
  app.add_option("--connections", plan.connections, "")->check(CLI::Range(1, 10000));
  app.add_option("--in-flight", plan.in_flight, "requests on a connection; above 1 for NATS alone")
      ->check(CLI::Range(1, 100000));
  app.add_option("--bytes", plan.work.record_bytes, "of a record")->check(CLI::Range(2, 1 << 20));
  app.add_option("--records-a-request", plan.work.records_a_request, "of a batch or a page")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--warm-up", plan.warm_up_s, "seconds before anything is counted");
  app.add_option("--seconds", plan.seconds, "at most");
  app.add_option("--limit", plan.limit, "requests; 0: by time alone");
  app.add_option("--first-key", shared.next_key, "etcd: number of the first key to put");
  app.add_option("--end", plan.work.end, "read the records [0, end)");
  app.add_option("--pid", plan.server_pids, "a server whose processor time is to be counted");
  CLI11_PARSE(app, argc, argv);

  for (const auto& text : addresses) {
    auto address = address_of(text);
    if (!address) {
      fmt::print(stderr, "compare_load: {}\n", address.error().detail);
      return 2;
    }
    plan.addresses.push_back(*address);
  }
  if (plan.in_flight > 1 && plan.work.peer != peer_kind::nats) {
    fmt::print(stderr, "compare_load: --in-flight is for NATS alone\n");
    return 2;
  }
  auto figures = run_load(plan, shared);
  if (!figures) {
    fmt::print(stderr, "compare_load: {}\n", figures.error().detail);
    return 1;
  }
  fmt::print("{}\n", to_json(*figures, shared));
  return 0;
}
