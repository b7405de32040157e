// What a log's directory keeps about appends with an identity, on the simulated disk.

#include "actors/log_store.hpp"
#include "tests/support/sim_env.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <optional>
#include <string>

using namespace cairn;
using namespace cairn::actors;
using namespace cairn::testing;

namespace {

const std::string k_sessions_path = "/log/sessions";

proto::append_identity key(std::uint64_t number) {
  return proto::identity_of_key(fmt::format("key-{}", number));
}

/// A store, what a replica knows of it, and everything that was written to it.
struct session_world {
  explicit session_world(sim_env& on, retention_config keep = {}) : env(on), retention(keep) {
    open();
  }

  result<session_boot> try_open() {
    store.reset();
    storage::recovery_report report;
    log_store_config config;
    config.directory = "/log";
    config.retention = retention;
    config.log.segment_bytes = 4 * k_kib_bytes;
    config.log.prefill_bytes = 2 * k_kib_bytes;
    auto opened = log_store::open(env, config, std::make_shared<log_gate>(log_limits{}),
                                  std::make_shared<log_observer>(), report);
    REQUIRE_MESSAGE(opened.ok(), opened.error().detail);
    store = std::move(*opened);
    const auto boot = store->boot_state();
    REQUIRE(boot.ok());
    last = boot->last;
    end = boot->next_offset;
    ticket = 0;
    return store->load_sessions();
  }
  void open() {
    auto boot = try_open();
    REQUIRE_MESSAGE(boot.ok(), boot.error().detail);
    sessions.emplace(*std::move(boot), last, 0);
  }

  /// One entry of one record, with a key or without; committed and published.
  void write(std::optional<std::uint64_t> key_number, std::size_t size_bytes = 700) {
    proto::batch_encoder encoder;
    encoder.append(as_byte_span(std::string(size_bytes, 'x')), proto::value_kind::text);
    const auto records = encoder.finish();
    raft::persist_batch batch;
    batch.ticket = raft::persist_ticket(++ticket);
    batch.state = raft::hard_state{term_id(1), raft::k_nobody};
    raft::entry e;
    e.index = last = last.next();
    e.term = term_id(1);
    e.record_count = 1;
    e.base_offset = end;
    e.payload =
        key_number ? proto::encode_append_stamp(key(*key_number), records) : records.payload;
    end = e.next_offset();
    batch.entries.push_back(std::move(e));
    sessions->given_out(batch);
    const status done = store->write(batch);
    REQUIRE_MESSAGE(done.ok(), done.error().detail);
    publish();
  }
  void publish() {
    REQUIRE(store->publisher().publish(last).ok());
    sessions->settle(last);
  }
  status save() { return store->save_sessions(checkpoint()); }
  [[nodiscard]] session_checkpoint checkpoint() const {
    return {sessions->table().applied(), sessions->state()};
  }
  [[nodiscard]] bool knows(std::uint64_t number) const {
    return sessions->table().find_key(key(number).hash, 0) != nullptr;
  }

  sim_env& env;
  retention_config retention;
  std::unique_ptr<log_store> store;
  std::optional<replica_sessions> sessions;
  log_index last;
  record_offset end;
  std::uint64_t ticket = 0;
};

}  // namespace

TEST_CASE("session store: without a file the log is read from its start, with one from there") {
  sim_env env(1);
  session_world world(env);
  world.write(1);
  world.write({});
  world.write(2);
  const std::string state(world.sessions->state().text());
  world.open();
  CHECK(world.sessions->table().applied() == log_index(0));
  REQUIRE(world.sessions->pending().entries().size() == 2);
  CHECK(world.sessions->pending().entries()[1].index == log_index(3));
  world.publish();
  CHECK(world.sessions->state().text() == state);
  REQUIRE(world.save().ok());
  world.write(3);
  world.open();
  CHECK(world.sessions->table().applied() == log_index(3));
  CHECK(world.sessions->pending().entries().size() == 1);
  world.publish();
  for (const std::uint64_t number : {1, 2, 3})
    CHECK(world.knows(number));
}

TEST_CASE("session store: a save is the old state or the new one, wherever the power goes") {
  for (std::uint64_t stop = 1;; ++stop) {
    sim_env env(stop);
    CAPTURE(stop);
    session_world world(env);
    world.write(1);
    REQUIRE(world.save().ok());
    world.write(2);
    env.stop_at(env.operations() + stop);
    const bool saved = world.save().ok();
    const bool hit = env.stopped();
    world.store.reset();
    env.crash();
    world.open();
    const auto applied = world.sessions->table().applied();
    CHECK((applied == log_index(2) || (applied == log_index(1) && !saved)));
    world.publish();
    CHECK(world.knows(1));
    CHECK(world.knows(2));
    if (!hit) break;
  }
}

TEST_CASE("session store: no stamped entry is trimmed before a checkpoint covers it") {
  sim_env env(1);
  session_world world(env, {.bytes = 8'000});
  for (std::uint64_t i = 1; i <= 30; ++i)
    world.write(i);
  CHECK_FALSE(world.store->apply_retention());
  CHECK(world.store->take_sessions_wanted());
  CHECK_FALSE(world.store->take_sessions_wanted());
  const session_checkpoint early = world.checkpoint();
  for (std::uint64_t i = 31; i <= 60; ++i)
    world.write(i);
  REQUIRE(world.store->save_sessions(early).ok());
  const auto trimmed = world.store->apply_retention();
  REQUIRE(trimmed);
  CHECK(trimmed->start.index > log_index(20));
  CHECK(trimmed->start.index <= log_index(30));
  CHECK(world.store->take_sessions_wanted());
  REQUIRE(world.save().ok());
  REQUIRE(world.store->apply_retention());
  CHECK_FALSE(world.store->take_sessions_wanted());
  // Nothing is forgotten by that.
  world.open();
  world.publish();
  for (std::uint64_t i = 1; i <= 60; ++i)
    CHECK(world.knows(i));
}

TEST_CASE("session store: a start finds what is not covered, and holds it again") {
  sim_env env(1);
  session_world world(env, {.bytes = 8'000});
  for (std::uint64_t i = 1; i <= 30; ++i)
    world.write(i);
  world.open();
  world.publish();
  CHECK_FALSE(world.store->apply_retention());
  CHECK(world.store->take_sessions_wanted());
}

TEST_CASE("session store: a log without stamps is trimmed as ever") {
  sim_env env(1);
  session_world world(env, {.bytes = 8'000});
  for (int i = 0; i < 30; ++i)
    world.write({});
  CHECK(world.store->apply_retention());
  CHECK_FALSE(world.store->take_sessions_wanted());
}

TEST_CASE(
    "session store: a damaged file is made anew, unless entries that it stands for are gone") {
  sim_env env(1);
  session_world world(env, {.bytes = 8'000});
  for (std::uint64_t i = 1; i <= 30; ++i)
    world.write(i);
  REQUIRE(world.save().ok());
  world.store.reset();
  env.flip_bit(k_sessions_path, 100, 3);
  world.open();
  CHECK(world.sessions->table().applied() == log_index(0));
  world.publish();
  CHECK(world.knows(1));
  REQUIRE(world.save().ok());
  REQUIRE(world.store->apply_retention());
  world.store.reset();
  env.flip_bit(k_sessions_path, 100, 3);
  const auto boot = world.try_open();
  REQUIRE_FALSE(boot.ok());
  CHECK(boot.code() == errc::corruption);
  CHECK(boot.error().detail.find(k_sessions_path) != std::string::npos);
}

TEST_CASE("session store: a snapshot's state is kept, and holds the log until a file has it") {
  sim_env env(1);
  session_world world(env, {.bytes = 8'000});
  world.write(1);
  REQUIRE(world.save().ok());
  session_table given;
  stamped_append old{key(7), {}};
  old.receipt.count = 1;
  old.receipt.index = log_index(95);
  given.apply(log_index(95), {&old, 1});
  raft::persist_batch batch;
  batch.ticket = raft::persist_ticket(++world.ticket);
  batch.state = raft::hard_state{term_id(1), raft::k_nobody};
  batch.install = raft::snapshot{.last = {log_index(90), term_id(1)},
                                 .next_offset = record_offset(500),
                                 .config = {},
                                 .state = given.serialize()};
  batch.install->config.voters.emplace_back(1);
  world.sessions->given_out(batch);
  REQUIRE(world.store->write(batch).ok());
  world.open();
  CHECK(world.sessions->table().applied() == log_index(95));
  CHECK(world.knows(7));
  for (std::uint64_t i = 91; i <= 130; ++i)
    world.write({});
  CHECK_FALSE(world.store->apply_retention());
  CHECK(world.store->take_sessions_wanted());
  REQUIRE(world.save().ok());
  CHECK(world.store->apply_retention());
  world.open();
  CHECK(world.knows(7));
}

TEST_CASE(
    "session store: a full disk leaves the old state and does no harm, a failed sync fences") {
  sim_env env(1);
  session_world world(env);
  world.write(1);
  REQUIRE(world.save().ok());
  world.write(2);
  env.fail(sim_op::allocate, 1, errc::disk_full, "sessions");
  CHECK(world.save().code() == errc::disk_full);
  CHECK_FALSE(world.store->fenced());
  world.write(3);
  env.fail(sim_op::sync_data, 1, errc::io_error, "sessions");
  CHECK(world.save().code() == errc::io_error);
  CHECK(world.store->fenced());
  world.store.reset();
  env.crash();
  world.open();
  CHECK(world.sessions->table().applied() == log_index(1));
}
