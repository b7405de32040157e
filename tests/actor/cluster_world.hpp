#pragma once
// Cluster- and JoinActors of several nodes. The group of replicas behind them is one shared table
// that carries out every change at once; the hubs are connected in memory; time is virtual.

#include "actors/cluster/cluster_actor.hpp"
#include "actors/cluster/join_actor.hpp"
#include "apps/node_actors.hpp"
#include "tests/support/fake_hub.hpp"
#include "tests/support/sim_env.hpp"

#include <algorithm>
#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <doctest/doctest.h>
#include <set>

namespace cairn::testing {

using namespace cairn::actors;
using std::chrono::milliseconds;

inline constexpr const char* k_cluster = "c";

inline proto::cluster_member member(const std::string& id, const std::string& data = "") {
  return {.number = 0,
          .node_id = id,
          .data_id = data.empty() ? "data-" + id : data,
          .peer = id + ":1",
          .http = id + ":80",
          .grpc = "",
          .zone = ""};
}

struct cluster_test_settings : apps::actor_settings {
  cluster_test_settings() { set("caf.scheduler.policy", "testing"); }
};

class cluster_world {
public:
  cluster_world() {
    config_ = bootstrap_configuration(k_cluster, member("n1"));
    start("n1", 1);
  }

  ~cluster_world() {
    for (const auto& who : spawned_)
      caf::anon_send_exit(who, caf::exit_reason::user_shutdown);
    run();
  }
  cluster_world(const cluster_world&) = delete;
  cluster_world& operator=(const cluster_world&) = delete;

  /// A node that is a member with that number.
  void start(const std::string& id, std::uint64_t number, proto::cluster_member self = {}) {
    if (self.node_id.empty()) self = member(id);
    self.number = number;
    auto& node = nodes_[id];
    node.number = raft::node_id(number);
    node.raft = spawn_raft(node.number);
    node.view = std::make_shared<cluster_view>();
    auto& hub = network.hub(id);
    hub.set_cluster_id(k_cluster);
    node.cluster = system.spawn<cluster_actor>(
        cluster_actor_config{.env = &env,
                             .hub = &hub,
                             .raft = node.raft,
                             .cluster_id = k_cluster,
                             .log = "default",
                             .self = self,
                             .hints = hints,
                             .view = node.view,
                             .on_member = [this, id] { begun.insert(id); }});
    spawned_.push_back(node.cluster);
    spawned_.push_back(node.raft);
  }

  /// A node that is none yet; becomes one by itself when it is let in.
  void join(const std::string& id, std::vector<std::string> addresses,
            const std::string& data = "") {
    auto& hub = network.hub(id);
    hub.set_cluster_id("");
    joins[id] = {};
    spawned_.push_back(system.spawn<join_actor>(join_actor_config{
        .env = &env,
        .hub = &hub,
        .self = member(id, data),
        .addresses = std::move(addresses),
        .on_done =
            [this, id, data](const joined& outcome) {
              joins[id] = outcome;
              if (outcome.code == errc::none) start(id, outcome.number, member(id, data));
            },
        .on_progress = [this, id](const std::string& what) { progress[id].push_back(what); }}));
  }

  void end(const std::string& id) {
    network.stop(id);
    caf::anon_send_exit(nodes_.at(id).cluster, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(nodes_.at(id).raft, caf::exit_reason::user_shutdown);
    nodes_.erase(id);
    run();
  }

  void run() { scheduler().run(); }
  void advance(milliseconds time) {
    for (milliseconds at{0}; at < time; at += milliseconds(50)) {
      env.advance_ms(50);
      scheduler().advance_time(milliseconds(50));
      run();
    }
  }

  /// What a client asks of node `via`; the answer stands in `answers` once it has come.
  std::size_t ask(const std::string& via, change_cluster wish) {
    const auto number = asked_++;
    system.spawn([this, number, to = nodes_.at(via).cluster,
                  wish](caf::event_based_actor* self) -> caf::behavior {
      self->request(to, caf::infinite, wish)
          .then([this, number](const cluster_change_done& done) { answers[number] = done; },
                [this, number](const caf::error&) {
                  answers[number] = {.code = errc::internal, .term = {}};
                });
      return {[](int) {}};
    });
    run();
    return number;
  }
  cluster_change_done done(std::size_t number, milliseconds within = milliseconds(3'000)) {
    for (milliseconds at{0}; at < within && !answers.contains(number); at += milliseconds(50))
      advance(milliseconds(50));
    REQUIRE(answers.contains(number));
    return answers[number];
  }

  void set_leader(std::uint64_t number) {
    leader_ = raft::node_id(number);
    ++term_;
    tell();
  }

  std::shared_ptr<const cluster_report> seen_by(const std::string& id) {
    return nodes_.at(id).view->get();
  }
  std::string unready(const std::string& id) { return nodes_.at(id).view->unready(); }
  std::vector<std::string> names(const raft::node_set& set) {
    std::vector<std::string> out;
    for (const auto number : set)
      out.push_back(context_of(config_)->by_number(number.value())->node_id);
    return out;
  }
  [[nodiscard]] const raft::configuration& group() const { return config_; }
  void replace(raft::configuration config) {
    index_ = index_.next();
    overwrite(std::move(config));
  }
  /// The same, where the last one stood: another leader's entry has taken its place.
  void overwrite(raft::configuration config) {
    config_ = std::move(config);
    tell();
  }

  sim_env env{7};
  cluster_test_settings caf_settings;
  caf::actor_system system{caf_settings};
  fake_network network;
  std::map<std::string, joined> joins;
  std::map<std::string, std::vector<std::string>> progress;
  std::map<std::size_t, cluster_change_done> answers;
  std::vector<std::string> hints;
  std::set<std::uint64_t> absent;     // peers that the leader hears nothing of
  std::vector<errc> change_failures;  // of the next changes
  bool uncommitted = false;
  bool unsynced = false;        // the last configuration is in memory, and not on any disk
  std::set<std::string> begun;  // who was told that it is a member and its log has begun

private:
  struct member_actors {
    raft::node_id number;
    caf::actor raft;
    caf::actor cluster;
    std::shared_ptr<cluster_view> view;
  };

  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  }

  caf::actor spawn_raft(raft::node_id number) {
    return system.spawn([this, number](caf::event_based_actor*) -> caf::behavior {
      return {
          [this, number](const watch_raft& watch) {
            watchers_[number] = watch.who;
            caf::anon_send(watch.who, told(number));
          },
          [this, number](ask_raft) { return report(number); },
          [this, number](const change_members& change) { return carry_out(number, change); },
          [this, number](const transfer_lead& transfer) {
            if (number != leader_ || absent.contains(transfer.target.value())) {
              return raft_request_done{errc::unavailable, "the target did not take over"};
            }
            set_leader(transfer.target.value());
            return raft_request_done{};
          },
      };
    });
  }

  raft_changed told(raft::node_id number) const {
    return {.lead = {.as = number == leader_ ? raft::role::leader : raft::role::follower,
                     .term = term_id(term_),
                     .leader = leader_},
            .members = std::make_shared<raft::configuration>(config_)};
  }
  void tell() {
    for (const auto& [number, who] : watchers_) {
      // Who is no member any more hears nothing of the group.
      if (config_.contains(number)) caf::anon_send(who, told(number));
    }
  }
  raft_report report(raft::node_id number) const {
    raft_report out;
    out.self = number;
    out.lead = told(number).lead;
    out.commit = uncommitted ? raft::prior(index_) : index_;
    out.last = index_;
    out.durable = unsynced ? raft::prior(index_) : index_;
    out.members = std::make_shared<raft::configuration>(config_);
    out.members_index = index_;
    for (const auto peer : config_.members()) {
      const bool here = !absent.contains(peer.value());
      if (peer != number) {
        out.peers.push_back({.node = peer,
                             .match = here ? index_ : log_index{},
                             .match_offset = {},
                             .replicating = here,
                             .active = here,
                             .next = here ? index_.next() : log_index{1}});
      }
    }
    return out;
  }
  raft_request_done carry_out(raft::node_id number, const change_members& change) {
    if (number != leader_) return {errc::unavailable, "not the leader"};
    if (!change_failures.empty()) {
      const auto code = change_failures.front();
      change_failures.erase(change_failures.begin());
      if (code != errc::none) return {code, "as told"};
    }
    auto next = raft::changed(config_, change.changes);
    if (!next) return {next.code(), next.error().detail};
    next->context = change.context;
    if (next->joint()) next = raft::joint_left(*next);
    replace(*next);
    return {};
  }

  std::vector<caf::actor> spawned_;
  std::map<std::string, member_actors> nodes_;
  raft::configuration config_;
  log_index index_{1};
  raft::node_id leader_{1};
  std::uint64_t term_ = 1;
  std::map<raft::node_id, caf::actor> watchers_;
  std::size_t asked_ = 0;
};

using names = std::vector<std::string>;

/// n1 leads, n2 and n3 are voters.
struct three : cluster_world {
  three() {
    run();
    for (const auto* id : {"n2", "n3"}) {
      join(id, {"n1:1"});
      advance(milliseconds(2'000));
    }
    REQUIRE(group().voters.size() == 3);
  }
};

inline bool says(const cluster_change_done& done, std::string_view text) {
  return done.detail.find(text) != std::string::npos;
}

inline change_cluster remove(const std::string& id) {
  return {.what = change_cluster::action::remove_member, .node = id, .peer = {}, .log = {}};
}
inline change_cluster lead(const std::string& id, const std::string& log = "default") {
  return {.what = change_cluster::action::move_leader, .node = id, .peer = {}, .log = log};
}
inline change_cluster add(const std::string& id, const std::string& peer) {
  return {.what = change_cluster::action::add_member, .node = id, .peer = peer, .log = {}};
}

}  // namespace cairn::testing
