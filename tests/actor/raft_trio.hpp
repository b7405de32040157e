#pragma once
// RaftActors of several nodes on one thread: CAF's test coordinator runs them, hubs are connected
// in memory, logs are vectors that survive a restart.

#include "actors/cluster/roster.hpp"
#include "actors/raft_actor.hpp"
#include "apps/node_actors.hpp"
#include "tests/support/fake_hub.hpp"
#include "tests/support/sim_env.hpp"
#include "tests/support/sim_random.hpp"

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace cairn::testing {

struct trio_random final : raft::random_source {
  explicit trio_random(std::uint64_t seed) : random(seed) {}
  std::uint64_t next() override { return random.next(); }
  sim_random random;
};

/// What a node has on disk, and how it answers.
struct trio_log {
  std::vector<raft::entry> entries;
  raft::hard_state state;
  log_index published;
  log_index sessions;  ///< written down
  bool hold = false;   ///< keeps writes to itself
  bool broken = false;
  std::vector<std::pair<caf::actor, std::shared_ptr<const raft::persist_batch>>> held;

  void apply(const raft::persist_batch& batch) {
    if (batch.state) state = *batch.state;
    if (batch.truncate_from) entries.resize(batch.truncate_from->value() - 1);
    for (const raft::entry& e : batch.entries)
      entries.push_back(e);
  }
  [[nodiscard]] record_offset end() const {
    return entries.empty() ? record_offset{} : entries.back().next_offset();
  }
};

inline caf::behavior fake_log(caf::event_based_actor* self, std::shared_ptr<trio_log> log) {
  return {
      [self, log](const actors::persist& write) {
        const auto to = caf::actor_cast<caf::actor>(self->current_sender());
        if (log->hold) {
          log->held.emplace_back(to, write.batch);
          return;
        }
        actors::persisted done;
        done.ticket = write.batch->ticket;
        done.room_bytes = 64 * k_mib_bytes;
        done.room_frames = 1'000'000;
        if (log->broken) {
          done.code = errc::io_error;
          done.detail = "the disk is broken";
        } else {
          log->apply(*write.batch);
        }
        self->send(to, std::move(done));
      },
      [](const actors::reserve_room&) {
        return actors::room_reserved{.code = errc::none,
                                     .detail = {},
                                     .room_bytes = 64 * k_mib_bytes,
                                     .room_frames = 1'000'000};
      },
      [log](const actors::load_entries& want) {
        actors::loaded out;
        out.peer = want.request.peer;
        out.request = want.request.request;
        for (auto i = want.request.first; i < want.request.last; i = i.next())
          out.entries.push_back(log->entries.at(i.value() - 1));
        return out;
      },
      [log](const actors::save_sessions& save) {
        log->sessions = save.index;
        return actors::sessions_saved{};
      },
      [](const actors::attach_raft&) {},
      [](actors::close_log) { return actors::log_closed{}; },
  };
}

struct trio_settings : apps::actor_settings {
  trio_settings() { set("caf.scheduler.policy", "testing"); }
};

class raft_trio {
public:
  struct node {
    std::string name;
    std::uint64_t number = 0;
    std::shared_ptr<trio_log> log = std::make_shared<trio_log>();
    std::shared_ptr<actors::log_gate> gate =
        std::make_shared<actors::log_gate>(actors::log_limits{});
    std::shared_ptr<actors::raft_view> view = std::make_shared<actors::raft_view>();
    actors::node_events_ptr events;
    std::shared_ptr<actors::log_observer> observer = std::make_shared<actors::log_observer>();
    caf::actor storage;
    caf::actor raft;
  };

  explicit raft_trio(std::uint64_t count) : system_(settings_) {
    network.link_all();
    for (std::uint64_t i = 1; i <= count; ++i) {
      node& n = nodes_[i];
      n.number = i;
      n.name = fmt::format("n{}", i);
      bootstrap(n, count);
      start(i);
    }
    run();
  }
  ~raft_trio() {
    for (auto& [number, n] : nodes_)
      stop(number);
    nodes_.clear();
    for (auto& made : clients_)
      made->handle = nullptr;
    run();
  }

  node& operator[](std::uint64_t number) { return nodes_.at(number); }
  caf::scheduler::test_coordinator& scheduler() {
    return static_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
  }
  void run() { scheduler().run(); }

  void start(std::uint64_t number) {
    node& n = nodes_.at(number);
    n.storage = system_.spawn(fake_log, n.log);
    actors::raft_actor_config config;
    config.env = &env;
    config.hub = &network.hub(n.name);
    config.log = n.storage;
    config.node = caf::actor{sink_};
    config.cluster_id = "c";
    config.replica.core.self = raft::node_id(number);
    config.replica.core.quiesce_after_ticks = 0;
    config.boot = boot(*n.log);
    config.random = std::make_shared<trio_random>(number);
    config.gate = n.gate;
    config.observer = n.observer;
    config.view = n.view;
    config.node_id = n.name;
    if (!n.events) n.events = std::make_shared<actors::node_events>(env, number);
    config.events = n.events;
    config.publish = [log = n.log](log_index last) -> result<record_offset> {
      log->published = std::max(log->published, last);
      return last.value() == 0 ? record_offset{} : log->entries.at(last.value() - 1).next_offset();
    };
    n.raft = system_.spawn<actors::raft_actor>(std::move(config));
  }
  /// As kill -9: nothing is closed.
  void stop(std::uint64_t number) {
    node& n = nodes_.at(number);
    if (!n.raft) return;
    network.stop(n.name);
    caf::anon_send_exit(n.raft, caf::exit_reason::kill);
    caf::anon_send_exit(n.storage, caf::exit_reason::kill);
    n.raft = nullptr;
    n.storage = nullptr;
    run();
  }
  void pass(std::uint64_t ms) {
    for (std::uint64_t done = 0; done < ms; done += 50) {
      env.advance_ms(50);
      scheduler().advance_time(std::chrono::milliseconds(50));
      run();
    }
  }
  std::uint64_t elect(std::uint64_t except = 0) {
    for (int i = 0; i < 200; ++i) {
      pass(50);
      for (auto& [number, n] : nodes_) {
        if (number != except && n.raft && leads(number)) {
          pass(200);
          return number;
        }
      }
    }
    FAIL("no leader");
    return 0;
  }
  [[nodiscard]] bool leads(std::uint64_t number) {
    return nodes_.at(number).view->get().lead.as == raft::role::leader;
  }
  std::uint64_t other_than(std::uint64_t a, std::uint64_t b = 0) {
    for (auto& [number, n] : nodes_) {
      if (number != a && number != b) return number;
    }
    return 0;
  }

  fake_network network;
  sim_env env{3};

  /// A client of one node: gathers what is answered to it.
  struct client {
    std::map<actors::request_id, actors::append_outcome> answers;
    std::uint32_t durable_on = 0;
    std::uint32_t replicas = 0;
    std::size_t advanced = 0;
    caf::actor handle;
  };
  std::shared_ptr<client> make_client() {
    auto made = std::make_shared<client>();
    made->handle = system_.spawn([made = made.get()](caf::event_based_actor*) -> caf::behavior {
      return {
          [made](const actors::append_outcomes& outcomes) {
            for (const auto& item : outcomes.items)
              CHECK(made->answers.emplace(item.id, item).second);
            made->durable_on = outcomes.durable_on;
            made->replicas = outcomes.replicas;
          },
          [made](const actors::log_advanced&) { ++made->advanced; },
      };
    });
    clients_.push_back(made);
    return made;
  }
  void append(const client& from, std::uint64_t to, actors::request_id id, bool conditional = false,
              std::uint64_t expected = 0) {
    actors::append_item item;
    item.id = id;
    item.payload = shared_bytes::copy_of(as_byte_span(fmt::format("record {}", id)));
    item.record_count = 1;
    item.conditional = conditional;
    item.expected_offset = record_offset(expected);
    item.deadline_ns = env.monotonic_ns() + 10'000'000'000;
    item.received_ns = env.monotonic_ns();
    CHECK(nodes_.at(to).gate->admit_append(item.payload.size()));
    actors::append_batch batch;
    batch.port = from.handle;
    batch.items.push_back(std::move(item));
    caf::anon_send(nodes_.at(to).raft, std::move(batch));
  }
  /// Asks a RaftActor; the answer is there once the actors have run.
  template <class Answer, class Question>
  std::shared_ptr<std::optional<Answer>> ask(std::uint64_t of, Question question) {
    auto answer = std::make_shared<std::optional<Answer>>();
    system_.spawn([answer, question = std::move(question),
                   to = nodes_.at(of).raft](caf::event_based_actor* self) {
      self->request(to, caf::infinite, question).then([answer](const Answer& got) {
        *answer = got;
      });
    });
    return answer;
  }

private:
  void bootstrap(node& n, std::uint64_t count) {
    proto::cluster_context context;
    context.cluster_id = "c";
    context.next_number = count + 1;
    raft::configuration config;
    for (std::uint64_t i = 1; i <= count; ++i) {
      proto::cluster_member member;
      member.number = i;
      member.node_id = fmt::format("n{}", i);
      member.data_id = fmt::format("d{}", i);
      member.peer = fmt::format("127.0.0.1:{}", 7000 + i);
      context.members.push_back(member);
      config.voters.emplace_back(i);
    }
    REQUIRE(proto::validate(context).ok());
    config.context = proto::encode(context);
    raft::entry first;
    first.index = log_index(1);
    first.term = term_id(1);
    first.kind = raft::entry_kind::config;
    first.payload = raft::encode(config);
    n.log->entries.push_back(first);
    n.log->state.term = term_id(1);
  }
  static raft::boot_state boot(const trio_log& log) {
    raft::boot_state boot;
    boot.state = log.state;
    boot.last = log_index(log.entries.size());
    boot.next_offset = log.end();
    for (const raft::entry& e : log.entries) {
      if (boot.terms.empty() || boot.terms.back().term != e.term) {
        boot.terms.push_back({e.index, e.term});
      }
      if (e.kind == raft::entry_kind::config) {
        boot.configs.push_back({e.index, *raft::decode_configuration(e.payload)});
      }
    }
    return boot;
  }

  trio_settings settings_;
  caf::actor_system system_;
  caf::scoped_actor sink_{system_};
  std::map<std::uint64_t, node> nodes_;
  std::vector<std::shared_ptr<client>> clients_;
};

}  // namespace cairn::testing
