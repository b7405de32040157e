#pragma once
// InspectActors of several nodes, with played actors behind them; the hubs are connected in memory;
// time is virtual.

#include "actors/inspect/inspect_actor.hpp"
#include "actors/inspect/inspect_question.hpp"
#include "tests/support/fake_hub.hpp"
#include "tests/support/sim_env.hpp"

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <chrono>
#include <doctest/doctest.h>
#include <map>
#include <optional>

namespace cairn::testing {

using namespace actors;
using std::chrono::milliseconds;

struct inspect_settings : caf::actor_system_config {
  inspect_settings() {
    init_type_ids();
    set("caf.scheduler.policy", "testing");
  }
};

/// An answer, once it has come.
using inspect_slot = std::shared_ptr<std::optional<inspect_reply>>;

/// Takes what comes of another node, for tests that play one.
struct played_node {
  caf::actor actor;
  std::shared_ptr<std::vector<peer_envelope>> got = std::make_shared<std::vector<peer_envelope>>();
};

class inspect_world {
public:
  inspect_world() { network.link_all(); }
  ~inspect_world() {
    for (const auto& who : spawned_)
      caf::anon_send_exit(who, caf::exit_reason::kill);
    run();
  }
  inspect_world(const inspect_world&) = delete;
  inspect_world& operator=(const inspect_world&) = delete;

  struct node {
    caf::actor inspect;
    caf::actor raft;
    caf::actor registry;
    node_events_ptr events;
    std::shared_ptr<cluster_view> cluster = std::make_shared<cluster_view>();
    std::shared_ptr<membership_view> membership = std::make_shared<membership_view>();
    std::shared_ptr<std::vector<actor_report>> reports =
        std::make_shared<std::vector<actor_report>>();
    bool raft_is_silent = false;
    std::vector<caf::typed_response_promise<raft_report>> unanswered;  // of a silent one
  };

  /// Starts a member; `adjust` may change its configuration.
  node& start(const std::string& id,
              const std::function<void(inspect_actor_config&)>& adjust = nullptr) {
    auto& one = nodes_[id];
    one.events = std::make_shared<node_events>(env, 7);
    one.raft = played_raft(one);
    one.registry = played_registry(one);
    inspect_actor_config config;
    config.env = &env;
    config.hub = &network.hub(id);
    config.parent = 1;
    config.node_id = id;
    config.cluster_id = "c";
    config.node = one.registry;
    config.raft = one.raft;
    config.events = one.events;
    config.cluster = one.cluster;
    config.membership = one.membership;
    config.self.set_id(id);
    config.self.set_state("alive");
    config.self.set_version("1.2.3");
    if (adjust) adjust(config);
    one.inspect = system.spawn<inspect_actor>(std::move(config));
    keep(one.inspect);
    run();
    return one;
  }
  /// All that were started, n1, n2 ..., know each other as members.
  void introduce(const std::vector<std::string>& ids) {
    for (const auto& id : ids) {
      cluster_report report{.cluster_id = "c",
                            .node = id,
                            .number = 0,
                            .leader = ids[0],
                            .term = term_id(3),
                            .members = {}};
      for (const auto& other : ids) {
        const auto number = static_cast<std::uint64_t>(other.back() - '0');
        if (other == id) report.number = number;
        report.members.push_back({.number = number,
                                  .node = other,
                                  .peer = other + ":1",
                                  .http = other + ":80",
                                  .grpc = "",
                                  .zone = "z",
                                  .role = "voter",
                                  .linked = true});
      }
      if (nodes_.contains(id)) nodes_[id].cluster->set(report);
    }
  }

  /// A node that keeps what it gets.
  played_node play(const std::string& id) {
    played_node out;
    out.actor = system.spawn([got = out.got]() -> caf::behavior {
      return {[got](const peer_envelope& envelope) { got->push_back(envelope); }};
    });
    keep(out.actor);
    network.hub(id).route(peer_kind::inspect, {}, out.actor);
    network.hub(id).route(peer_kind::inspect_answer, {}, out.actor);
    return out;
  }
  /// Sends bytes as `from` would.
  void send(const std::string& from, const std::string& to, peer_kind kind, std::string head,
            std::string cluster_id = "c") {
    (void)network.hub(from).send(to, peer_lane::control,
                                 {.cluster_id = std::move(cluster_id),
                                  .sender = {},
                                  .log = {},
                                  .kind = kind,
                                  .head = shared_bytes::copy_of(as_byte_span(head)),
                                  .body = {}});
    run();
  }

  /// Asks as a port does.
  inspect_slot ask(const std::string& via, v1::InspectRequest question) {
    auto slot = std::make_shared<std::optional<inspect_reply>>();
    auto what = std::make_shared<const v1::InspectRequest>(std::move(question));
    keep(system.spawn([slot, what, to = nodes_.at(via).inspect](caf::event_based_actor* self) {
      self->request(to, caf::infinite, inspect_question{what})
          .then([slot](const inspect_reply& reply) { *slot = reply; }, [](const caf::error&) {});
    }));
    run();
    return slot;
  }
  v1::InspectAnswer answer(const std::string& via, v1::InspectRequest question) {
    const auto slot = ask(via, std::move(question));
    REQUIRE(slot->has_value());
    return *(*slot)->what;
  }

  void run() { scheduler().run(); }
  void advance(milliseconds time) {
    env.advance_ms(time.count());
    scheduler().advance_time(time);
    run();
  }
  node& at(const std::string& id) { return nodes_.at(id); }

  sim_env env{3};
  inspect_settings settings;
  caf::actor_system system{settings};
  fake_network network;

private:
  caf::scheduler::test_coordinator& scheduler() {
    return static_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  }
  void keep(caf::actor who) { spawned_.push_back(std::move(who)); }

  caf::actor played_raft(node& of) {
    auto who = system.spawn([&of](caf::event_based_actor* self) -> caf::behavior {
      return {
          [&of, self](ask_raft) -> caf::result<raft_report> {
            if (of.raft_is_silent) {
              auto promise = self->make_response_promise<raft_report>();
              of.unanswered.push_back(promise);
              return promise;
            }
            raft::configuration group;
            group.voters = {raft::node_id(1), raft::node_id(2), raft::node_id(3)};
            raft_report report;
            report.self = raft::node_id(1);
            report.lead = {raft::role::leader, term_id(3), raft::node_id(1)};
            report.commit = log_index(10);
            report.last = log_index(12);
            report.next_offset = record_offset(99);
            report.members = std::make_shared<const raft::configuration>(group);
            report.peers.push_back({.node = raft::node_id(2),
                                    .match = log_index(11),
                                    .match_offset = record_offset(98),
                                    .replicating = true,
                                    .active = true,
                                    .next = log_index(12)});
            return report;
          },
          [](ask_log) {
            log_report report;
            report.range = {record_offset(0), record_offset(99)};
            report.size_bytes = 5'000;
            report.segments.push_back({record_offset(0), record_offset(50), 3'000, true});
            report.segments.push_back({record_offset(50), record_offset(99), 2'000, false});
            return report;
          },
      };
    });
    keep(who);
    return who;
  }
  caf::actor played_registry(const node& of) {
    auto who = system.spawn([reports = of.reports]() -> caf::behavior {
      return {[reports](const list_actors& request) {
        actor_list list;
        for (const auto& report : *reports)
          if (request.actor == 0 || request.actor == report.id) list.actors.push_back(report);
        if (list.actors.empty()) {
          list.code = errc::not_found;
          list.detail = "there is no such actor";
        }
        return list;
      }};
    });
    keep(who);
    return who;
  }

  std::map<std::string, node> nodes_;
  std::vector<caf::actor> spawned_;
};

inline actor_report report_of(std::uint64_t id, std::string kind, std::string state) {
  actor_report out;
  out.id = id;
  out.name = fmt::format("{}/{:020}", kind, id);
  out.kind = std::move(kind);
  out.state = std::move(state);
  return out;
}

inline v1::InspectRequest question_for(const std::string& node) {
  v1::InspectRequest question;
  question.set_node(node);
  return question;
}
inline v1::InspectRequest ask_facts(const std::string& node = {}) {
  auto question = question_for(node);
  question.mutable_node_facts();
  return question;
}
inline v1::InspectRequest ask_events(std::uint64_t after, std::uint32_t wait_ms,
                                     const std::string& node = {}) {
  auto question = question_for(node);
  question.mutable_events()->set_after(after);
  question.mutable_events()->set_wait_ms(wait_ms);
  question.set_deadline_ms(wait_ms + 10'000);
  return question;
}

inline errc code_of(const v1::InspectAnswer& answer) {
  return static_cast<errc>(answer.code());
}

}  // namespace cairn::testing
