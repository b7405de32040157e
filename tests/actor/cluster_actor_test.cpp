// The life of a cluster's members: joining, adding, removing, handing over. The group of replicas
// behind the actors is one shared table that carries out every change at once; the hubs are
// connected in memory; time is virtual.
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
namespace {

using namespace cairn::actors;
using std::chrono::milliseconds;

constexpr const char* k_cluster = "c";

proto::cluster_member member(const std::string& id, const std::string& data = "") {
  return {.number = 0,
          .node_id = id,
          .data_id = data.empty() ? "data-" + id : data,
          .peer = id + ":1",
          .http = id + ":80",
          .grpc = "",
          .zone = ""};
}

struct settings : apps::actor_settings {
  settings() { set("caf.scheduler.policy", "testing"); }
};

class world {
public:
  world() {
    config_ = bootstrap_configuration(k_cluster, member("n1"));
    start("n1", 1);
  }

  ~world() {
    for (const auto& who : spawned_)
      caf::anon_send_exit(who, caf::exit_reason::user_shutdown);
    run();
  }
  world(const world&) = delete;
  world& operator=(const world&) = delete;

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
    node.cluster = system.spawn<cluster_actor>(cluster_actor_config{.env = &env,
                                                                    .hub = &hub,
                                                                    .raft = node.raft,
                                                                    .cluster_id = k_cluster,
                                                                    .log = "default",
                                                                    .self = self,
                                                                    .hints = hints,
                                                                    .view = node.view,
                                                                    .on_member = {}});
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
    config_ = std::move(config);
    index_ = index_.next();
    tell();
  }

  sim_env env{7};
  settings caf_settings;
  caf::actor_system system{caf_settings};
  fake_network network;
  std::map<std::string, joined> joins;
  std::map<std::string, std::vector<std::string>> progress;
  std::map<std::size_t, cluster_change_done> answers;
  std::vector<std::string> hints;
  std::set<std::uint64_t> absent;     // peers that the leader hears nothing of
  std::vector<errc> change_failures;  // of the next changes
  bool uncommitted = false;

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
            .members = std::make_shared<raft::configuration>(config_),
            .members_index = index_};
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
    out.members = std::make_shared<raft::configuration>(config_);
    out.members_index = index_;
    for (const auto peer : config_.members()) {
      const bool here = !absent.contains(peer.value());
      if (peer != number) {
        out.peers.push_back({.node = peer,
                             .match = here ? index_ : log_index{},
                             .match_offset = {},
                             .replicating = here,
                             .active = here});
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
struct three : world {
  three() {
    run();
    for (const auto* id : {"n2", "n3"}) {
      join(id, {"n1:1"});
      advance(milliseconds(2'000));
    }
    REQUIRE(group().voters.size() == 3);
  }
};

bool says(const cluster_change_done& done, std::string_view text) {
  return done.detail.find(text) != std::string::npos;
}

change_cluster remove(const std::string& id) {
  return {.what = change_cluster::action::remove_member, .node = id, .peer = {}, .log = {}};
}
change_cluster lead(const std::string& id, const std::string& log = "default") {
  return {.what = change_cluster::action::move_leader, .node = id, .peer = {}, .log = log};
}
change_cluster add(const std::string& id, const std::string& peer) {
  return {.what = change_cluster::action::add_member, .node = id, .peer = peer, .log = {}};
}

TEST_CASE("join: a node that finds a member is let in, and votes once it has caught up") {
  world w;
  w.absent.insert(2);
  w.join("n2", {"nobody:1", "n1:1"});
  w.advance(milliseconds(2'000));
  CHECK(w.joins["n2"].number == 2);
  CHECK(w.joins["n2"].cluster_id == k_cluster);
  CHECK(w.names(w.group().learners) == names{"n2"});  // it has never been heard of: no voter
  w.absent.clear();
  w.advance(milliseconds(500));
  CHECK(w.names(w.group().voters) == names{"n1", "n2"});
  CHECK(w.group().learners.empty());
  CHECK(w.network.hub("n1").linked("n2"));
  CHECK(w.seen_by("n2")->leader == "n1");
  CHECK(w.seen_by("n2")->members.size() == 2);
}

TEST_CASE("join: nobody is there; it says so, and asks until somebody is") {
  world w;
  w.join("n5", {"n4:1"});
  w.advance(milliseconds(20'000));
  CHECK(w.joins["n5"].number == 0);
  REQUIRE_FALSE(w.progress["n5"].empty());
  CHECK(w.progress["n5"].front() == "no member answers at n4:1");
  w.join("n4", {"n1:1"});
  w.advance(milliseconds(6'000));
  CHECK(w.joins["n4"].number == 2);
  CHECK(w.joins["n5"].number == 3);  // through n4, which is no leader
}

TEST_CASE("join: a member that does not lead passes the request on") {
  three w;
  w.join("n4", {"n3:1"});
  w.advance(milliseconds(2'000));
  CHECK(w.joins["n4"].number == 4);
}

TEST_CASE("join: a leader that cannot commit lets nobody in, yet") {
  world w;
  w.uncommitted = true;
  w.join("n2", {"n1:1"});
  w.advance(milliseconds(9'000));
  CHECK(w.joins["n2"].number == 0);
  CHECK(w.group().learners.empty());
  w.uncommitted = false;
  w.advance(milliseconds(7'000));
  CHECK(w.joins["n2"].number == 2);
}

TEST_CASE("join: lost answers and failed changes make one member, not two") {
  world w;
  w.change_failures = {errc::unavailable, errc::outcome_unknown, errc::none};
  w.network.drop("n1", "n2", 1);
  w.join("n2", {"n1:1"});
  w.advance(milliseconds(12'000));
  CHECK(w.joins["n2"].number == 2);
  CHECK(context_of(w.group())->members.size() == 2);
}

TEST_CASE("join: a wiped node under its old id is refused for good, with what to do") {
  three w;
  w.end("n2");
  w.join("n2", {"n1:1"}, "a-new-disk");
  w.advance(milliseconds(2'000));
  CHECK(w.joins["n2"].code == errc::already_exists);
  CHECK(w.joins["n2"].detail.find("cairn cluster remove n2") != std::string::npos);
  CHECK(w.done(w.ask("n3", remove("n2"))).code == errc::none);
  w.join("n2", {"n3:1"}, "a-new-disk");
  w.advance(milliseconds(2'000));
  CHECK(w.joins["n2"].number == 4);
}

TEST_CASE("cluster: a member that comes back elsewhere is found there, with its role") {
  three w;
  w.end("n3");
  CHECK(w.seen_by("n1")->members[2].linked == false);
  auto moved = member("n3");
  moved.http = "elsewhere:80";
  moved.zone = "west";
  w.start("n3", 3, moved);
  w.advance(milliseconds(3'000));
  CHECK(context_of(w.group())->by_number(3)->http == "elsewhere:80");
  CHECK(w.group().voters.size() == 3);
  CHECK(w.seen_by("n1")->members[2].zone == "west");
}

TEST_CASE("cluster: removing works from any node, and the removed one learns of it") {
  three w;
  const auto removed = w.done(w.ask("n2", remove("n3")));
  CHECK(removed.code == errc::none);
  CHECK(removed.leader == "n1");
  CHECK(w.names(w.group().voters) == names{"n1", "n2"});
  CHECK(w.done(w.ask("n1", remove("n3"))).code == errc::not_found);
  // Its replica hears nothing any more; some time later it asks.
  CHECK(w.unready("n3").empty());
  w.end("n3");
  w.hints = {"n2:1"};
  w.start("n3", 3);
  w.advance(milliseconds(8'000));
  CHECK(w.unready("n3") == "this node was removed from its cluster");
  CHECK(w.done(w.ask("n3", remove("n1"))).code == errc::unavailable);
  CHECK(w.group().voters.size() == 2);
}

TEST_CASE("cluster: a leader that is to be removed hands the lead over first") {
  three w;
  const auto removed = w.done(w.ask("n1", remove("n1")), milliseconds(5'000));
  CHECK(removed.code == errc::none);
  CHECK(w.names(w.group().voters) == names{"n2", "n3"});
  CHECK(w.seen_by("n2")->leader == w.seen_by("n3")->leader);
  CHECK(w.seen_by("n2")->leader != "n1");
}

TEST_CASE("cluster: the same, asked of another node") {
  three w;
  CHECK(w.done(w.ask("n3", remove("n1")), milliseconds(5'000)).code == errc::none);
  CHECK(w.names(w.group().voters) == names{"n2", "n3"});
}

TEST_CASE("cluster: the last voter stays, and says why") {
  world w;
  w.run();
  const auto refused = w.done(w.ask("n1", remove("n1")));
  CHECK(refused.code == errc::invalid_argument);
  CHECK(says(refused, "last voter"));
}

TEST_CASE("cluster: changes wait for each other and for a quorum, and run out of time honestly") {
  three w;
  w.uncommitted = true;
  auto impatient = remove("n2");
  impatient.timeout_ms = 1'000;
  const auto first = w.ask("n1", impatient);
  const auto second = w.ask("n2", remove("n3"));
  w.advance(milliseconds(1'500));
  CHECK(w.done(first).code == errc::unavailable);
  CHECK(says(w.done(first), "quorum"));
  CHECK(w.answers.count(second) == 0);
  w.uncommitted = false;
  CHECK(w.done(second).code == errc::none);
  CHECK(w.names(w.group().voters) == names{"n1", "n2"});
}

TEST_CASE("cluster: without a leader a change is refused at its deadline, and not done later") {
  three w;
  w.set_leader(0);
  w.run();
  auto wish = remove("n2");
  wish.timeout_ms = 500;
  const auto asked = w.ask("n3", wish);
  CHECK(w.done(asked).code == errc::unavailable);
  CHECK(says(w.answers[asked], "no leader"));
  w.set_leader(1);
  w.advance(milliseconds(2'000));
  CHECK(w.group().voters.size() == 3);
}

TEST_CASE("cluster: the lead goes to whom is asked for, if that can lead") {
  three w;
  w.absent.insert(4);
  w.join("n4", {"n1:1"});
  w.advance(milliseconds(2'000));
  const auto moved = w.done(w.ask("n3", lead("n2")));
  CHECK(moved.code == errc::none);
  CHECK(moved.changed);
  CHECK(moved.leader == "n2");
  const auto again = w.done(w.ask("n3", lead("n2")));
  CHECK(again.code == errc::none);
  CHECK_FALSE(again.changed);
  CHECK(w.done(w.ask("n1", lead("n9"))).code == errc::not_found);
  CHECK(w.done(w.ask("n1", lead("n3", "other"))).code == errc::not_found);
  const auto learner = w.done(w.ask("n1", lead("n4")));
  CHECK(learner.code == errc::invalid_argument);
  CHECK(says(learner, "learner"));
  w.absent.insert(3);
  const auto dead = w.done(w.ask("n1", lead("n3")));
  CHECK(dead.code == errc::unavailable);
  CHECK(w.done(w.ask("n1", lead(""))).leader == "n1");
}

TEST_CASE("cluster: a waiting node is added by hand") {
  three w;
  w.join("n4", {});
  w.advance(milliseconds(500));
  REQUIRE_FALSE(w.progress["n4"].empty());
  CHECK(w.progress["n4"].front() == "waiting to be added: cairn cluster add n4 n4:1");
  const auto added = w.done(w.ask("n2", add("n4", "n4:1")));
  CHECK(added.code == errc::none);
  CHECK(added.changed);
  CHECK(w.joins["n4"].number == 4);
  const auto again = w.done(w.ask("n1", add("n4", "n4:1")));
  CHECK(again.code == errc::none);
  CHECK_FALSE(again.changed);
  CHECK(w.done(w.ask("n1", add("n4", "n9:1"))).code == errc::already_exists);
  auto nobody = add("n5", "n5:1");
  nobody.timeout_ms = 1'000;
  const auto refused = w.done(w.ask("n1", nobody));
  CHECK(refused.code == errc::unavailable);
  CHECK(says(refused, "no waiting node answers at n5:1"));
}

TEST_CASE("cluster: silence removes nobody") {
  three w;
  w.network.isolate("n3");
  w.absent.insert(3);
  w.advance(milliseconds(120'000));
  CHECK(w.group().voters.size() == 3);
  CHECK(w.unready("n3").empty());
  w.network.heal();
  w.absent.clear();
  w.advance(milliseconds(3'000));
  CHECK(w.seen_by("n1")->members[2].linked);
}

}  // namespace
}  // namespace cairn::testing
