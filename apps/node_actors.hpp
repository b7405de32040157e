#pragma once
// Spawns the actors of a node and ends them. The only place that gives actors threads of their own.

#include "actors/log_gate.hpp"
#include "actors/log_observer.hpp"
#include "actors/log_writer.hpp"
#include "actors/segment_directory.hpp"
#include "storage/env.hpp"
#include "storage/log_reader.hpp"

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cairn::apps {

/// CAF as a node needs it: two scheduler threads that sleep when there is nothing to do (the
/// default policy, stealing, polls), no network, no log files.
class actor_settings : public caf::actor_system_config {
public:
  actor_settings();
};

struct node_actors_config {
  std::string node_id = "n1";
  actors::log_writer_config log;
  actors::log_limits limits;
  std::uint32_t readers = 2;
  std::chrono::milliseconds retention_interval{30'000};
  /// Called once, from any thread, when the node must end; must not block.
  std::function<void(const std::string& reason)> on_fatal;
  std::shared_ptr<actors::log_observer> observer;  ///< may be null
  /// False: nothing gets its own thread, for tests with virtual time.
  bool detached = true;
};

/// The running actors, and what ports share with them. Made and stopped by one thread.
class node_actors {
public:
  /// Opens the log (see log_writer::open for errors) and spawns. `system` and `env` outlive it.
  [[nodiscard]] static result<std::unique_ptr<node_actors>> start(caf::actor_system& system,
                                                                  storage::env& env,
                                                                  node_actors_config config,
                                                                  storage::recovery_report& report);
  ~node_actors();
  node_actors(const node_actors&) = delete;
  node_actors& operator=(const node_actors&) = delete;

  /// Closes the log, which writes what waits, and ends all actors. unavailable when the log did not
  /// answer within `deadline`; else what closing it said. Later calls do nothing.
  status stop(std::chrono::milliseconds deadline);

  [[nodiscard]] caf::actor_system& system() const { return system_; }
  [[nodiscard]] storage::env& env() const { return env_; }
  [[nodiscard]] const node_actors_config& config() const { return config_; }
  [[nodiscard]] const caf::actor& node() const { return node_; }
  /// Takes appends: the log itself for now, a RaftActor once there is replication.
  [[nodiscard]] const caf::actor& writer() const { return log_; }
  [[nodiscard]] const std::shared_ptr<actors::log_gate>& gate() const { return gate_; }
  [[nodiscard]] const std::shared_ptr<storage::log_reader>& reader() const { return reader_; }
  [[nodiscard]] const std::shared_ptr<actors::segment_directory>& directory() const {
    return directory_;
  }
  [[nodiscard]] actors::log_observer& observer() const { return *config_.observer; }

private:
  node_actors(caf::actor_system& system, storage::env& env, node_actors_config config);
  void spawn(std::unique_ptr<actors::log_writer> writer);
  template <class Actor, class Config>
  caf::actor spawn_blocking(Config config, const char* kind, const std::string& name);
  void introduce(const caf::actor& who, const char* kind, const std::string& name);

  caf::actor_system& system_;
  storage::env& env_;
  node_actors_config config_;
  std::shared_ptr<actors::log_gate> gate_;
  std::shared_ptr<actors::segment_directory> directory_;
  std::shared_ptr<storage::log_reader> reader_;
  caf::actor node_;
  caf::actor log_;
  caf::actor maintenance_;
  std::vector<caf::actor> readers_;
  bool stopped_ = false;
};

}  // namespace cairn::apps
