// Replicas as nodes run them: RaftActor and LogActor on threads of their own, files on a disk. Only
// the links between nodes are made of memory.

#include "actors/cluster/roster.hpp"
#include "actors/log_actor.hpp"
#include "actors/maintenance_actor.hpp"
#include "actors/node_actor.hpp"
#include "actors/raft_actor.hpp"
#include "actors/reader_actor.hpp"
#include "apps/node_actors.hpp"
#include "storage/posix_env.hpp"
#include "tests/support/fake_hub.hpp"
#include "tests/support/sim_random.hpp"
#include "tests/support/temporary_directory.hpp"

#include <caf/all.hpp>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <set>

namespace cairn::testing {
namespace {

using std::chrono::milliseconds;

struct seeded final : raft::random_source {
  explicit seeded(std::uint64_t seed) : random(seed) {}
  std::uint64_t next() override { return random.next(); }
  sim_random random;
};

proto::cluster_member member_of(std::uint64_t number) {
  proto::cluster_member member;
  member.number = number;
  member.node_id = fmt::format("n{}", number);
  member.data_id = fmt::format("d{}", number);
  member.peer = fmt::format("127.0.0.1:{}", 7000 + number);
  return member;
}

class real_group {
public:
  struct node {
    temporary_directory directory;
    std::shared_ptr<actors::log_gate> gate;
    std::shared_ptr<actors::raft_view> view = std::make_shared<actors::raft_view>();
    std::shared_ptr<storage::log_reader> reader;
    std::vector<caf::actor> others;
    caf::actor log;
    caf::actor raft;
  };

  real_group() : system_(settings_), self_(system_) {
    network_.link_all();
    for (std::uint64_t number = 1; number <= 3; ++number) {
      nodes_.try_emplace(number);
      start(number);
    }
  }
  ~real_group() {
    for (std::uint64_t number = 1; number <= 3; ++number)
      stop(number);
  }

  node& operator[](std::uint64_t number) { return nodes_.at(number); }

  void start(std::uint64_t number) {
    node& n = nodes_.at(number);
    n.gate = std::make_shared<actors::log_gate>(actors::log_limits{});
    const auto observer = std::make_shared<actors::log_observer>();
    actors::log_store_config config;
    config.directory = n.directory.file("log");
    config.log.segment_bytes = 256 * k_kib_bytes;
    config.log.prefill_bytes = 256 * k_kib_bytes;
    storage::recovery_report report;
    auto store = actors::log_store::open(*env_, config, n.gate, observer, report);
    REQUIRE(store.ok());
    if (number == 1 && (*store)->blank()) {
      REQUIRE((*store)->bootstrap(actors::bootstrap_configuration("c", member_of(1))).ok());
    }
    auto boot = (*store)->boot_state();
    REQUIRE(boot.ok());
    auto sessions = (*store)->load_sessions();
    REQUIRE(sessions.ok());
    n.reader = (*store)->reader();
    const auto sink = system_.spawn<actors::node_actor>(
        actors::node_actor_config{.env = env_.get(), .node_id = "n", .on_fatal = {}});
    const auto maintenance = system_.spawn<actors::maintenance_actor, caf::detached>(
        actors::maintenance_actor_config{.env = env_.get(), .work = (*store)->log().background()});
    const auto reads = system_.spawn<actors::reader_actor, caf::detached>(
        actors::reader_actor_config{.env = env_.get(),
                                    .name = "reader",
                                    .parent = 0,
                                    .gate = n.gate,
                                    .observer = observer,
                                    .reader = n.reader});
    n.others = {sink, maintenance, reads};
    actors::raft_actor_config raft;
    raft.env = env_.get();
    raft.hub = &network_.hub(fmt::format("n{}", number));
    raft.node = sink;
    raft.cluster_id = "c";
    raft.replica.core.self = raft::node_id(number);
    raft.replica.core.quiesce_after_ticks = 0;
    raft.replica.core.window_bytes_max = 64 * k_kib_bytes;  // older entries come from the files
    raft.replica.tick_ns = 20'000'000;
    raft.replica.sessions = std::make_shared<actors::session_boot>(*std::move(sessions));
    raft.boot = *std::move(boot);
    raft.random = std::make_shared<seeded>(number);
    raft.gate = n.gate;
    raft.observer = observer;
    raft.view = n.view;
    raft.publish = [publisher = (*store)->publisher()](log_index last) {
      return publisher.publish(last);
    };
    n.log = system_.spawn<actors::log_actor, caf::detached>(
        std::move(*store),
        actors::log_actor_config{.parent = 0,
                                 .node = sink,
                                 .maintenance = maintenance,
                                 .readers = {reads},
                                 .directory = std::make_shared<actors::segment_directory>()});
    raft.log = n.log;
    n.raft = system_.spawn<actors::raft_actor, caf::detached>(std::move(raft));
  }

  /// As kill -9, as far as files can tell: nothing is closed.
  void stop(std::uint64_t number) {
    node& n = nodes_.at(number);
    if (!n.raft) return;
    network_.stop(fmt::format("n{}", number));
    n.others.push_back(n.raft);
    n.others.push_back(n.log);
    for (const auto& actor : n.others)
      self_->send_exit(actor, caf::exit_reason::kill);
    for (const auto& actor : n.others)
      self_->wait_for(actor);
    n.others.clear();
    n.raft = nullptr;
    n.log = nullptr;
    n.reader = nullptr;
  }

  template <class Answer, class Question>
  Answer ask(std::uint64_t number, Question question) {
    Answer answer;
    self_->request(nodes_.at(number).raft, std::chrono::seconds(30), std::move(question))
        .receive([&](Answer& got) { answer = std::move(got); },
                 [&](const caf::error& why) { FAIL(caf::to_string(why)); });
    return answer;
  }

  /// Looks every 10 ms for at most 20 s.
  template <class Condition>
  bool until(Condition condition) {
    for (int i = 0; i < 2'000; ++i) {
      if (condition()) return true;
      self_->receive(caf::after(milliseconds(10)) >> [] {});
    }
    return false;
  }

  std::uint64_t leader(std::uint64_t except = 0) {
    std::uint64_t found = 0;
    CHECK(until([&] {
      for (auto& [number, n] : nodes_) {
        if (number != except && n.raft && n.view->get().lead.as == raft::role::leader) {
          found = number;
        }
      }
      return found != 0;
    }));
    return found;
  }

  void change(raft::member_change::action what, std::uint64_t number) {
    proto::cluster_context context;
    context.cluster_id = "c";
    context.next_number = 4;
    for (std::uint64_t i = 1; i <= 3; ++i)
      context.members.push_back(member_of(i));
    CHECK(until([&] {
      const auto done = ask<actors::raft_request_done>(
          1, actors::change_members{{{what, raft::node_id(number)}}, proto::encode(context)});
      return done.code == errc::none;
    }));
  }

  /// Sends `count` appends to a node, gathers all answers.
  std::map<errc, std::vector<std::uint64_t>> append(std::uint64_t to, std::size_t count,
                                                    std::size_t size_bytes = 300) {
    for (std::size_t i = 0; i < count; ++i) {
      actors::append_batch batch;
      batch.port = caf::actor{self_};
      batch.items.resize(1);
      auto& item = batch.items[0];
      item.id = ++last_id_;
      item.payload = shared_bytes::copy_of(as_byte_span(std::string(size_bytes, 'r')));
      item.record_count = 1;
      item.deadline_ns = env_->monotonic_ns() + 20'000'000'000;
      REQUIRE(nodes_.at(to).gate->admit_append(size_bytes));
      self_->send(nodes_.at(to).raft, std::move(batch));
    }
    std::map<errc, std::vector<std::uint64_t>> answers;
    std::size_t left = count;
    bool late = false;
    while (left > 0 && !late) {
      self_->receive(
          [&](const actors::append_outcomes& outcomes) {
            for (const auto& item : outcomes.items)
              answers[item.code].push_back(item.offset.value());
            left -= outcomes.items.size();
          },
          caf::after(std::chrono::seconds(30)) >> [&] { late = true; });
    }
    CHECK_FALSE(late);
    return answers;
  }

private:
  std::unique_ptr<storage::env> env_ = storage::make_posix_env();
  fake_network network_;
  apps::actor_settings settings_;
  caf::actor_system system_;
  caf::scoped_actor self_;
  std::map<std::uint64_t, node> nodes_;
  actors::request_id last_id_ = 0;
};

}  // namespace

TEST_CASE("replicas on threads: a group grows, loses its leader, and gets it back") {
  using action = raft::member_change::action;
  real_group group;
  CHECK(group.leader() == 1);
  CHECK(group.append(1, 600)[errc::none].size() == 600);
  for (const std::uint64_t number : {2, 3})
    group.change(action::add_learner, number);
  for (const std::uint64_t number : {2, 3})
    group.change(action::add_voter, number);

  std::set<std::uint64_t> offsets;
  for (const std::uint64_t number : {1, 2, 3}) {
    const auto answers = group.append(number, 300);
    REQUIRE(answers.size() == 1);
    REQUIRE(answers.begin()->first == errc::none);
    for (const auto offset : answers.begin()->second)
      CHECK(offsets.insert(offset).second);
  }
  CHECK(*offsets.begin() == 600);
  CHECK(*offsets.rbegin() == 1'499);

  const auto first = group.leader();
  group.stop(first);
  const auto second = group.leader(first);
  CHECK(group.append(second, 50)[errc::none].size() == 50);
  const std::uint64_t third = 6 - first - second;
  CHECK(group.append(third, 50)[errc::none].size() == 50);
  const auto passed = group.ask<actors::barrier_passed>(third, actors::read_barrier{UINT64_MAX});
  CHECK(passed.code == errc::none);
  CHECK(passed.end == record_offset(1'600));
  CHECK(group[third].reader->end_offset() == record_offset(1'600));

  group.start(first);
  CHECK(group.until([&] { return group[first].reader->end_offset() == record_offset(1'600); }));
  const auto frames = group[first].reader->read(
      record_offset(0),
      {.bytes_max = 64 * k_mib_bytes, .records_max = 10'000, .cached_only = false});
  REQUIRE(frames.ok());
  CHECK(frames->front().header.base_offset == record_offset(0));
}

TEST_CASE("replicas on threads: closing leaves files that open without a scan") {
  real_group group;
  CHECK(group.leader() == 1);
  CHECK(group.append(1, 10)[errc::none].size() == 10);
  CHECK(group.ask<actors::log_closed>(1, actors::close_log{}).code == errc::none);
  group.stop(1);
  group.start(1);
  CHECK(group.until([&] { return group[1].reader->end_offset() == record_offset(10); }));
  CHECK(group.append(1, 1)[errc::none] == std::vector<std::uint64_t>{10});
}

}  // namespace cairn::testing
