#include "apps/node_actors.hpp"

#include "actors/cluster/cluster_actor.hpp"
#include "actors/cluster/roster.hpp"
#include "actors/inspect/trace_actor.hpp"
#include "actors/log_actor.hpp"
#include "actors/maintenance_actor.hpp"
#include "actors/membership/membership_actor.hpp"
#include "actors/node_actor.hpp"
#include "actors/raft_actor.hpp"
#include "actors/reader_actor.hpp"
#include "actors/type_ids.hpp"
#include "actors/wire/envelope_parts.hpp"
#include "apps/peer_hub.hpp"
#include "net/limits.hpp"
#include "net/records/append_body.hpp"
#include "proto/record_codec.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <fmt/format.h>

namespace cairn::apps {

namespace {

constexpr std::uint32_t k_heartbeat_ticks = 2;
/// An entry that no frame between nodes could carry would never be committed, and nothing behind
/// it.
constexpr std::uint64_t k_entry_bytes_max = 20 * k_mib_bytes;
static_assert(k_entry_bytes_max + wire::k_head_bytes_max + 4 * actors::k_peer_name_bytes_max <
              peer_hub_limits{}.frame_bytes);
// What the gateway takes fits, with what each of its records costs beside its value.
static_assert(net::gateway_limits{}.body_bytes + net::append_body_options{}.max_records *
                                                     proto::batch_encoder::k_record_overhead_bytes <
              k_entry_bytes_max);

/// The core's random numbers are those of the env.
class env_random : public raft::random_source {
public:
  explicit env_random(storage::env& env) : env_(env) {}
  std::uint64_t next() override { return env_.random_u64(); }

private:
  storage::env& env_;
};

}  // namespace

actor_settings::actor_settings() {
  actors::init_type_ids();
  set("caf.scheduler.policy", "sharing");
  set("caf.scheduler.max-threads", 2);
  set("caf.logger.console.verbosity", "quiet");
  set("caf.logger.file.verbosity", "quiet");
  // Mailboxes and handling times by kind of actor (docs/metrics.md); nobody else's.
  set("caf.metrics-filters.actors.includes", std::vector<std::string>{"cairn.*"});
}

result<std::unique_ptr<node_actors>> node_actors::start(caf::actor_system& system,
                                                        storage::env& env,
                                                        node_actors_config config,
                                                        storage::recovery_report& report) {
  if (!config.observer) config.observer = std::make_shared<actors::log_observer>();
  std::unique_ptr<node_actors> node(new node_actors(system, env, std::move(config)));
  auto store =
      actors::log_store::open(env, node->config_.log, node->gate_, node->config_.observer, report);
  if (!store) return store.error();
  if (auto begun = node->begin_group(**store); !begun) return begun.error();
  auto boot = (*store)->boot_state();
  if (!boot) return boot.error();
  auto sessions = (*store)->load_sessions();
  if (!sessions) return sessions.error();
  node->reader_ = (*store)->reader();
  node->spawn(std::move(*store), *std::move(boot),
              std::make_shared<actors::session_boot>(*std::move(sessions)));
  return node;
}

node_actors::node_actors(caf::actor_system& system, storage::env& env, node_actors_config config)
    : system_(system),
      env_(env),
      config_(std::move(config)),
      gate_(std::make_shared<actors::log_gate>(config_.limits)),
      directory_(std::make_shared<actors::segment_directory>()) {}

node_actors::~node_actors() {
  (void)stop(std::chrono::seconds(5));
}

// Number 1 is the node that a cluster began with. Whoever joins gets its log from the others.
status node_actors::begin_group(actors::log_store& store) const {
  if (!store.blank()) return {};
  if (!config_.fresh) {
    return error{
        errc::corruption,
        fmt::format("{}: the log is empty although node {} has been a member of cluster {}: "
                    "the disk has lost it. Remove the node (cairn cluster remove {}), empty "
                    "its data directory and let it join again",
                    config_.log.directory, config_.node_id, config_.cluster_id, config_.node_id)};
  }
  if (config_.self.number != 1) return {};
  return store.bootstrap(actors::bootstrap_configuration(config_.cluster_id, config_.self));
}

template <class Actor, class... Args>
caf::actor node_actors::spawn_blocking(const char* kind, const std::string& name, Args... args) {
  caf::actor actor;
  if (config_.detached) {
    actor = system_.spawn<Actor, caf::detached>(std::move(args)...);
  } else {
    actor = system_.spawn<Actor>(std::move(args)...);
  }
  introduce(actor, kind, name);
  return actor;
}

void node_actors::introduce(const caf::actor& who, const char* kind, const std::string& name) {
  caf::anon_send(
      node_, actors::actor_started{.who = who, .kind = kind, .name = name, .parent = node_.id()});
}

void node_actors::spawn(std::unique_ptr<actors::log_store> store, raft::boot_state boot,
                        std::shared_ptr<actors::session_boot> sessions) {
  node_ = system_.spawn<actors::node_actor>(actors::node_actor_config{.env = &env_,
                                                                      .node_id = config_.node_id,
                                                                      .on_fatal = config_.on_fatal,
                                                                      .events = config_.events});
  for (std::uint32_t i = 0; i < config_.readers; ++i) {
    const auto name = fmt::format("reader-{}", i);
    readers_.push_back(spawn_blocking<actors::reader_actor>(
        "reader", name,
        actors::reader_actor_config{.env = &env_,
                                    .name = name,
                                    .parent = node_.id(),
                                    .gate = gate_,
                                    .observer = config_.observer,
                                    .reader = reader_}));
  }
  maintenance_ = spawn_blocking<actors::maintenance_actor>(
      "maintenance", "maintenance",
      actors::maintenance_actor_config{.env = &env_,
                                       .parent = node_.id(),
                                       .work = store->log().background(),
                                       .retention_interval = config_.retention_interval});
  const auto publisher = store->publisher();
  log_ = spawn_blocking<actors::log_actor>("log", config_.log.name, std::move(store),
                                           actors::log_actor_config{.parent = node_.id(),
                                                                    .node = node_,
                                                                    .maintenance = maintenance_,
                                                                    .readers = readers_,
                                                                    .directory = directory_,
                                                                    .events = config_.events});
  spawn_raft(publisher, std::move(boot), std::move(sessions));
  if (config_.hub != nullptr) {
    spawn_cluster();
    spawn_membership();
  }
  spawn_inspect();
  if (!config_.detached) return;
  // Once it answers, its segments are in the directory, and cold reads find them.
  caf::scoped_actor self{system_};
  self->request(log_, caf::infinite, actors::ask_log{})
      .receive([](const actors::log_report&) {}, [](const caf::error&) {});
  // Likewise: what is known to be committed is published, all of it if this node is alone.
  self->request(raft_, caf::infinite, actors::ask_raft{})
      .receive([](const actors::raft_report&) {}, [](const caf::error&) {});
}

void node_actors::spawn_raft(const storage::log_publisher& publisher, raft::boot_state boot,
                             std::shared_ptr<actors::session_boot> sessions) {
  actors::raft_actor_config raft;
  raft.env = &env_;
  raft.hub = config_.hub;
  raft.parent = node_.id();
  raft.node = node_;
  raft.log = log_;
  raft.log_name = config_.log.name;
  raft.cluster_id = config_.cluster_id;
  raft.boot = std::move(boot);
  raft.random = std::make_shared<env_random>(env_);
  raft.gate = gate_;
  raft.observer = config_.observer;
  raft.view = raft_view_;
  raft.node_id = config_.node_id;
  raft.events = config_.events;
  raft.publish = [publisher](log_index last) { return publisher.publish(last); };
  // A segment may outgrow its size by the room that is kept in stock.
  raft.replica.room_wanted_bytes =
      std::min(raft.replica.room_wanted_bytes, config_.log.log.segment_bytes / 8);
  // Two ticks a heartbeat: as coarse as it may be, because each tick wakes a thread.
  const auto tick = std::chrono::nanoseconds(config_.heartbeat) / k_heartbeat_ticks;
  raft.replica.tick_ns = static_cast<std::uint64_t>(tick.count());
  raft.replica.sessions = std::move(sessions);
  auto& core = raft.replica.core;
  core.self = raft::node_id(config_.self.number);
  core.heartbeat_ticks = k_heartbeat_ticks;
  core.election_ticks =
      static_cast<std::uint32_t>(std::chrono::nanoseconds(config_.election) / tick);
  core.entry_bytes_max = k_entry_bytes_max;
  core.quiesce_after_ticks = 0;  // docs/protocol/raft.md, "Sleep", says why it is off
  if (config_.recorder.ring_bytes != 0) {
    recorder_ = std::make_shared<actors::flight_recorder>(
        config_.recorder.ring_bytes, actors::recorder_identity{.node = config_.node_id,
                                                               .cluster_id = config_.cluster_id,
                                                               .log = config_.log.name,
                                                               .version = config_.version,
                                                               .core = core,
                                                               .tick_ns = raft.replica.tick_ns});
    recorder_->set_time(env_.monotonic_ns(), env_.now_ms());
    raft.replica.recorder = recorder_;
    if (!config_.recorder.dumps.empty()) dumps_.emplace(config_.recorder.dumps, recorder_);
  }
  raft_ = spawn_blocking<actors::raft_actor>("raft", config_.log.name, std::move(raft));
}

void node_actors::spawn_cluster() {
  cluster_ = system_.spawn<actors::cluster_actor>(
      actors::cluster_actor_config{.env = &env_,
                                   .hub = config_.hub,
                                   .parent = node_.id(),
                                   .raft = raft_,
                                   .cluster_id = config_.cluster_id,
                                   .log = config_.log.name,
                                   .self = config_.self,
                                   .hints = config_.hints,
                                   .view = cluster_view_,
                                   .on_member = config_.on_member});
  introduce(cluster_, "cluster", "cluster");
}

// States are for people and for the view of ports: nothing follows from them by itself.
void node_actors::spawn_membership() {
  actors::membership_actor_config membership;
  membership.env = &env_;
  membership.hub = config_.hub;
  membership.parent = node_.id();
  membership.raft = raft_;
  membership.cluster_id = config_.cluster_id;
  membership.self = {.node_id = config_.self.node_id,
                     .number = config_.self.number,
                     .peer = config_.self.peer,
                     .http = config_.self.http,
                     .grpc = config_.self.grpc,
                     .version = config_.version,
                     .zone = config_.self.zone};
  membership.view = membership_view_;
  membership.events = config_.events;
  membership.outside = [view = cluster_view_] { return view->unready(); };
  membership_ = system_.spawn<actors::membership_actor>(std::move(membership));
  introduce(membership_, "membership", "membership");
}

void node_actors::spawn_inspect() {
  auto inspect = config_.inspect;
  tracer_ =
      system_.spawn<actors::trace_actor>(actors::trace_actor_config{.env = &env_,
                                                                    .parent = node_.id(),
                                                                    .node_id = config_.node_id,
                                                                    .log = config_.log.name,
                                                                    .raft = raft_,
                                                                    .gate = gate_,
                                                                    .view = raft_view_});
  introduce(tracer_, "trace", config_.log.name);
  inspect.hooks.trace = actors::trace_hook(tracer_);
  inspect.env = &env_;
  inspect.hub = config_.hub;
  inspect.parent = node_.id();
  inspect.node_id = config_.node_id;
  inspect.cluster_id = config_.cluster_id;
  inspect.node = node_;
  inspect.raft = raft_;
  inspect.log = config_.log.name;
  inspect.cluster = cluster_view_;
  inspect.membership = membership_view_;
  inspect.gate = gate_;
  inspect.segments = directory_;
  inspect.hooks.recorder = recorder_hook(recorder_, env_, config_.events);
  inspect_ = system_.spawn<actors::inspect_actor>(std::move(inspect));
  introduce(inspect_, "inspect", "inspect");
  caf::anon_send(tracer_, actors::trace_through{inspect_});
}

status node_actors::stop(std::chrono::milliseconds deadline) {
  if (stopped_ || !log_) return {};
  stopped_ = true;
  gate_->set_closing();
  status outcome;
  {
    caf::scoped_actor self{system_};
    self->request(raft_, deadline, actors::close_log{})
        .receive(
            [&](const actors::log_closed& closed) {
              if (closed.code != errc::none) outcome = error{closed.code, closed.detail};
            },
            [&](const caf::error& why) {
              outcome =
                  error{errc::unavailable, fmt::format("the log did not close within {} ms: {}",
                                                       deadline.count(), caf::to_string(why))};
            });
  }
  // The root first: what ends now ends because we say so.
  caf::anon_send_exit(node_, caf::exit_reason::user_shutdown);
  if (cluster_) caf::anon_send_exit(cluster_, caf::exit_reason::user_shutdown);
  if (membership_) caf::anon_send_exit(membership_, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(inspect_, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(tracer_, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(raft_, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(log_, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(maintenance_, caf::exit_reason::user_shutdown);
  for (const auto& reader : readers_) {
    caf::anon_send_exit(reader, caf::exit_reason::user_shutdown);
  }
  return outcome;
}

}  // namespace cairn::apps
