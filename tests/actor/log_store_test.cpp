// The storage half of a replica on the simulated disk: what a core is given at its start, and that
// a batch is on disk in the order that Raft relies on, wherever the power goes.
#include "actors/log_store.hpp"

#include "storage/slot_file.hpp"
#include "tests/support/sim_env.hpp"

#include <doctest/doctest.h>
#include <optional>
#include <string>

using namespace cairn;
using namespace cairn::actors;
using namespace cairn::testing;

namespace {

storage::log_config small_log() {
  storage::log_config config;
  config.segment_bytes = 4 * k_kib_bytes;
  config.prefill_bytes = 2 * k_kib_bytes;
  config.log_id = 7;
  return config;
}

log_store_config store_config(retention_config retention = {}) {
  return {.name = "default", .directory = "/log", .log = small_log(), .retention = retention};
}

result<std::unique_ptr<log_store>> try_open(storage::env& env, retention_config retention = {}) {
  storage::recovery_report report;
  return log_store::open(env, store_config(retention), std::make_shared<log_gate>(log_limits{}),
                         std::make_shared<log_observer>(), report);
}

std::unique_ptr<log_store> open_store(storage::env& env, retention_config retention = {}) {
  auto opened = try_open(env, retention);
  REQUIRE_MESSAGE(opened.ok(), opened.error().detail);
  return std::move(*opened);
}

void must(const status& s) {
  REQUIRE_MESSAGE(s.ok(), s.error().detail);
}

raft::boot_state boot_of(const log_store& store) {
  auto boot = store.boot_state();
  REQUIRE_MESSAGE(boot.ok(), boot.error().detail);
  return std::move(*boot);
}

shared_bytes bytes_of(std::string_view text) {
  return shared_bytes::copy_of(as_byte_span(text));
}

raft::configuration group_of(std::vector<raft::node_id> voters) {
  raft::configuration config;
  config.voters = std::move(voters);
  config.context = bytes_of("names");
  return config;
}

/// Makes batches that continue each other, as a core does.
class batch_maker {
public:
  explicit batch_maker(const raft::boot_state& boot)
      : next_(boot.last.next()), offset_(boot.next_offset), time_(boot.last_timestamp_ms) {}

  raft::persist_batch empty() {
    raft::persist_batch batch;
    batch.ticket = raft::persist_ticket(++ticket_);
    return batch;
  }
  raft::entry entry(std::uint64_t term, std::string_view payload,
                    raft::entry_kind kind = raft::entry_kind::data) {
    raft::entry e;
    e.index = next_;
    e.term = term_id(term);
    e.kind = kind;
    e.record_count = kind == raft::entry_kind::data ? 2 : 0;
    e.base_offset = offset_;
    e.timestamp_ms = time_;
    e.payload = bytes_of(payload);
    next_ = next_.next();
    offset_ = e.next_offset();
    return e;
  }
  raft::persist_batch of(std::uint64_t term, std::size_t count, std::size_t bytes = 30) {
    auto batch = empty();
    for (std::size_t i = 0; i < count; ++i)
      batch.entries.push_back(entry(term, std::string(bytes, static_cast<char>('a' + i % 26))));
    return batch;
  }
  void back_to(log_index next, record_offset offset) {
    next_ = next;
    offset_ = offset;
  }

private:
  std::uint64_t ticket_ = 0;
  log_index next_;
  record_offset offset_;
  unix_ms time_ = 0;
};

std::vector<raft::entry> load_all(const log_store& store) {
  const auto boot = boot_of(store);
  std::vector<raft::entry> all;
  while (boot.start.index.plus(all.size()) < boot.last) {
    auto some = store.load(boot.start.index.plus(all.size() + 1), boot.last.next(), 1000);
    REQUIRE(some.ok());
    REQUIRE_FALSE(some->empty());
    for (auto& e : *some)
      all.push_back(std::move(e));
  }
  return all;
}

void check_same(const raft::entry& got, const raft::entry& want) {
  CHECK(got.position() == want.position());
  CHECK(got.kind == want.kind);
  CHECK(got.record_count == want.record_count);
  CHECK(got.base_offset == want.base_offset);
  CHECK(got.timestamp_ms == want.timestamp_ms);
  CHECK(got.payload.text() == want.payload.text());
}

class counting_random : public raft::random_source {
public:
  std::uint64_t next() override { return ++last_; }

private:
  std::uint64_t last_ = 0;
};

/// What a node that ran alone has left: 3 records, and a vote for itself by name.
void write_alone(storage::env& env) {
  {
    storage::recovery_report report;
    auto log = storage::segmented_log::open(env, "/log", small_log(), report);
    REQUIRE(log.ok());
    auto state = storage::hard_state_file::open(env, "/log/hard_state");
    REQUIRE(state.ok());
    must(state->save({.term = term_id(1), .voted_for = "n1"}));
    for (int i = 0; i < 3; ++i) {
      storage::frame_input frame;
      frame.term = term_id(1);
      frame.index = (*log)->next_index();
      frame.record_count = 1;
      frame.payload = {bytes_of("old")};
      REQUIRE((*log)->append({&frame, 1}).ok());
    }
    must((*log)->sync());
  }
  // Before there were groups there was no such file, and log.start was of version 1.
  must(env.remove("/log/log.configs"));
  must(env.sync_directory("/log"));
  auto start = storage::slot_file::open(env, "/log/log.start", {});
  REQUIRE(start.ok());
  const std::vector<std::byte> v1(8);
  must((*start)->save(v1));
}

}  // namespace

TEST_CASE("log store: a vote is a number, and the name in an old file is not one") {
  for (const auto number : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
    CHECK(parse_vote(vote_text(raft::node_id(number))) == raft::node_id(number));
  }
  for (const auto* text : {"n1", "1", "#", "#0", "#1x", "#-1", "#99999999999999999999999"}) {
    CHECK_FALSE(parse_vote(text).has_value());
  }
}

TEST_CASE("log store: a new log is blank until it is bootstrapped, wherever the power goes") {
  for (std::uint64_t stop = 1;; ++stop) {
    sim_env env(stop);
    CAPTURE(stop);
    auto store = open_store(env);
    CHECK(store->blank());
    const auto blank = boot_of(*store);
    CHECK(blank.state == raft::hard_state{});
    CHECK(blank.last == log_index(0));
    env.stop_at(env.operations() + stop);
    const auto done = store->bootstrap(group_of({raft::node_id(1)}));
    const bool hit = env.stopped();
    store.reset();
    env.crash();
    store = open_store(env);
    CHECK((store->blank() || done.ok() || hit));
    if (done.ok()) CHECK_FALSE(store->blank());
    if (store->blank()) must(store->bootstrap(group_of({raft::node_id(1)})));
    CHECK(store->bootstrap(group_of({raft::node_id(1)})).code() == errc::already_exists);
    const auto boot = boot_of(*store);
    CHECK(boot.state == raft::hard_state{term_id(1), raft::k_nobody});
    CHECK(boot.last == log_index(1));
    CHECK(boot.terms == std::vector<raft::term_run>{{log_index(1), term_id(1)}});
    REQUIRE(boot.configs.size() == 1);
    CHECK(boot.configs[0].index == log_index(1));
    CHECK(boot.configs[0].config == group_of({raft::node_id(1)}));
    CHECK(boot.next_offset == record_offset(0));
    if (!hit) break;
  }
}

TEST_CASE("log store: a log written alone gets its group behind what is there") {
  for (std::uint64_t stop = 1;; ++stop) {
    sim_env env(stop);
    CAPTURE(stop);
    write_alone(env);
    env.crash();
    auto store = open_store(env);
    CHECK(store->blank());
    CHECK(store->range().next == record_offset(0));  // nothing is published
    env.stop_at(env.operations() + stop);
    const auto done = store->bootstrap(group_of({raft::node_id(1)}));
    const bool hit = env.stopped();
    store.reset();
    env.crash();
    store = open_store(env);
    if (done.ok()) CHECK_FALSE(store->blank());
    if (store->blank()) must(store->bootstrap(group_of({raft::node_id(1)})));
    const auto boot = boot_of(*store);
    // In term 1 it has voted for itself, by name or by number.
    CHECK(boot.state == raft::hard_state{term_id(1), raft::node_id(1)});
    CHECK(boot.last == log_index(4));
    CHECK(boot.next_offset == record_offset(3));
    REQUIRE(boot.configs.size() == 1);
    CHECK(boot.configs[0].index == log_index(4));
    const auto entries = load_all(*store);
    REQUIRE(entries.size() == 4);
    CHECK(entries[0].payload.text() == "old");
    if (!hit) break;
  }
}

TEST_CASE("log store: a new group needs one voter and a log that has no group") {
  sim_env env(1);
  auto store = open_store(env);
  CHECK(store->bootstrap(group_of({})).code() == errc::invalid_argument);
  CHECK(store->bootstrap(group_of({raft::node_id(1), raft::node_id(2)})).code() ==
        errc::invalid_argument);
  CHECK(store->blank());
}

TEST_CASE("log store: a batch is on disk in Raft's order, wherever the power goes") {
  int whole = 0;
  int partly = 0;
  for (std::uint64_t stop = 1;; ++stop) {
    sim_env env(stop);
    CAPTURE(stop);
    INFO(env.recent_operations());
    auto store = open_store(env);
    must(store->bootstrap(group_of({raft::node_id(1)})));
    batch_maker make(boot_of(*store));
    const auto first = make.of(1, 6, 900);
    must(store->write(first));
    // A new leader: vote, conflict from entry 4 on, a configuration among what replaces it.
    auto batch = make.empty();
    batch.state = raft::hard_state{term_id(3), raft::node_id(2)};
    batch.truncate_from = log_index(4);
    make.back_to(log_index(4), first.entries[2].base_offset);
    for (int i = 0; i < 5; ++i)
      batch.entries.push_back(make.entry(3, std::string(700, 'n')));
    const auto config = group_of({raft::node_id(1), raft::node_id(2)});
    batch.entries.push_back(make.entry(3, raft::encode(config).text(), raft::entry_kind::config));
    env.stop_at(env.operations() + stop);
    const auto written = store->write(batch);
    const bool hit = env.stopped();
    if (hit) {
      CHECK(store->fenced());
      CHECK(store->write(make.of(3, 1)).code() == errc::io_error);
    }
    store.reset();
    env.crash();

    store = open_store(env);
    const auto boot = boot_of(*store);
    const auto entries = load_all(*store);
    const bool has_new = boot.terms.back().term == term_id(3);
    if (has_new) CHECK(boot.state == *batch.state);
    if (!has_new) CHECK((boot.state == *batch.state || boot.state.term == term_id(1)));
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const bool fresh = entries[i].term == term_id(3);
      if (i > 0) check_same(entries[i], fresh ? batch.entries[i - 3] : first.entries[i - 1]);
    }
    CHECK(boot.configs.size() == (boot.last == log_index(9) ? 2 : 1));
    if (written.ok()) CHECK(boot.last == log_index(9));
    (boot.last == log_index(9) ? whole : partly) += 1;
    batch_maker again(boot);
    must(store->write(again.of(4, 2)));
    if (!hit) break;
  }
  CHECK(whole > 1);
  CHECK(partly > 5);
}

TEST_CASE("log store: an install is the old log or the new one, wherever the power goes") {
  session_table seen;
  seen.advance(log_index(41));
  for (std::uint64_t stop = 1;; ++stop) {
    sim_env env(stop);
    CAPTURE(stop);
    auto store = open_store(env);
    must(store->bootstrap(group_of({raft::node_id(1)})));
    batch_maker make(boot_of(*store));
    must(store->write(make.of(1, 6, 900)));
    auto batch = make.empty();
    batch.state = raft::hard_state{term_id(5), raft::k_nobody};
    batch.install = raft::snapshot{.last = {log_index(40), term_id(4)},
                                   .next_offset = record_offset(90),
                                   .config = group_of({raft::node_id(2)}),
                                   .state = seen.serialize(),
                                   .last_timestamp_ms = 1'600'000'000'000};
    make.back_to(log_index(41), record_offset(90));
    batch.entries = {make.entry(5, "after"), make.entry(5, "it")};
    env.stop_at(env.operations() + stop);
    const auto written = store->write(batch);
    const bool hit = env.stopped();
    store.reset();
    env.crash();
    store = open_store(env);
    const auto boot = boot_of(*store);
    if (boot.start.index == log_index(0)) {
      CHECK_FALSE(written.ok());
      CHECK(boot.last == log_index(7));
      CHECK(boot.configs.size() == 1);
    } else {
      CHECK(boot.state == *batch.state);
      CHECK(boot.start == batch.install->last);
      CHECK(boot.start_offset == record_offset(90));
      CHECK(boot.start_timestamp_ms == batch.install->last_timestamp_ms);
      CHECK(boot.start_config == group_of({raft::node_id(2)}));
      CHECK(store->log().start().state.text() == batch.install->state.text());
      const auto sessions = store->load_sessions();
      REQUIRE(sessions.ok());
      CHECK(sessions->table.applied() == log_index(41));
      CHECK(store->publisher().published() == log_index(40));
      CHECK(boot.last >= log_index(40));
      if (written.ok()) CHECK(boot.last == log_index(42));
    }
    if (!hit) break;
  }
}

TEST_CASE("log store: a batch that met a full disk goes on where it stopped") {
  sim_env env(1);
  auto store = open_store(env);
  must(store->bootstrap(group_of({raft::node_id(1)})));
  batch_maker make(boot_of(*store));
  must(store->write(make.of(1, 3)));
  auto batch = make.empty();
  batch.state = raft::hard_state{term_id(2), raft::node_id(1)};
  batch.truncate_from = log_index(4);
  make.back_to(log_index(4), record_offset(4));
  batch.entries = {make.entry(2, std::string(9000, 'x')), make.entry(2, "y")};
  env.set_capacity_bytes(env.used_bytes());
  for (int i = 0; i < 3; ++i) {
    CHECK(store->write(batch).code() == errc::disk_full);
    CHECK_FALSE(store->fenced());
    CHECK(store->log().next_index() == log_index(4));
  }
  CHECK(store->reserve(9000).code() == errc::disk_full);
  env.set_capacity_bytes({});
  must(store->write(batch));
  CHECK(boot_of(*store).last == log_index(5));
  must(store->reserve(20'000));
  CHECK(store->room_bytes() >= 20'000);
}

TEST_CASE("log store: whether the disk counts as full is not its to say") {
  sim_env env(1);
  auto store = open_store(env);
  must(store->bootstrap(group_of({raft::node_id(1)})));
  batch_maker make(boot_of(*store));
  store->gate().set_disk_full(true);
  must(store->write(make.of(1, 1)));  // a small write that squeezes in
  CHECK(store->gate().disk_full());
  must(store->reserve(1000));
  CHECK(store->gate().disk_full());
  store->gate().set_disk_full(false);
  env.set_capacity_bytes(env.used_bytes());
  CHECK(store->reserve(9000).code() == errc::disk_full);
  CHECK_FALSE(store->gate().disk_full());  // nobody's append has been refused
}

TEST_CASE("log store: a failed write, sync or save is never tried again") {
  struct fault {
    sim_op kind;
    const char* path;
  };
  for (const auto& [kind, path] :
       {fault{sim_op::write, ".store"}, fault{sim_op::sync_data, ".store"},
        fault{sim_op::write, "hard_state"}, fault{sim_op::sync_data, "hard_state"}}) {
    sim_env env(3);
    CAPTURE(path);
    auto store = open_store(env);
    must(store->bootstrap(group_of({raft::node_id(1)})));
    batch_maker make(boot_of(*store));
    must(store->write(make.of(1, 3)));
    store.reset();
    env.kill();
    store = open_store(env);  // a file that began as a spare is known by its own name now
    env.fail(kind, 1, errc::io_error, path);
    auto batch = make.of(2, 2);
    batch.state = raft::hard_state{term_id(2), raft::node_id(1)};
    CHECK(store->write(batch).code() == errc::io_error);
    CHECK(store->fenced());
    CHECK(store->gate().fenced());
    const auto operations = env.operations();
    CHECK(store->write(batch).code() == errc::io_error);
    CHECK(store->reserve(100).code() == errc::io_error);
    CHECK_FALSE(store->apply_retention().has_value());
    CHECK(env.operations() == operations);
  }
}

TEST_CASE("log store: loads give what was written, bounded, and only what a reader may see") {
  sim_env env(1);
  auto store = open_store(env);
  must(store->bootstrap(group_of({raft::node_id(1)})));
  batch_maker make(boot_of(*store));
  const auto batch = make.of(1, 20, 700);
  must(store->write(batch));
  const auto all = load_all(*store);
  REQUIRE(all.size() == 21);
  for (std::size_t i = 0; i < batch.entries.size(); ++i)
    check_same(all[i + 1], batch.entries[i]);
  CHECK(store->load(log_index(2), log_index(5), 1'000'000)->size() == 3);
  CHECK(store->load(log_index(2), log_index(22), 1)->size() == 1);
  CHECK(store->load(log_index(2), log_index(22), 1600)->size() == 2);
  CHECK(store->load(log_index(22), log_index(23), 1600)->empty());
  REQUIRE(store->publisher().publish(log_index(10)).ok());
  const auto& reader = *store->reader();
  CHECK(read_raft_entries(reader, log_index(2), log_index(22), 1'000'000, true)->size() == 9);
  CHECK(read_raft_entries(reader, log_index(11), log_index(22), 1'000'000, true)->empty());
}

TEST_CASE("log store: retention trims what is published and says where the log begins") {
  sim_env env(1);
  const retention_config keep{.bytes = 8'000};
  auto store = open_store(env, keep);
  must(store->bootstrap(group_of({raft::node_id(1)})));
  batch_maker make(boot_of(*store));
  const auto batch = make.of(1, 30, 900);
  must(store->write(batch));
  CHECK_FALSE(store->apply_retention().has_value());
  REQUIRE(store->publisher().publish(log_index(20)).ok());
  const auto trimmed = store->apply_retention();
  REQUIRE(trimmed.has_value());
  CHECK(trimmed->start.index.value() > 5);
  CHECK(trimmed->start.index <= log_index(20));
  CHECK(trimmed->start.term == term_id(1));
  CHECK(trimmed->start_offset == batch.entries[trimmed->start.index.value() - 1].base_offset);
  CHECK(trimmed->lowest == trimmed->start_offset);
  CHECK(trimmed->start_timestamp_ms ==
        batch.entries[trimmed->start.index.value() - 2].timestamp_ms);
  CHECK(store->load(trimmed->start.index, log_index(20), 100).code() == errc::invalid_argument);
  store.reset();
  env.crash();
  store = open_store(env, keep);
  const auto boot = boot_of(*store);
  CHECK(boot.start == trimmed->start);
  CHECK(boot.start_offset == trimmed->start_offset);
  CHECK(boot.start_timestamp_ms == trimmed->start_timestamp_ms);
  CHECK(boot.start_config == group_of({raft::node_id(1)}));
  CHECK(boot.configs.empty());
  CHECK_FALSE(store->blank());
  counting_random random;
  // A core accepts it as it stands.
  raft::core core({.self = raft::node_id(1)}, boot, random);
  CHECK(core.log().last_index() == log_index(31));
}

TEST_CASE("log store: an entry whose offset contradicts the log ends the node, not the data") {
  sim_env env(1);
  auto store = open_store(env);
  must(store->bootstrap(group_of({raft::node_id(1)})));
  batch_maker make(boot_of(*store));
  auto batch = make.of(1, 1);
  batch.entries[0].base_offset = record_offset(9);
  CHECK_FALSE(store->write(batch).ok());
  CHECK(store->fenced());
  CHECK(store->fence_reason().find("offset 9") != std::string::npos);
  store.reset();
  env.crash();
  CHECK(boot_of(*open_store(env)).last == log_index(1));
}
