#include "apps/node_actors.hpp"

#include "actors/log_actor.hpp"
#include "actors/maintenance_actor.hpp"
#include "actors/node_actor.hpp"
#include "actors/reader_actor.hpp"
#include "actors/type_ids.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <fmt/format.h>

namespace cairn::apps {

actor_settings::actor_settings() {
  actors::init_type_ids();
  set("caf.scheduler.policy", "sharing");
  set("caf.scheduler.max-threads", 2);
  set("caf.logger.console.verbosity", "quiet");
  set("caf.logger.file.verbosity", "quiet");
}

result<std::unique_ptr<node_actors>> node_actors::start(caf::actor_system& system,
                                                        storage::env& env,
                                                        node_actors_config config,
                                                        storage::recovery_report& report) {
  if (!config.observer) config.observer = std::make_shared<actors::log_observer>();
  std::unique_ptr<node_actors> node(new node_actors(system, env, std::move(config)));
  auto writer =
      actors::log_writer::open(env, node->config_.log, node->gate_, node->config_.observer, report);
  if (!writer) return writer.error();
  node->reader_ = (*writer)->log().reader();
  node->spawn(std::move(*writer));
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

template <class Actor, class Config>
caf::actor node_actors::spawn_blocking(Config config, const char* kind, const std::string& name) {
  caf::actor actor;
  if (config_.detached) {
    actor = system_.spawn<Actor, caf::detached>(std::move(config));
  } else {
    actor = system_.spawn<Actor>(std::move(config));
  }
  introduce(actor, kind, name);
  return actor;
}

void node_actors::introduce(const caf::actor& who, const char* kind, const std::string& name) {
  caf::anon_send(
      node_, actors::actor_started{.who = who, .kind = kind, .name = name, .parent = node_.id()});
}

void node_actors::spawn(std::unique_ptr<actors::log_writer> writer) {
  node_ = system_.spawn<actors::node_actor>(actors::node_actor_config{
      .env = &env_, .node_id = config_.node_id, .on_fatal = config_.on_fatal});
  for (std::uint32_t i = 0; i < config_.readers; ++i) {
    const auto name = fmt::format("reader-{}", i);
    readers_.push_back(spawn_blocking<actors::reader_actor>(
        actors::reader_actor_config{.env = &env_,
                                    .name = name,
                                    .parent = node_.id(),
                                    .gate = gate_,
                                    .observer = config_.observer,
                                    .reader = reader_},
        "reader", name));
  }
  maintenance_ = spawn_blocking<actors::maintenance_actor>(
      actors::maintenance_actor_config{.env = &env_,
                                       .parent = node_.id(),
                                       .work = writer->log().background(),
                                       .retention_interval = config_.retention_interval},
      "maintenance", "maintenance");
  actors::log_actor_config log{.parent = node_.id(),
                               .node = node_,
                               .maintenance = maintenance_,
                               .readers = readers_,
                               .directory = directory_};
  if (config_.detached) {
    log_ = system_.spawn<actors::log_actor, caf::detached>(std::move(writer), std::move(log));
  } else {
    log_ = system_.spawn<actors::log_actor>(std::move(writer), std::move(log));
  }
  introduce(log_, "log", config_.log.name);
  if (!config_.detached) return;
  // Once it answers, its segments are in the directory, and cold reads find them.
  caf::scoped_actor self{system_};
  self->request(log_, caf::infinite, actors::ask_log{})
      .receive([](const actors::log_report&) {}, [](const caf::error&) {});
}

status node_actors::stop(std::chrono::milliseconds deadline) {
  if (stopped_ || !log_) return {};
  stopped_ = true;
  gate_->set_closing();
  status outcome;
  {
    caf::scoped_actor self{system_};
    self->request(log_, deadline, actors::close_log{})
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
  caf::anon_send_exit(log_, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(maintenance_, caf::exit_reason::user_shutdown);
  for (const auto& reader : readers_) {
    caf::anon_send_exit(reader, caf::exit_reason::user_shutdown);
  }
  return outcome;
}

}  // namespace cairn::apps
