#include "apps/cairn/bench_load.hpp"
#include "apps/cairn/commands.hpp"
#include "apps/cairn/numbers.hpp"
#include "net/records/record_format.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <unistd.h>

namespace cairn::cli {

namespace {

struct bench_options {
  std::string mode = "append";
  std::string log = "default";
  std::uint32_t connections = 16;
  std::uint32_t size_bytes = 100;
  std::uint32_t batch = 1;
  double duration_s = 10;
  double warm_up_s = 1;
  std::string output = "table";
};

// A JSON text of exactly that many bytes (8 at least).
std::string sample_record(std::uint32_t size_bytes) {
  constexpr std::string_view k_frame = R"({"p":""})";
  return fmt::format(R"({{"p":"{}"}})", std::string(size_bytes - k_frame.size(), 'x'));
}

std::string append_request(const bench_options& options, const net::server_address& server) {
  std::string body;
  const auto record = sample_record(options.size_bytes);
  if (options.batch == 1) body = record;
  for (std::uint32_t i = 0; options.batch > 1 && i < options.batch; ++i)
    body += record + "\n";
  return fmt::format(
      "POST /v1/logs/{}/records HTTP/1.1\r\nHost: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n"
      "\r\n{}",
      options.log, server.authority(),
      options.batch == 1 ? "application/json" : "application/x-ndjson", body.size(), body);
}

// Requests of one connection after the other walk over the log, a page each.
class read_requests {
public:
  read_requests(const bench_options& options, const std::vector<net::server_address>& servers,
                const net::log_summary& log)
      : options_(options),
        servers_(servers),
        lowest_(log.lowest_offset),
        next_(log.next_offset),
        at_(log.lowest_offset),
        requests_(options.connections) {}

  const std::string& next(std::uint32_t connection, std::size_t server) {
    auto& request = requests_[connection];
    request.clear();
    fmt::format_to(std::back_inserter(request),
                   "GET /v1/logs/{}/records?from={}&limit={}&max_bytes=16777216 HTTP/1.1\r\n"
                   "Host: {}\r\nAccept: application/x-ndjson\r\n\r\n",
                   options_.log, at_, options_.batch, servers_[server].authority());
    at_ += options_.batch;
    if (at_ + options_.batch > next_) at_ = lowest_;
    return request;
  }

private:
  const bench_options& options_;
  const std::vector<net::server_address>& servers_;
  std::uint64_t lowest_;
  std::uint64_t next_;
  std::uint64_t at_;
  std::vector<std::string> requests_;
};

struct figures {
  double requests_per_s = 0;
  double records_per_s = 0;
  double megabytes_per_s = 0;
};

figures figures_of(const bench_options& options, const load_report& report) {
  if (report.elapsed_s <= 0) return {};
  const auto requests = static_cast<double>(report.latencies.count()) / report.elapsed_s;
  const auto bytes = options.mode == "append" ? report.sent_bytes : report.received_bytes;
  return {requests, requests * options.batch, static_cast<double>(bytes) / report.elapsed_s / 1e6};
}

std::uint64_t gap_ms(const load_report& report) {
  return static_cast<std::uint64_t>(
      std::chrono::round<std::chrono::milliseconds>(report.longest_gap).count());
}

void print_table(const bench_options& options, const load_report& report) {
  const auto rates = figures_of(options, report);
  const auto& latency = report.latencies;
  const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1000; };
  const auto size =
      options.mode == "append" ? fmt::format(" of {} B", options.size_bytes) : std::string();
  fmt::print("{} of {} records{} a request, {} connections, {:.1f} s\n", options.mode,
             options.batch, size, options.connections, report.elapsed_s);
  fmt::print("  requests/s  {:>12.0f}\n  records/s   {:>12.0f}\n  MB/s        {:>12.1f}\n",
             rates.requests_per_s, rates.records_per_s, rates.megabytes_per_s);
  fmt::print("  latency us  p50 {:.0f}  p90 {:.0f}  p99 {:.0f}  p99.9 {:.0f}  max {:.0f}\n",
             us(latency.quantile_ns(0.5)), us(latency.quantile_ns(0.9)),
             us(latency.quantile_ns(0.99)), us(latency.quantile_ns(0.999)), us(latency.max_ns()));
  if (report.failed_count() > 0) {
    fmt::print("  FAILED requests: {}; longest time without a good answer: {} ms\n",
               with_commas(report.failed_count()), with_commas(gap_ms(report)));
  }
  for (const auto& [status, count] : report.failed_by_status) {
    fmt::print("  FAILED with {}: {} requests\n", status, count);
  }
  if (report.broken_count > 0) {
    fmt::print("  BROKEN connections: {}{}\n", report.broken_count,
               options.mode == "append" ? " (their appends may or may not be stored)" : "");
  }
  if (!report.sample.empty()) fmt::print("  first failure: {}\n", report.sample.substr(0, 300));
}

void print_json(const bench_options& options, const load_report& report) {
  const auto rates = figures_of(options, report);
  const auto& latency = report.latencies;
  std::string failed;
  for (const auto& [status, count] : report.failed_by_status) {
    failed += fmt::format("{}\"{}\":{}", failed.empty() ? "" : ",", status, count);
  }
  std::string sample;
  net::append_json_string(sample, report.sample.substr(0, 300));
  fmt::print(
      "{{\"mode\":\"{}\",\"connections\":{},\"record_bytes\":{},\"batch_records\":{},"
      "\"elapsed_s\":{:.3f},\"requests\":{},\"requests_per_s\":{:.1f},\"records_per_s\":{:.1f},"
      "\"mb_per_s\":{:.2f},\"latency_ns\":{{\"mean\":{:.0f},\"p50\":{},\"p90\":{},\"p99\":{},"
      "\"p999\":{},\"max\":{}}},\"failed\":{{{}}},\"broken_connections\":{},\"failed_requests\":{},"
      "\"longest_gap_ms\":{},\"first_failure\":{}}}\n",
      options.mode, options.connections, options.size_bytes, options.batch, report.elapsed_s,
      latency.count(), rates.requests_per_s, rates.records_per_s, rates.megabytes_per_s,
      latency.mean_ns(), latency.quantile_ns(0.5), latency.quantile_ns(0.9),
      latency.quantile_ns(0.99), latency.quantile_ns(0.999), latency.max_ns(), failed,
      report.broken_count, report.failed_count(), gap_ms(report),
      report.sample.empty() ? "null" : sample);
}

std::chrono::milliseconds to_ms(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

load_options load_options_of(const bench_options& options, const global_options& global,
                             net::log_client& client) {
  load_options load;
  load.servers = client.http().options().servers;
  // The one that answered goes first.
  const auto answered = net::parse_servers(client.http().connected_to());
  const auto first = std::find(load.servers.begin(), load.servers.end(), answered->front());
  if (first != load.servers.end()) std::rotate(load.servers.begin(), first, load.servers.end());
  load.connection_count = options.connections;
  load.warm_up = to_ms(options.warm_up_s);
  load.duration = to_ms(options.duration_s);
  load.connect_timeout = client.http().options().connect_timeout;
  load.request_timeout = client.http().options().request_timeout;
  load.failover_limit =
      to_ms(std::max(global.retry_s, load.servers.size() > 1 ? retry_budget::k_failover_s : 0));
  load.interrupted = &interrupted();
  return load;
}

int run_bench(const bench_options& options, const global_options& global) {
  auto client = open_client(global);
  if (!client) return exit_usage;
  const auto log = client->describe(options.log);
  if (!log) return report_failure(*client, log.error(), global);
  if (options.mode == "read" && log->next_offset < log->lowest_offset + options.batch) {
    print_error(fmt::format("the log {} holds fewer than {} records: append some first",
                            options.log, options.batch));
    return exit_failed;
  }
  auto load = load_options_of(options, global, *client);
  client->http().close();
  std::vector<std::string> appends;
  for (const auto& server : load.servers)
    appends.push_back(append_request(options, server));
  read_requests reads(options, load.servers, *log);
  if (options.mode == "append") {
    load.next_request = [&](std::uint32_t, std::size_t server) -> const std::string& {
      return appends[server];
    };
  } else {
    load.next_request = [&](std::uint32_t i, std::size_t server) -> const std::string& {
      return reads.next(i, server);
    };
  }
  const bool shows_progress = !global.quiet && ::isatty(STDERR_FILENO) == 1;
  int shown = -1;
  if (shows_progress) {
    load.progressed = [&](double part, std::uint64_t answers) {
      const auto percent = static_cast<int>(part * 100);
      if (percent == shown) return;
      shown = percent;
      fmt::print(stderr, "\r\x1b[K{:3}%  {} answers", percent, with_commas(answers));
    };
  }
  const auto report = run_load(load);
  if (shows_progress) fmt::print(stderr, "\r\x1b[K");
  if (!report) {
    print_error(report.error().detail);
    return exit_unreachable;
  }
  options.output == "json" ? print_json(options, *report) : print_table(options, *report);
  if (interrupted().load()) return exit_interrupted;
  if (!report->gave_up.empty()) {
    std::fflush(stdout);
    print_error(report->gave_up);
    return exit_unreachable;
  }
  return report->failed_count() > 0 || report->latencies.count() == 0 ? exit_failed : exit_ok;
}

}  // namespace

void add_bench_command(CLI::App& app, const global_options& global, int& code) {
  auto options = std::make_shared<bench_options>();
  auto* command = app.add_subcommand("bench", "Put load on a node and measure");
  command->add_option("MODE", options->mode, "append or read")
      ->check(CLI::IsMember({"append", "read"}))
      ->capture_default_str();
  command->add_option("--log,-l", options->log, "The log; append fills it with sample records")
      ->capture_default_str();
  command
      ->add_option("--connections,-c", options->connections, "Connections, each with one request")
      ->transform(whole_number(1, 4096))
      ->capture_default_str();
  command->add_option("--size", options->size_bytes, "Bytes of a record")
      ->transform(whole_number(8, 1'048'576))
      ->capture_default_str();
  command->add_option("--batch,-b", options->batch, "Records per request")
      ->transform(whole_number(1, 10'000))
      ->capture_default_str();
  command->add_option("--duration,-d", options->duration_s, "Seconds to measure")
      ->check(decimal_number(0.1, 86'400.0))
      ->capture_default_str();
  command->add_option("--warm-up", options->warm_up_s, "Seconds before that, not counted")
      ->check(decimal_number(0.0, 3600.0))
      ->capture_default_str();
  command->add_option("--output,-o", options->output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  command->footer(
      "A closed loop: a connection sends its next request when the answer has come, so the rate "
      "follows\nthe latency. MB/s count whole requests (append) or whole answers (read).\n\n"
      "A connection that breaks, or has no answer for --timeout, counts its request as failed and "
      "is made\nagain, at the next of the nodes that --server names; when none can be reached, for "
      "20 s (for --retry\nif that is more, or if --server names only one), the run ends.\n\n"
      "Exit codes: 0 every request was answered well; 1 any failed; 2 wrong usage; 3 no node could "
      "be\nreached, at first or any more; 130 interrupted.\n\nExamples:\n"
      "  cairn bench append -c 256 --size 100\n"
      "  cairn bench append -c 4 --batch 1000 -o json\n"
      "  cairn bench read -c 8 --batch 1000\n"
      "  cairn -s n1:8080,n2:8080,n3:8080 bench append -d 60    # n1 may die meanwhile\n");
  command->callback([options, &global, &code] { code = run_bench(*options, global); });
}

}  // namespace cairn::cli
