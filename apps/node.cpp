#include "apps/node.hpp"

#include "apps/actor_backend.hpp"
#include "apps/data_directory.hpp"
#include "apps/end_signal.hpp"
#include "apps/node_actors.hpp"
#include "apps/node_log.hpp"
#include "apps/node_metrics.hpp"
#include "apps/process_facts.hpp"
#include "apps/version.hpp"
#include "net/gateway.hpp"
#include "storage/posix_env.hpp"

#include <chrono>
#include <csignal>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace cairn::apps {

namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

constexpr const char* k_log_name = "default";

// SIGTERM to exit takes at most the sum of these, and the promise is 10 s.
constexpr milliseconds k_drain_ms{5'000};
constexpr milliseconds k_close_ms{4'000};
/// After a failed write: enough for the answers that are under way.
constexpr milliseconds k_fenced_drain_ms{700};

int failed(const char* what, const error& why) {
  spdlog::critical("{}: {}", what, why.detail);
  return why.code == errc::invalid_argument ? k_exit_bad_configuration : k_exit_failed;
}

node_actors_config actors_config(const node_config& config, const data_directory& data,
                                 std::shared_ptr<actors::log_observer> observer, end_signal& end) {
  node_actors_config out;
  out.node_id = config.node_id;
  out.log.name = k_log_name;
  out.log.directory = data.log_path(k_log_name);
  out.log.node_id = config.node_id;
  out.log.log = config.log;
  out.log.retention = config.retention;
  out.limits = config.limits;
  out.readers = config.readers;
  out.retention_interval = milliseconds(config.retention_check_ms);
  out.on_fatal = [&end](const std::string& reason) { end.fail(reason); };
  out.observer = std::move(observer);
  return out;
}

node_facts facts_of(const node_config& config, const data_directory& data) {
  node_facts facts;
  facts.cluster_id = data.identity().cluster_id;
  facts.settings.segment_bytes = config.log.segment_bytes;
  facts.settings.segment_ms = config.retention.segment_ms;
  facts.settings.retention_bytes = config.retention.bytes;
  facts.settings.retention_ms = config.retention.ms;
  facts.settings.max_record_bytes = config.max_record_bytes;
  return facts;
}

net::member_info self_of(const node_config& config, const listen_address& http) {
  net::member_info self;
  self.id = config.node_id;
  self.state = "alive";
  self.http = advertised(config, http);
  self.zone = config.zone;
  self.version = k_version;
  self.incarnation = 1;
  return self;
}

/// The rest of the process is stuck or its state unknown; files that are open stay as they are.
[[noreturn]] void end_process(int code) {
  flush_node_log();
  _exit(code);
}

int end_node(std::optional<std::string> failure, net::gateway& gateway, node_actors& actors,
             const data_directory& data) {
  const auto begun = clock::now();
  if (failure) {
    gateway.stop(k_fenced_drain_ms);
    data.remove_ports();
    spdlog::critical("node ended because of a failure: {}", *failure);
    end_process(k_exit_failed);
  }
  spdlog::info("ending: finishing what is under way");
  gateway.stop(k_drain_ms);
  const auto closed = actors.stop(k_close_ms);
  data.remove_ports();
  if (!closed) {
    spdlog::critical("closing the log: {}; the next start recovers by scanning it",
                     closed.error().detail);
    end_process(k_exit_failed);
  }
  const auto took = std::chrono::duration_cast<milliseconds>(clock::now() - begun);
  spdlog::info("ended in {} ms at offset {}", took.count(), actors.reader()->end_offset().value());
  return k_exit_ok;
}

void report_recovery(const storage::recovery_report& report) {
  for (const auto& warning : report.warnings)
    spdlog::warn("recovery: {}", warning);
  if (report.clean) return;
  spdlog::warn(
      "recovery: the node was not ended gracefully: {} bytes scanned, {} bytes of an "
      "unacknowledged "
      "write cut off, {} indexes rebuilt, {} left-over files removed",
      report.scanned_bytes, report.torn_bytes, report.rebuilt_indexes, report.removed_files);
}

}  // namespace

int run_node(const node_config& config) {
  const auto begun = clock::now();
  start_node_log(config.log_level, config.log_format, config.node_id);
  end_signal end;
  std::signal(SIGPIPE, SIG_IGN);
  raise_open_files_max();

  // Until there is somebody to carry it out.
  if (!config.join.empty() || config.wait_to_be_added) {
    return failed("--join", error{errc::invalid_argument, "joining is not supported yet"});
  }

  const auto env = storage::make_posix_env();
  auto data = data_directory::open(*env, config.data_dir, config.node_id,
                                   config.bootstrap ? first_start::bootstrap : first_start::alone);
  if (!data) return failed("cannot use the data directory", data.error());
  data->remove_ports();  // left by a node that was killed; whoever waits for it must not find that

  auto registry = std::make_shared<node_registry>();
  auto observer = make_log_metrics(*registry, k_log_name);
  actor_settings settings;
  caf::actor_system system(settings);
  storage::recovery_report recovery;
  auto actors =
      node_actors::start(system, *env, actors_config(config, *data, observer, end), recovery);
  if (!actors) return failed("cannot open the log", actors.error());
  report_recovery(recovery);
  add_node_gauges(*registry, {.env = env.get(),
                              .data_dir = config.data_dir,
                              .log = k_log_name,
                              .node_id = config.node_id,
                              .gate = (*actors)->gate(),
                              .reader = (*actors)->reader()});

  actor_backend backend(**actors, facts_of(config, *data));
  backend.set_self(self_of(config, config.http));
  net::gateway_config http;
  http.address = config.http.host;
  http.port = config.http.port;
  http.threads = config.http_threads;
  http.limits = config.http_limits;
  http.registry = registry;
  http.log = [](std::string_view line) { spdlog::warn("gateway: {}", line); };
  auto gateway = net::gateway::start(std::move(http), backend);
  if (!gateway) {
    const auto code = failed("cannot serve HTTP", gateway.error());
    (void)(*actors)->stop(k_close_ms);
    return code;
  }
  const listen_address listening{config.http.host, (*gateway)->port()};
  backend.set_self(self_of(config, listening));
  auto told = data->write_ports({.http = to_text(listening),
                                 .grpc = "",
                                 .peer = "",
                                 .process_id = static_cast<std::uint64_t>(getpid())});
  if (!told) spdlog::warn("cannot write ports.json: {}", told.error().detail);
  const auto took = std::chrono::duration_cast<milliseconds>(clock::now() - begun);
  spdlog::info("cairnd {} node {} serves http://{}, data {}, offsets [{}, {}), started in {} ms",
               k_version, config.node_id, to_text(listening), config.data_dir,
               (*actors)->reader()->lowest_offset().value(),
               (*actors)->reader()->end_offset().value(), took.count());

  return end_node(end.wait(), **gateway, **actors, *data);
}

}  // namespace cairn::apps
