#include "apps/node.hpp"

#include "actors/type_ids.hpp"
#include "apps/actor_backend.hpp"
#include "apps/data_directory.hpp"
#include "apps/end_signal.hpp"
#include "apps/inspect_hooks.hpp"
#include "apps/log_level_hook.hpp"
#include "apps/node_actors.hpp"
#include "apps/node_join.hpp"
#include "apps/node_log.hpp"
#include "apps/node_log_metrics.hpp"
#include "apps/node_metrics.hpp"
#include "apps/node_parts.hpp"
#include "apps/node_story.hpp"
#include "apps/peer_hub.hpp"
#include "apps/process_facts.hpp"
#include "apps/recorder_dumps.hpp"
#include "apps/version.hpp"
#include "net/gateway.hpp"
#include "storage/base/log_line.hpp"
#include "storage/posix_env.hpp"

#include <algorithm>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <chrono>
#include <csignal>
#include <unistd.h>

namespace cairn::apps {

namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

constexpr const char* k_log_name = "default";

// SIGTERM to exit takes at most the sum of these and of node_log's patience, and the promise is 10
// s.
constexpr milliseconds k_hand_over_ms{2'000};
constexpr milliseconds k_drain_ms{4'000};
constexpr milliseconds k_close_ms{3'500};
/// Whether the node is ready is looked at so often; ports.json is tried again then, too.
constexpr int k_look_ms = 1'000;
static_assert(k_hand_over_ms + k_drain_ms + k_close_ms + node_log::k_end_patience +
                  node_log::k_give_up_patience <
              milliseconds(10'000));
/// After a failed write: enough for the answers that are under way.
constexpr milliseconds k_fenced_drain_ms{700};

int failed(const char* what, const error& why) {
  log_critical(log_component::node)
      .field("code", to_string(why.code))
      .say("{}: {}", what, why.detail);
  return why.code == errc::invalid_argument ? k_exit_bad_configuration : k_exit_failed;
}

result<std::unique_ptr<node_peer_hub>> start_hub(const node_config& config,
                                                 const data_directory& data,
                                                 std::shared_ptr<const shared_text> cluster_id,
                                                 std::shared_ptr<node_registry> registry) {
  peer_hub_config hub;
  hub.node_id = config.node_id;
  hub.data_id = data.identity().data_id;
  hub.cluster_id = [cluster_id] { return cluster_id->get(); };
  hub.listen_host = config.peer.host;
  hub.listen_port = config.peer.port;
  if (!config.advertise_host.empty()) hub.advertise = advertised(config, config.peer);
  hub.registry = std::move(registry);
  return make_peer_hub(std::move(hub));
}

node_actors_config actors_config(const node_config& config, const data_directory& data,
                                 node_peer_hub& hub, proto::cluster_member self,
                                 std::shared_ptr<actors::log_observer> observer, end_signal& end) {
  node_actors_config out;
  out.node_id = config.node_id;
  out.cluster_id = data.identity().cluster_id;
  out.self = std::move(self);
  out.version = k_version;
  out.fresh = data.identity().fresh;
  out.hub = &hub;
  for (const auto& address : config.join)
    out.hints.push_back(to_text(address));
  out.heartbeat = milliseconds(config.heartbeat_ms);
  out.election = milliseconds(config.election_ms);
  out.log.name = k_log_name;
  out.log.directory = data.log_path(k_log_name);
  out.log.log = config.log;
  out.log.retention = config.retention;
  out.limits = config.limits;
  out.readers = config.readers;
  out.retention_interval = milliseconds(config.retention_check_ms);
  out.on_fatal = [&end](const std::string& reason) { end.fail(reason); };
  out.on_member = [&end] { end.wake(); };
  out.observer = std::move(observer);
  out.recorder = {config.recorder_bytes, config.data_dir};
  return out;
}

status write_ports(const data_directory& data, const node_config& config, std::uint16_t http_port,
                   const node_peer_hub& hub) {
  auto told = data.write_ports({.http = to_text({config.http.host, http_port}),
                                .grpc = "",
                                .peer = to_text({config.peer.host, hub.port()}),
                                .process_id = static_cast<std::uint64_t>(getpid())});
  if (!told) {
    log_warning(log_component::node)
        .sparsely()
        .say(
            "cannot write ports.json: {}. The node serves all the same, and tries again every "
            "second; whoever waits for that file does not find it. See the data directory's "
            "permissions and space.",
            told.error().detail);
  }
  return told;
}

/// The rest of the process is stuck or its state unknown; files that are open stay as they are.
[[noreturn]] void end_process(node_log& log, int code) {
  log.flush();
  _exit(code);
}

std::string parting_failed(bool leaving, const std::string& why) {
  return leaving ? fmt::format(
                       "leaving the cluster failed: {}. This node ends and stays a member; "
                       "remove it with 'cairn cluster remove' if it does not come back.",
                       why)
                 : fmt::format(
                       "handing the lead over failed: {}. This node ends all the same, and "
                       "the others elect a leader once they miss it.",
                       why);
}

/// Before this node ends: its lead goes to another, or it leaves altogether. Bounded; if it does
/// not work out, the others elect somebody.
void part_from_cluster(const node_config& config, node_actors& actors) {
  const auto report = actors.cluster_view()->get();
  if (!actors.cluster() || report->members.size() < 2) return;
  const bool leads = report->leader == config.node_id;
  if (!config.leave && !leads) return;
  actors::change_cluster wish;
  wish.what = config.leave ? actors::change_cluster::action::remove_member
                           : actors::change_cluster::action::move_leader;
  if (config.leave) wish.node = config.node_id;
  wish.log = k_log_name;
  wish.timeout_ms = static_cast<std::uint32_t>(k_hand_over_ms.count());
  caf::scoped_actor self{actors.system()};
  self->request(actors.cluster(), k_hand_over_ms, std::move(wish))
      .receive(
          [&](const actors::cluster_change_done& done) {
            if (done.code != errc::none) {
              log_warning(log_component::node)
                  .field("code", to_string(done.code))
                  .say("{}", parting_failed(config.leave, done.detail));
            } else if (config.leave) {
              log_info(log_component::node).say("left the cluster");
            } else {
              log_info(log_component::node)
                  .field("peer", done.leader)
                  .say("node {} leads now", done.leader);
            }
          },
          [&](const caf::error&) {
            log_warning(log_component::node)
                .say("{}", parting_failed(config.leave, "it took too long"));
          });
}

/// Everything that a running node is made of. Members are ended in the reverse of their order,
/// except that the hub's threads end before the actor system, which its receivers belong to.
struct running_node {
  running_node(const node_config& its_config, node_log& its_log)
      : config(its_config), log(its_log) {}
  ~running_node() {
    if (hub) hub->stop();
  }
  running_node(const running_node&) = delete;
  running_node& operator=(const running_node&) = delete;

  const node_config& config;
  node_log& log;
  clock::time_point begun = clock::now();
  end_signal end;
  std::unique_ptr<storage::env> env = storage::make_posix_env();
  unix_ms started_ms = env->now_ms();
  std::shared_ptr<shared_text> cluster_id = std::make_shared<shared_text>();
  std::shared_ptr<shared_text> http = std::make_shared<shared_text>();  ///< where it listens
  actors::node_events_ptr events = std::make_shared<actors::node_events>(*env, env->random_u64());
  std::shared_ptr<node_registry> registry = std::make_shared<node_registry>();
  node_story story{events, config.node_id, std::string(k_version)};
  std::unique_ptr<node_peer_hub> hub;
  actor_settings settings;
  caf::actor_system system{settings};
};

int end_node(std::optional<std::string> failure, running_node& node, net::gateway& gateway,
             node_actors& actors, const data_directory& data) {
  const auto begun = clock::now();
  if (failure) {
    gateway.stop(k_fenced_drain_ms);
    data.remove_ports();
    log_critical(log_component::node).say("node ended because of a failure: {}", *failure);
    report_recorder_dump(node.config.data_dir, actors.recorder(), *failure);
    end_process(node.log, k_exit_failed);
  }
  log_info(log_component::node).say("ending: finishing what is under way");
  part_from_cluster(node.config, actors);
  gateway.stop(k_drain_ms);
  const auto closed = actors.stop(k_close_ms);
  data.remove_ports();
  if (!closed) {
    log_critical(log_component::node)
        .field("code", to_string(closed.code()))
        .say(
            "closing the log failed: {}. What was acknowledged is safe; the next start recovers by "
            "scanning the log.",
            closed.error().detail);
    end_process(node.log, k_exit_failed);
  }
  const auto took = std::chrono::duration_cast<milliseconds>(clock::now() - begun);
  log_info(log_component::node)
      .field("took_ms", took.count())
      .field("next_offset", actors.reader()->end_offset().value())
      .say("ended");
  return k_exit_ok;
}

void report_recovery(const storage::recovery_report& report) {
  for (const auto& warning : report.warnings)
    log_warning(log_component::storage).field("log", k_log_name).say("recovery: {}", warning);
  if (report.clean) return;
  log_warning(log_component::storage)
      .field("log", k_log_name)
      .field("scanned_bytes", report.scanned_bytes)
      .field("torn_bytes", report.torn_bytes)
      .field("rebuilt_indexes", report.rebuilt_indexes)
      .field("removed_files", report.removed_files)
      .say(
          "recovery: the node was not ended gracefully. The log was scanned, {} bytes of an "
          "unacknowledged write cut off, {} indexes rebuilt, {} left-over files removed: all that "
          "was acknowledged is there, and nothing has to be done.",
          report.torn_bytes, report.rebuilt_indexes, report.removed_files);
}

/// What the InspectActor is to know of the process.
actors::inspect_actor_config inspect_of(const running_node& node, const net::member_info& shown) {
  actors::inspect_actor_config out;
  out.node_id = shown.id;
  out.events = node.events;
  out.self = member_state_of(shown);
  out.log_limits = log_limits_of(node.config);
  out.hooks.metrics = metrics_hook(node.registry);
  out.hooks.log_level = log_level_hook();
  out.hooks.node_facts = process_facts_hook(
      {.data_dir = node.config.data_dir,
       .peer = node.hub->address(),
       .http = node.http,
       .started_ms = node.started_ms,
       .observers = [hub = node.hub.get()] {
         const auto links = hub->links();
         return static_cast<std::uint32_t>(std::count_if(
             links.begin(), links.end(), [](const auto& link) { return link.observer; }));
       }});
  return out;
}

/// Until this node is a member. Nothing: it is one now, and listened at `http`. Otherwise it ends
/// with that code.
std::optional<int> become_member(running_node& node, data_directory& data, listen_address& http) {
  auto self = member_of(node.config, data, *node.hub, http);
  auto outcome = join_cluster(
      node.config, {.system = node.system,
                    .env = *node.env,
                    .hub = *node.hub,
                    .end = node.end,
                    .self = self,
                    .shown = shown_of(self),
                    .inspect = inspect_of(node, shown_of(self)),
                    .http = gateway_of(node.config, std::make_shared<prometheus::Registry>()),
                    .on_listening = [&](std::uint16_t port) {
                      node.http->set(to_text({node.config.http.host, port}));
                      (void)write_ports(data, node.config, port, *node.hub);
                      log_info(log_component::node)
                          .field("version", k_version)
                          .say("cairnd {} node {} waits to join a cluster, peers at {}, http://{}",
                               k_version, node.config.node_id, self.peer,
                               to_text({node.config.http.host, port}));
                    }});
  if (!outcome) return failed("cannot serve HTTP", outcome.error());
  if (!outcome->member) data.remove_ports();
  if (outcome->ended) {
    const auto failure = node.end.wait();
    if (!failure) return k_exit_ok;
    log_critical(log_component::node).say("node ended because of a failure: {}", *failure);
    return k_exit_failed;
  }
  if (!outcome->member) {
    log_critical(log_component::node)
        .field("code", to_string(outcome->refused.code))
        .say("this node cannot join: {}", outcome->refused.detail);
    return k_exit_bad_configuration;
  }
  http.port = outcome->http_port;
  // Durable before it acts as a member: it must never come back under another number.
  if (auto bound = data.bind(outcome->cluster_id, outcome->number); !bound) {
    return failed("cannot write the data directory", bound.error());
  }
  log_info(log_component::node)
      .field("cluster_id", outcome->cluster_id)
      .field("number", outcome->number)
      .say("joined cluster {} as number {}", outcome->cluster_id, outcome->number);
  node.story.joined(outcome->cluster_id, outcome->number);
  node.cluster_id->set(outcome->cluster_id);
  return std::nullopt;
}

int run_member(running_node& node, data_directory& data, const listen_address& http) {
  const auto& config = node.config;
  const auto observer = make_log_metrics(*node.registry, k_log_name);
  auto self = member_of(config, data, *node.hub, http);
  storage::recovery_report recovery;
  auto parts = actors_config(config, data, *node.hub, self, observer, node.end);
  parts.inspect = inspect_of(node, shown_of(self));
  parts.events = node.events;
  auto actors = node_actors::start(node.system, *node.env, std::move(parts), recovery);
  if (!actors) return failed("cannot open the log", actors.error());
  node.story.started(recovery, (*actors)->reader()->end_offset().value());
  report_recovery(recovery);
  if (data.identity().number == 1) {
    // The log of the first node has begun with its first start.
    if (auto begun = data.log_begun(); !begun) {
      return failed("cannot write the data directory", begun.error());
    }
  }
  add_node_metrics(*node.registry, {.env = node.env.get(),
                                    .started_ms = node.started_ms,
                                    .data_dir = config.data_dir,
                                    .log = k_log_name,
                                    .node_id = config.node_id,
                                    .gate = (*actors)->gate(),
                                    .reader = (*actors)->reader(),
                                    .raft = (*actors)->raft_view(),
                                    .cluster = (*actors)->cluster_view(),
                                    .times = observer->times(),
                                    .events = node.events,
                                    .system = &node.system});
  add_node_log_metrics(*node.registry, node.log);
  actor_backend backend(**actors, {.settings = settings_of(config)});
  auto listener = gateway_of(config, node.registry);
  listener.port = http.port;
  auto gateway = net::gateway::start(std::move(listener), backend);
  if (!gateway) {
    const auto code = failed("cannot serve HTTP", gateway.error());
    (void)(*actors)->stop(k_close_ms);
    return code;
  }
  const listen_address listening{config.http.host, (*gateway)->port()};
  node.http->set(to_text(listening));
  caf::anon_send((*actors)->cluster(), actors::serves_clients{advertised(config, listening)});
  bool told = write_ports(data, config, listening.port, *node.hub).ok();
  const auto took = std::chrono::duration_cast<milliseconds>(clock::now() - node.begun);
  log_info(log_component::node)
      .field("version", k_version)
      .field("lowest_offset", (*actors)->reader()->lowest_offset().value())
      .field("next_offset", (*actors)->reader()->end_offset().value())
      .field("took_ms", took.count())
      .say("cairnd {} node {} serves http://{}, peers at {}, data {}", k_version, config.node_id,
           to_text(listening), self.peer, config.data_dir);
  node.story.serves(to_text(listening), self.peer);
  while (node.end.wait_for_wake(k_look_ms)) {
    node.story.look(backend.unready_reasons());
    if (!told) told = write_ports(data, config, listening.port, *node.hub).ok();
    if (auto begun = data.log_begun(); !begun) {
      log_warning(log_component::node)
          .sparsely()
          .field("code", to_string(begun.code()))
          .say(
              "cannot write the data directory: {}. It is tried again; until then this node must "
              "not lose its data. See the directory's permissions and space.",
              begun.error().detail);
    }
  }
  auto failure = node.end.wait();
  node.story.ends(failure);
  return end_node(std::move(failure), node, **gateway, **actors, data);
}

}  // namespace

int run_node(const node_config& config) {
  const auto levels = parse_log_levels(config.log_level);
  if (!levels) return k_exit_bad_configuration;  // read_command_line() has said why
  node_log lines({.levels = *levels,
                  .format = config.log_format == "json" ? log_format::json : log_format::text,
                  .node_id = config.node_id});
  log_crashes();
  std::signal(SIGPIPE, SIG_IGN);
  raise_open_files_max();
  running_node node(config, lines);

  const bool joins = !config.join.empty() || config.wait_to_be_added;
  const auto how = config.bootstrap ? first_start::bootstrap
                   : joins          ? first_start::join
                                    : first_start::alone;
  auto data = data_directory::open(*node.env, config.data_dir, config.node_id, how);
  if (!data) return failed("cannot use the data directory", data.error());
  data->remove_ports();  // left by a node that was killed; whoever waits for it must not find that
  const auto identity = data->identity();
  if (identity.is_member() && joins) {
    log_info(log_component::node)
        .field("cluster_id", identity.cluster_id)
        .field("number", identity.number)
        .say("node {} is a member of cluster {} already: --join has no effect", config.node_id,
             identity.cluster_id);
  }
  node.cluster_id->set(identity.cluster_id);
  auto hub = start_hub(config, *data, node.cluster_id, node.registry);
  if (!hub) return failed("cannot listen for other nodes (--peer)", hub.error());
  node.hub = *std::move(hub);
  auto http = config.http;
  if (!identity.is_member()) {
    if (const auto code = become_member(node, *data, http)) return *code;
  }
  return run_member(node, *data, http);
}

}  // namespace cairn::apps
