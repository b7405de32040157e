#include "actors/cluster/roster.hpp"
#include "actors/membership/membership_actor.hpp"
#include "actors/wire/swim_codec.hpp"
#include "tests/support/fake_hub.hpp"
#include "tests/support/sim_env.hpp"

#include <algorithm>
#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <chrono>
#include <doctest/doctest.h>
#include <map>

namespace cairn::testing {
namespace {

using namespace actors;
using swim::member_state;

struct coordinator_settings : caf::actor_system_config {
  coordinator_settings() {
    init_type_ids();
    set("caf.scheduler.policy", "testing");
  }
};

proto::cluster_member member_of(std::uint64_t number) {
  proto::cluster_member m;
  m.number = number;
  m.node_id = fmt::format("n{}", number);
  m.data_id = fmt::format("d{}", number);
  m.peer = fmt::format("10.0.0.{}:7080", number);
  m.http = fmt::format("10.0.0.{}:8080", number);
  return m;
}

raft_changed configuration_of(const std::vector<std::uint64_t>& numbers) {
  raft::configuration config;
  proto::cluster_context context;
  context.cluster_id = "c";
  context.next_number = 10;
  for (const auto number : numbers) {
    config.voters.emplace_back(number);
    context.members.push_back(member_of(number));
  }
  config.context = proto::encode(context);
  return {{}, std::make_shared<const raft::configuration>(std::move(config))};
}

class members_world {
public:
  explicit members_world(std::size_t count) {
    network_.link_all();
    std::vector<std::uint64_t> numbers;
    for (std::uint64_t i = 1; i <= count; ++i)
      numbers.push_back(i);
    configuration_ = configuration_of(numbers);
    for (const auto number : numbers)
      start(number);
    run_for(100);
  }

  ~members_world() {
    for (const auto& [id, one] : nodes_) {
      caf::anon_send_exit(one.actor, caf::exit_reason::kill);
      caf::anon_send_exit(one.raft, caf::exit_reason::kill);
    }
    run();
  }

  void start(std::uint64_t number) {
    const auto id = fmt::format("n{}", number);
    auto& one = nodes_[id];
    one.reachable.clear();
    if (one.raft) caf::anon_send_exit(one.raft, caf::exit_reason::kill);
    one.view = std::make_shared<membership_view>();
    one.events = std::make_shared<node_events>(env_, 1);
    one.raft = system_.spawn([this](caf::event_based_actor* self) -> caf::behavior {
      return {
          [this, self](const watch_raft& watch) { self->send(watch.who, configuration_); },
      };
    });
    membership_actor_config config;
    config.env = &env_;
    config.hub = &network_.hub(id);
    config.raft = one.raft;
    config.on_reachable = [&one](const std::string& peer, bool reachable) {
      one.reachable[peer] = reachable;
    };
    config.cluster_id = "c";
    config.self = {id, number, member_of(number).peer, member_of(number).http, "", "0.1.0", "z"};
    config.view = one.view;
    config.events = one.events;
    config.outside = [&one] { return one.outside; };
    one.actor = system_.spawn<membership_actor>(config);
  }
  void stop(const std::string& id) {
    network_.stop(id);
    caf::anon_send_exit(nodes_[id].actor, caf::exit_reason::kill);
    run();
  }
  void reconfigure(const raft_changed& next, const std::string& at) {
    caf::anon_send(nodes_[at].actor, next);
    run();
  }

  void run() { coordinator().run(); }
  void run_for(std::uint64_t ms) {
    constexpr std::uint64_t k_step_ms = 10;
    run();
    for (std::uint64_t passed = 0; passed < ms; passed += k_step_ms) {
      env_.advance_ms(k_step_ms);
      coordinator().advance_time(std::chrono::milliseconds(k_step_ms));
      run();
    }
  }

  [[nodiscard]] member_status status(const std::string& at, const std::string& about) {
    const auto report = nodes_[at].view->get();
    const auto* found = report->find(about);
    REQUIRE(found != nullptr);
    return *found;
  }
  [[nodiscard]] member_state state(const std::string& at, const std::string& about) {
    return status(at, about).state;
  }
  [[nodiscard]] actor_report described(const std::string& at) {
    actor_report report;
    caf::scoped_actor asker(system_);
    auto request = asker->request(nodes_[at].actor, caf::infinite, describe{});
    run();
    request.receive([&](const actor_report& got) { report = got; },
                    [](const caf::error& e) { FAIL(caf::to_string(e)); });
    return report;
  }

  struct node {
    caf::actor actor;
    caf::actor raft;
    std::shared_ptr<membership_view> view;
    std::map<std::string, bool> reachable;
    node_events_ptr events;
    std::string outside;
  };

  caf::scheduler::test_coordinator& coordinator() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
  }

  sim_env env_;
  coordinator_settings settings_;
  caf::actor_system system_{settings_};
  fake_network network_;
  std::map<std::string, node> nodes_;
  raft_changed configuration_;
};

peer_envelope envelope_of(const swim::message& m, const std::string& cluster = "c") {
  auto parts = wire::encode_swim(m);
  return {cluster, {}, {}, parts.kind, parts.head, parts.body};
}

swim::claim gone(const std::string& node, std::uint64_t incarnation) {
  return {node, member_state::failed, incarnation, "n2", nullptr};
}

}  // namespace

TEST_CASE("membership: everybody sees everybody, with what each says about itself") {
  members_world world(3);
  world.run_for(10'000);
  for (const auto* at : {"n1", "n2", "n3"}) {
    const auto report = world.nodes_[at].view->get();
    REQUIRE(report->members.size() == 3);
    for (const auto& one : report->members) {
      CHECK(one.state == member_state::alive);
      CHECK(one.linked);
      CHECK(one.info.version == "0.1.0");
      CHECK(one.info.peer == member_of(one.info.number).peer);
    }
    CHECK(world.nodes_[at].reachable.empty());  // nobody was ever doubted
    CHECK(world.described(at).state.find("3 alive, 0 suspect") == 0);
  }
}

TEST_CASE("membership: an idle node sends a handful of messages a second") {
  members_world world(3);
  world.run_for(10'000);
  const auto before = world.nodes_["n1"].view->counters();
  const auto processed = world.described("n1").processed;
  world.run_for(60'000);
  const auto after = world.nodes_["n1"].view->counters();
  CHECK(after.sent - before.sent < 60 * 3);
  CHECK(after.sent - before.sent > 60);
  CHECK(world.described("n1").processed - processed < 60 * 6);
  CHECK(after.core.probes_failed == 0);
}

TEST_CASE("membership: a node that is gone is suspected at once, then failed, and stays listed") {
  members_world world(3);
  world.run_for(5'000);
  CHECK(world.nodes_["n1"].reachable.count("n3") == 0);  // never doubted
  world.stop("n3");
  world.run_for(50);
  CHECK(world.nodes_["n1"].reachable["n3"] == false);  // the link is down
  world.run_for(1'500);
  CHECK(world.state("n1", "n3") == member_state::suspect);
  CHECK(world.state("n2", "n3") == member_state::suspect);
  const auto suspect = world.status("n1", "n3");
  CHECK((suspect.by == "n1" || suspect.by == "n2"));
  CHECK_FALSE(suspect.linked);
  CHECK(suspect.since_ms > world.status("n1", "n2").since_ms);
  world.run_for(6'000);
  CHECK(world.state("n1", "n3") == member_state::failed);
  world.run_for(60'000);
  CHECK(world.nodes_["n2"].view->get()->members.size() == 3);
  const auto events = world.described("n1").events;
  CHECK(std::any_of(events.begin(), events.end(), [](const std::string& line) {
    return line.find("n3 is failed (was suspect") != std::string::npos;
  }));
}

TEST_CASE("membership: who was removed itself does not say that the others have failed") {
  members_world world(3);
  world.run_for(5'000);
  world.nodes_["n3"].outside = "this node was removed from its cluster";
  world.stop("n1");
  world.stop("n2");
  world.run_for(20'000);
  REQUIRE(world.state("n3", "n1") == member_state::failed);
  std::size_t told = 0;
  for (const auto& event : world.nodes_["n3"].events->after(0, 100).events) {
    if (event.text.find(" is failed") == std::string::npos) continue;
    ++told;
    CHECK(event.text.ends_with("; this node was removed from its cluster"));
  }
  CHECK(told == 2);
}

TEST_CASE("membership: a node that comes back is alive again, and reachable") {
  members_world world(3);
  world.run_for(5'000);
  world.stop("n3");
  world.run_for(10'000);
  REQUIRE(world.state("n1", "n3") == member_state::failed);
  world.start(3);
  world.run_for(3'000);
  for (const auto* at : {"n1", "n2"}) {
    CHECK(world.state(at, "n3") == member_state::alive);
    CHECK(world.status(at, "n3").incarnation > 1);
    CHECK(world.nodes_[at].reachable["n3"] == true);
  }
  CHECK(world.state("n3", "n1") == member_state::alive);
}

TEST_CASE("membership: a broken link alone makes nobody a suspect, only unreachable from there") {
  members_world world(3);
  world.run_for(5'000);
  world.network_.cut("n1", "n3");
  world.run_for(20'000);
  CHECK(world.state("n1", "n3") == member_state::alive);
  CHECK_FALSE(world.status("n1", "n3").linked);
  CHECK(world.nodes_["n1"].reachable["n3"] == false);
  world.network_.heal();
  world.run_for(1'000);
  CHECK(world.nodes_["n1"].reachable["n3"] == true);
}

TEST_CASE("membership: the configuration says who is a member, gossip does not") {
  members_world world(3);
  world.run_for(3'000);
  // Heard of by gossip only: not listed.
  const swim::claim invented{
      "n9", member_state::alive, 4, "",
      std::make_shared<const swim::member_info>(swim::member_info{"n9", 9, "x:1", "", "", "", ""})};
  CHECK(world.network_.hub("n2").send("n1", peer_lane::control,
                                      envelope_of({swim::gossip{}, {invented}})));
  world.run_for(2'000);
  CHECK(world.nodes_["n1"].view->get()->find("n9") == nullptr);
  // Removed by an operator: has left, whatever it says, although its link is still up.
  world.reconfigure(configuration_of({1, 2}), "n1");
  CHECK(world.state("n1", "n3") == member_state::left);
  world.run_for(5'000);
  CHECK(world.state("n1", "n3") == member_state::left);
  CHECK(world.nodes_["n1"].view->counters().refused > 0);
  // Let in again.
  world.reconfigure(configuration_of({1, 2, 3}), "n1");
  world.run_for(5'000);
  CHECK(world.state("n1", "n3") == member_state::alive);
}

TEST_CASE(
    "membership: strangers, other clusters and garbage change nothing (reliability F.4, 75)") {
  members_world world(3);
  world.run_for(3'000);
  auto& from = world.network_.hub("n2");
  auto& stranger = world.network_.hub("evil");
  const auto refused = [&] { return world.nodes_["n1"].view->counters().refused; };
  CHECK(refused() == 0);
  const swim::message lie{swim::gossip{}, {gone("n3", 1)}};
  CHECK(stranger.send("n1", peer_lane::control, envelope_of(lie)));
  CHECK(from.send("n1", peer_lane::control, envelope_of(lie, "another")));
  auto garbage = envelope_of({swim::gossip{}, {}});
  garbage.head = shared_bytes::copy_of(as_byte_span(std::string(64 * 1024, '\xff')));
  CHECK(from.send("n1", peer_lane::control, garbage));
  auto with_body = envelope_of({swim::gossip{}, {}});
  with_body.body = garbage.head;
  CHECK(from.send("n1", peer_lane::control, with_body));
  world.run();
  CHECK(refused() == 4);
  CHECK(world.state("n1", "n3") == member_state::alive);
  // A member that lies about a third one and about the receiver is contradicted by both.
  CHECK(from.send("n1", peer_lane::control, envelope_of({swim::gossip{}, {gone("n3", 1)}})));
  CHECK(from.send("n1", peer_lane::control, envelope_of({swim::gossip{}, {gone("n1", 1)}})));
  CHECK(from.send("n1", peer_lane::control,
                  envelope_of({swim::gossip{}, {gone("n3", (std::uint64_t{1} << 62U) - 1)}})));
  world.run_for(15'000);
  for (const auto* at : {"n1", "n2", "n3"}) {
    for (const auto* about : {"n1", "n2", "n3"})
      CHECK(world.state(at, about) == member_state::alive);
  }
  CHECK(world.nodes_["n1"].view->counters().core.claims_refused == 1);
  CHECK(world.nodes_["n1"].view->get()->members.size() == 3);
}

}  // namespace cairn::testing
