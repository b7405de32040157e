// The LogActor as the storage of a RaftActor, on CAF's test coordinator.
#include "actors/log_actor.hpp"

#include "actors/maintenance_actor.hpp"
#include "actors/reader_actor.hpp"
#include "tests/actor/backend_world.hpp"

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::actors;
using namespace cairn::testing;

namespace {

/// A LogActor with what it needs, and somebody who stands for the RaftActor.
class log_world {
public:
  explicit log_world(retention_config retention = {}) : system(settings), raft(system) {
    gate = std::make_shared<log_gate>(log_limits{});
    directory = std::make_shared<segment_directory>();
    auto observer = std::make_shared<counting_observer>();
    storage::recovery_report report;
    auto opened = log_store::open(
        env,
        {.name = "default", .directory = "/log", .log = small_segments(), .retention = retention},
        gate, observer, report);
    REQUIRE_MESSAGE(opened.ok(), opened.error().detail);
    raft::configuration alone;
    alone.voters = {raft::node_id(1)};
    REQUIRE((*opened)->bootstrap(alone).ok());
    next_timestamp = (*opened)->log().last_timestamp_ms();
    publisher.emplace((*opened)->publisher());
    const auto work = (*opened)->log().background();
    reader = system.spawn<reader_actor>(reader_actor_config{.env = &env,
                                                            .name = "reader-0",
                                                            .parent = 1,
                                                            .gate = gate,
                                                            .observer = observer,
                                                            .reader = (*opened)->reader()});
    maintenance = system.spawn<maintenance_actor>(
        maintenance_actor_config{.env = &env, .parent = 1, .work = work});
    log = system.spawn<log_actor>(std::move(*opened), log_actor_config{.parent = 1,
                                                                       .node = raft,
                                                                       .maintenance = maintenance,
                                                                       .readers = {reader},
                                                                       .directory = directory,
                                                                       .events = events});
    run();
    raft->send(log, attach_raft{raft});
  }
  ~log_world() {
    for (const auto& actor : {log, maintenance, reader})
      caf::anon_send_exit(actor, caf::exit_reason::kill);
    run();
  }

  static storage::log_config small_segments() {
    storage::log_config config;
    config.segment_bytes = 4 * k_kib_bytes;
    config.prefill_bytes = 2 * k_kib_bytes;
    return config;
  }

  void run() { dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler()).run(); }

  /// Sends `request` and returns the one answer of type T that comes.
  template <class T, class Request>
  T ask(Request request) {
    raft->send(log, std::move(request));
    run();
    return take<T>();
  }
  /// The next message of type T; others are dropped.
  template <class T>
  T take() {
    std::optional<T> got;
    while (!got && !raft->mailbox().empty()) {
      raft->receive(
          [&](T& message) { got = std::move(message); },
          caf::others >> [](caf::message&) -> caf::skippable_result { return caf::message{}; });
    }
    REQUIRE(got.has_value());
    return std::move(*got);
  }
  template <class T>
  std::size_t count() {
    std::size_t found = 0;
    while (!raft->mailbox().empty()) {
      raft->receive(
          [&](T&) { ++found; },
          caf::others >> [](caf::message&) -> caf::skippable_result { return caf::message{}; });
    }
    return found;
  }

  persisted write(std::size_t entries, std::size_t bytes) {
    auto batch = std::make_shared<raft::persist_batch>();
    batch->ticket = raft::persist_ticket(++ticket);
    for (std::size_t i = 0; i < entries; ++i) {
      raft::entry e;
      e.index = next_index;
      e.term = term_id(1);
      e.record_count = 1;
      e.base_offset = next_offset;
      e.timestamp_ms = next_timestamp;
      e.payload = shared_bytes::copy_of(as_byte_span(std::string(bytes, 'x')));
      next_index = next_index.next();
      next_offset = next_offset.next();
      batch->entries.push_back(std::move(e));
    }
    last_batch = batch;
    return ask<persisted>(persist{batch});
  }

  loaded load(std::uint64_t first, std::uint64_t last, std::uint64_t bytes_max = 1'000'000) {
    return ask<loaded>(
        load_entries{{raft::node_id(2), 77, log_index(first), log_index(last), bytes_max}});
  }

  testing_settings settings;
  sim_env env;
  node_events_ptr events = std::make_shared<node_events>(env, 1);
  caf::actor_system system;
  caf::scoped_actor raft;
  std::shared_ptr<log_gate> gate;
  std::shared_ptr<segment_directory> directory;
  std::optional<storage::log_publisher> publisher;
  caf::actor reader, maintenance, log;
  std::uint64_t ticket = 0;
  log_index next_index{2};
  record_offset next_offset;
  unix_ms next_timestamp = 0;
  std::shared_ptr<const raft::persist_batch> last_batch;
};

}  // namespace

TEST_CASE("log actor: a persist is answered once, when it is durable") {
  log_world world;
  const auto done = world.write(3, 100);
  CHECK(done.ticket == raft::persist_ticket(1));
  CHECK(done.code == errc::none);
  CHECK(done.room_bytes > 0);
  CHECK(world.count<persisted>() == 0);
  const auto crashed = world.env.clone_durable();
  storage::recovery_report report;
  const auto log = storage::segmented_log::open(*crashed, "/log", {}, report);
  REQUIRE(log.ok());
  CHECK((*log)->next_index() == log_index(5));
}

TEST_CASE("log actor: published entries are loaded by a reader, newer ones by the log itself") {
  log_world world;
  CHECK(world.write(10, 700).code == errc::none);
  auto answer = world.load(2, 5);
  CHECK(answer.peer == raft::node_id(2));
  CHECK(answer.request == 77);
  CHECK(answer.entries.size() == 3);
  REQUIRE(world.publisher->publish(log_index(6)).ok());
  caf::scoped_actor self(world.system);
  const auto reads = [&] {
    std::uint64_t processed = 0;
    self->send(world.reader, describe{});
    world.run();
    self->receive([&](const actor_report& report) { processed = report.processed; });
    return processed;
  };
  const auto before = reads();
  answer = world.load(2, 12);
  CHECK(reads() == before + 2);
  CHECK(answer.entries.size() == 5);  // to the published end
  answer = world.load(7, 12);
  CHECK(answer.entries.size() == 5);
  CHECK(answer.entries.front().index == log_index(7));
  CHECK(world.load(2, 12, 1).entries.size() == 1);
}

TEST_CASE("log actor: a load of what is gone says so") {
  log_world world({.bytes = 5'000});
  CHECK(world.write(30, 700).code == errc::none);
  REQUIRE(world.publisher->publish(log_index(31)).ok());
  world.raft->send(world.log, apply_retention{});
  world.run();
  const auto trimmed = world.take<log_trimmed>();
  CHECK(trimmed.start.index.value() > 10);
  CHECK(trimmed.start_offset.value() == trimmed.start.index.value() - 1);
  CHECK(trimmed.start.term == term_id(1));
  const auto answer = world.load(2, 5);
  CHECK(answer.code == errc::invalid_argument);
  CHECK(answer.entries.empty());
}

TEST_CASE("log actor: a roll trims what is published, after the answer") {
  log_world world({.bytes = 5'000});
  CHECK(world.write(10, 700).code == errc::none);
  CHECK(world.count<log_trimmed>() == 0);
  REQUIRE(world.publisher->publish(log_index(11)).ok());
  CHECK(world.write(10, 700).code == errc::none);
  CHECK(world.count<log_trimmed>() == 1);
  CHECK(world.directory->size() == world.gate->segment_count.load());
}

TEST_CASE("log actor: rolls and removals are events, one a second of each") {
  log_world world({.bytes = 5'000});
  CHECK(world.events->last_id() == 0);
  CHECK(world.write(30, 700).code == errc::none);
  auto page = world.events->after(0, 100);
  REQUIRE(page.events.size() == 1);
  CHECK(page.events[0].kind == event_kind::segment);
  CHECK(page.events[0].source == "log default");
  CHECK(page.events[0].text.find("a new segment begins at offset ") == 0);
  REQUIRE(world.publisher->publish(log_index(31)).ok());
  for (int i = 0; i < 5; ++i)
    CHECK(world.write(30, 700).code == errc::none);
  page = world.events->after(1, 100);
  REQUIRE(page.events.size() == 1);
  CHECK(page.events[0].text.find("retention has removed everything below offset ") == 0);
  world.env.advance_ms(1'000);
  CHECK(world.write(30, 700).code == errc::none);
  page = world.events->after(2, 100);
  REQUIRE(page.events.size() >= 1);
  CHECK(page.events[0].text.find("(5 more began before it since the last event)") !=
        std::string::npos);
}

TEST_CASE("log actor: a full disk refuses room and batches, and both work again later") {
  log_world world;
  CHECK(world.write(1, 100).code == errc::none);
  world.env.set_capacity_bytes(world.env.used_bytes());
  const auto refused = world.ask<room_reserved>(reserve_room{1 * k_mib_bytes});
  CHECK(refused.code == errc::disk_full);
  CHECK(world.write(1, 9'000).code == errc::disk_full);
  world.env.set_capacity_bytes({});
  CHECK(world.ask<persisted>(persist{world.last_batch}).code == errc::none);
  const auto room = world.ask<room_reserved>(reserve_room{1 * k_mib_bytes});
  CHECK(room.code == errc::none);
  CHECK(room.room_bytes >= 1 * k_mib_bytes);
}

TEST_CASE("log actor: a failed sync is answered, reported to the node, and final") {
  log_world world;
  CHECK(world.write(1, 100).code == errc::none);
  world.env.fail(sim_op::sync_data, 1, errc::io_error);
  CHECK(world.write(1, 100).code == errc::io_error);
  CHECK(world.count<log_fenced>() == 1);
  CHECK(world.write(1, 100).code == errc::io_error);
  CHECK(world.count<log_fenced>() == 0);
  CHECK(world.gate->fenced());
}

TEST_CASE("log actor: an install ends the segment actors of the old log") {
  log_world world;
  CHECK(world.write(20, 700).code == errc::none);
  CHECK(world.directory->size() > 2);
  auto batch = std::make_shared<raft::persist_batch>();
  batch->ticket = raft::persist_ticket(++world.ticket);
  raft::configuration config;
  config.voters = {raft::node_id(2)};
  batch->install = raft::snapshot{.last = {log_index(100), term_id(1)},
                                  .next_offset = record_offset(500),
                                  .config = config,
                                  .state = {}};
  CHECK(world.ask<persisted>(persist{batch}).code == errc::none);
  CHECK(world.directory->size() == 0);
  world.next_index = log_index(101);
  world.next_offset = record_offset(500);
  CHECK(world.write(1, 10).code == errc::none);
  CHECK(world.directory->size() == 1);
}

TEST_CASE("log actor: after close_log nothing is written any more") {
  log_world world;
  CHECK(world.write(1, 100).code == errc::none);
  CHECK(world.ask<log_closed>(close_log{}).code == errc::none);
  const auto operations = world.env.operations();
  CHECK(world.write(1, 100).code == errc::unavailable);
  CHECK(world.env.operations() == operations);
}
