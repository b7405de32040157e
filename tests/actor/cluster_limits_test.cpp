// What members and joiners ask of each other is bounded, whoever asks too much.
#include "actors/cluster/cluster_actor.hpp"
#include "actors/cluster/join_actor.hpp"
#include "apps/node_actors.hpp"
#include "tests/support/fake_hub.hpp"
#include "tests/support/sim_env.hpp"

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <doctest/doctest.h>
#include <map>

namespace cairn::testing {
namespace {

using namespace cairn::actors;
using std::chrono::milliseconds;

proto::cluster_member member(std::uint64_t number) {
  proto::cluster_member out;
  out.number = number;
  out.node_id = fmt::format("n{}", number);
  out.data_id = fmt::format("d{}", number);
  out.peer = fmt::format("n{}:1", number);
  out.http = fmt::format("n{}:80", number);
  return out;
}

struct settings : apps::actor_settings {
  settings() { set("caf.scheduler.policy", "testing"); }
};

/// The node n1, linked to n2, which is the test itself.
class one_node {
public:
  one_node() {
    network.link_all();
    network.hub("n2").set_cluster_id("c");
    peer_ = system.spawn([this](caf::event_based_actor*) -> caf::behavior {
      return {[this](const peer_envelope& envelope) { got(envelope); }};
    });
    network.hub("n2").route(peer_kind::request, {}, peer_);
    network.hub("n2").route(peer_kind::answer, {}, peer_);
  }
  ~one_node() {
    for (const auto& who : {node_, raft_, peer_})
      if (who) caf::anon_send_exit(who, caf::exit_reason::kill);
    run();
  }
  one_node(const one_node&) = delete;
  one_node& operator=(const one_node&) = delete;

  /// n1 is a member, beside n2. `leader`: the number of who leads; 0: nobody.
  void start_member(std::uint64_t leader) {
    proto::cluster_context context;
    context.cluster_id = "c";
    context.next_number = 3;
    context.members = {member(1), member(2)};
    raft::configuration group;
    group.voters = {raft::node_id(1), raft::node_id(2)};
    group.context = proto::encode(context);
    const raft_changed told{
        .lead = {.as = raft::role::follower, .term = term_id(1), .leader = raft::node_id(leader)},
        .members = std::make_shared<raft::configuration>(group)};
    raft_ = system.spawn([told](caf::event_based_actor* self) -> caf::behavior {
      return {[self, told](const watch_raft& watch) { self->send(watch.who, told); }};
    });
    network.hub("n1").set_cluster_id("c");
    auto self = member(1);
    self.http.clear();  // it does not announce itself
    node_ = system.spawn<cluster_actor>(cluster_actor_config{.env = &env,
                                                             .hub = &network.hub("n1"),
                                                             .raft = raft_,
                                                             .cluster_id = "c",
                                                             .log = "default",
                                                             .self = self,
                                                             .hints = {},
                                                             .view = nullptr,
                                                             .on_member = {}});
    run();
  }
  /// n1 wants to become a member.
  void start_joiner() {
    auto self = member(1);
    self.number = 0;
    node_ = system.spawn<join_actor>(join_actor_config{.env = &env,
                                                       .hub = &network.hub("n1"),
                                                       .self = self,
                                                       .addresses = {"n2:1"},
                                                       .on_done = {},
                                                       .on_progress = {}});
    run();
  }

  void ask(proto::cluster_request request) {
    network.hub("n2").send("n1", peer_lane::control,
                           {.cluster_id = "c",
                            .sender = "n2",
                            .log = {},
                            .kind = peer_kind::request,
                            .head = proto::encode(request),
                            .body = {}});
  }
  void run() { scheduler().run(); }
  void advance(milliseconds time, milliseconds step) {
    for (milliseconds at{0}; at < time; at += step) {
      env.advance_ms(static_cast<std::uint64_t>(step.count()));
      scheduler().advance_time(step);
      run();
    }
  }

  std::size_t asked = 0;                                   // by n1
  std::map<std::uint64_t, proto::cluster_answer> answers;  // of n1
  sim_env env{7};
  settings caf_settings;
  caf::actor_system system{caf_settings};
  fake_network network;

private:
  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  }
  /// Turns away whoever wants to join; leaves everything else without an answer.
  void got(const peer_envelope& envelope) {
    if (envelope.kind == peer_kind::answer) {
      const auto answer = proto::decode_cluster_answer(envelope.head.span());
      REQUIRE(answer.ok());
      answers[answer->id] = *answer;
      return;
    }
    const auto request = proto::decode_cluster_request(envelope.head.span());
    REQUIRE(request.ok());
    ++asked;
    if (!std::holds_alternative<proto::announce_request>(request->ask)) return;
    proto::cluster_answer later;
    later.id = request->id;
    later.code = errc::unavailable;
    later.detail = "later";
    network.hub("n2").send("n1", peer_lane::control,
                           {.cluster_id = "c",
                            .sender = "n2",
                            .log = {},
                            .kind = peer_kind::answer,
                            .head = proto::encode(later),
                            .body = {}});
  }

  caf::actor peer_;
  caf::actor raft_;
  caf::actor node_;
};

proto::cluster_request removal_of(const std::string& node, std::uint64_t id,
                                  std::uint32_t deadline_ms) {
  return {
      .id = id, .forwarded = false, .deadline_ms = deadline_ms, .ask = proto::remove_request{node}};
}

TEST_CASE("cluster: a leader that says nothing does not make changes pile up") {
  one_node n;
  n.start_member(2);
  for (std::uint64_t id = 1; id <= 300; ++id)
    n.ask(removal_of("n9", id, 5'000));
  n.run();
  CHECK(n.asked == 256);  // the leader
  REQUIRE(n.answers.size() == 300 - 256);
  for (const auto& [id, answer] : n.answers) {
    CHECK(answer.code == errc::overloaded);
    CHECK_FALSE(answer.final);
  }
  n.advance(milliseconds(6'000), milliseconds(200));
  CHECK(n.answers.size() == 300);
  CHECK(n.answers[1].code == errc::outcome_unknown);
  n.ask(removal_of("n9", 301, 5'000));  // there is room again
  n.run();
  CHECK(n.asked == 257);
}

TEST_CASE("join: however often a member invites, it is asked once a round") {
  one_node n;
  n.start_joiner();
  n.advance(milliseconds(200), milliseconds(100));
  const auto before = n.asked;
  for (std::uint64_t id = 1; id <= 1'000; ++id) {
    n.ask({.id = id,
           .forwarded = false,
           .deadline_ms = 1'000,
           .ask = proto::invite_request{.node_id = "n1", .cluster_id = "c", .peers = {"n2:1"}}});
  }
  n.advance(milliseconds(3'000), milliseconds(100));
  CHECK(n.answers.size() == 1'000);
  CHECK(n.asked - before <= 4);
  CHECK(n.asked - before >= 1);
}

}  // namespace
}  // namespace cairn::testing
