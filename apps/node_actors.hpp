#pragma once
// Spawns the actors of a node and ends them. The only place that gives actors threads of their own.

#include "actors/cluster/cluster_view.hpp"
#include "actors/inspect/inspect_actor.hpp"
#include "actors/log_gate.hpp"
#include "actors/log_observer.hpp"
#include "actors/log_store.hpp"
#include "actors/membership/membership_view.hpp"
#include "actors/node_events.hpp"
#include "actors/peer_hub.hpp"
#include "actors/raft_view.hpp"
#include "actors/recorder/flight_recorder.hpp"
#include "actors/segment_directory.hpp"
#include "apps/recorder_dumps.hpp"
#include "proto/cluster_context.hpp"
#include "storage/env.hpp"
#include "storage/log_reader.hpp"

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn::apps {

/// CAF as a node needs it: two scheduler threads that sleep when there is nothing to do (the
/// default policy, stealing, polls), no network, no log files.
class actor_settings : public caf::actor_system_config {
public:
  actor_settings();
};

struct recorder_settings {
  std::uint64_t ring_bytes = 0;  ///< of the flight recorder; 0: there is none
  std::string dumps;             ///< where a failed check leaves a dump; empty: nowhere
};

struct node_actors_config {
  std::string node_id = "n1";
  std::string cluster_id = "c1";
  proto::cluster_member self;  ///< with its number, from 1
  std::string version;         ///< of the program; told to the others
  /// The log may be empty: this node is new. Otherwise that is refused.
  bool fresh = true;
  actors::peer_hub* hub = nullptr;  ///< outlives the actors; null: there are no other nodes
  std::vector<std::string> hints;   ///< addresses of other nodes, if no leader is found otherwise
  std::chrono::milliseconds heartbeat{100};
  std::chrono::milliseconds election{500};
  actors::log_store_config log;
  actors::log_limits limits;
  std::uint32_t readers = 2;
  std::chrono::milliseconds retention_interval{30'000};
  /// Called once, from any thread, when the node must end; must not block.
  std::function<void(const std::string& reason)> on_fatal;
  /// Called once, from any thread, when the log has begun; must not block. May be empty.
  std::function<void()> on_member;
  std::shared_ptr<actors::log_observer> observer;  ///< may be null
  /// Of the InspectActor: `events`, `self`, `log_limits` and `hooks`; the rest is filled in.
  actors::inspect_actor_config inspect;
  actors::node_events_ptr events;  ///< may be null
  recorder_settings recorder;
  /// False: nothing gets its own thread, for tests with virtual time.
  bool detached = true;
};

/// The running actors, and what ports share with them. Made and stopped by one thread.
class node_actors {
public:
  /// Opens the log (see log_store::open for errors), begins the group if this is its first node,
  /// and spawns. corruption: the log is empty although this node is not new. `system` and `env`
  /// outlive it.
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
  /// Takes appends: the RaftActor.
  [[nodiscard]] const caf::actor& writer() const { return raft_; }
  /// Takes changes of the cluster; null without a hub.
  [[nodiscard]] const caf::actor& cluster() const { return cluster_; }
  /// Takes operators' questions: the InspectActor.
  [[nodiscard]] const caf::actor& inspect() const { return inspect_; }
  [[nodiscard]] const std::shared_ptr<actors::raft_view>& raft_view() const { return raft_view_; }
  /// Null: nothing is recorded.
  [[nodiscard]] const std::shared_ptr<actors::flight_recorder>& recorder() const {
    return recorder_;
  }
  [[nodiscard]] const std::shared_ptr<actors::cluster_view>& cluster_view() const {
    return cluster_view_;
  }
  /// Who is there; knows nobody without a hub.
  [[nodiscard]] const std::shared_ptr<actors::membership_view>& membership_view() const {
    return membership_view_;
  }
  [[nodiscard]] const std::shared_ptr<actors::log_gate>& gate() const { return gate_; }
  [[nodiscard]] const std::shared_ptr<storage::log_reader>& reader() const { return reader_; }
  [[nodiscard]] const std::shared_ptr<actors::segment_directory>& directory() const {
    return directory_;
  }
  [[nodiscard]] actors::log_observer& observer() const { return *config_.observer; }

private:
  node_actors(caf::actor_system& system, storage::env& env, node_actors_config config);
  [[nodiscard]] status begin_group(actors::log_store& store) const;
  void spawn(std::unique_ptr<actors::log_store> store, raft::boot_state boot,
             std::shared_ptr<actors::session_boot> sessions);
  template <class Actor, class... Args>
  caf::actor spawn_blocking(const char* kind, const std::string& name, Args... args);
  void spawn_raft(const storage::log_publisher& publisher, raft::boot_state boot,
                  std::shared_ptr<actors::session_boot> sessions);
  void spawn_cluster();
  void spawn_membership();
  void spawn_inspect();
  void introduce(const caf::actor& who, const char* kind, const std::string& name);

  caf::actor_system& system_;
  storage::env& env_;
  node_actors_config config_;
  std::shared_ptr<actors::log_gate> gate_;
  std::shared_ptr<actors::segment_directory> directory_;
  std::shared_ptr<storage::log_reader> reader_;
  caf::actor node_;
  caf::actor log_;
  caf::actor raft_;
  caf::actor cluster_;
  caf::actor membership_;
  caf::actor inspect_;
  caf::actor tracer_;
  std::shared_ptr<actors::flight_recorder> recorder_;
  std::optional<dump_on_failed_check> dumps_;
  std::shared_ptr<actors::raft_view> raft_view_ = std::make_shared<actors::raft_view>();
  std::shared_ptr<actors::cluster_view> cluster_view_ = std::make_shared<actors::cluster_view>();
  std::shared_ptr<actors::membership_view> membership_view_ =
      std::make_shared<actors::membership_view>();
  caf::actor maintenance_;
  std::vector<caf::actor> readers_;
  bool stopped_ = false;
};

}  // namespace cairn::apps
