#include "actors/actor_journal.hpp"
#include "actors/node_actor.hpp"
#include "actors/segment_actor.hpp"
#include "apps/process_facts.hpp"
#include "tests/actor/backend_world.hpp"

#include <algorithm>
#include <array>
#include <doctest/doctest.h>
#include <map>
#include <set>

namespace cairn::testing {
namespace {

std::string whole_kib() {
  return std::string(1024, 'k');
}

void pass_seconds(backend_world& world, int count) {
  for (int i = 0; i < count * 20; ++i) {
    world.scheduler().advance_time(std::chrono::milliseconds(50));
    world.run();
  }
}

TEST_CASE(
    "fence: a failed sync makes what waited unknown, later appends unavailable, and ends the "
    "node") {
  backend_world world;
  world.append_now("kept");
  world.env.fail(sim_op::sync_data, 1, errc::io_error);
  std::array<append_answer, 3> waited;
  for (auto& answer : waited)
    world.append(answer, "x");
  world.port->flush();
  world.run();
  for (const auto& answer : waited) {
    CHECK(answer.calls == 1);
    CHECK(answer.code() == errc::outcome_unknown);
  }
  CHECK(world.backend->next_offset("default") == record_offset{1});
  append_answer later;
  world.append(later, "y");
  world.port->flush();
  world.run();
  CHECK(later.code() == errc::unavailable);
  CHECK(world.fatal_reasons.size() == 1);
  REQUIRE_FALSE(world.backend->unready_reasons().empty());
  CHECK(world.backend->unready_reasons()[0].find("fenced") != std::string::npos);
  read_answer got;
  world.read(got, 0);
  world.run();
  CHECK(got.ok());  // what was acknowledged before can still be read
}

TEST_CASE("fence: appends that were under way to a fenced log are refused, not unknown") {
  backend_world world;
  world.append_now("kept");
  world.env.fail(sim_op::sync_data, 1, errc::io_error);
  append_answer first;
  world.append(first, "x");
  world.port->flush();
  world.scheduler().run();  // fenced now, but this port has not heard of it
  auto other = world.backend->open_port([] {});
  CHECK(world.node->gate()->fenced());
  append_answer second;
  world.append(second, "y", 1, {}, other.get());
  other->flush();
  world.run();
  other->poll();
  CHECK(first.code() == errc::outcome_unknown);
  CHECK(second.code() == errc::unavailable);
}

TEST_CASE("disk full: the append is rejected, reads go on, and appends too once there is room") {
  backend_world world;
  world.append_now("kept");
  world.env.set_capacity_bytes(world.env.used_bytes());
  append_answer refused;
  for (int i = 0; i < 200 && refused.code() != errc::disk_full; ++i) {
    refused = {};
    world.append(refused, whole_kib());
    world.port->flush();
    world.run();
    REQUIRE(refused.calls == 1);
  }
  REQUIRE(refused.code() == errc::disk_full);
  CHECK(refused.failure().retry_after_ms > 0);
  const auto end = *world.backend->next_offset("default");
  REQUIRE(world.backend->unready_reasons().size() == 1);
  CHECK(world.backend->unready_reasons()[0].find("full") != std::string::npos);
  read_answer got;
  world.read(got, 0);
  world.run();
  CHECK(got.ok());
  CHECK(world.fatal_reasons.empty());

  world.env.set_capacity_bytes(std::nullopt);
  CHECK(world.append_now("room again") == end);
  pass_seconds(world, 2);  // that one may just have squeezed in
  CHECK(world.backend->unready_reasons().empty());
}

TEST_CASE("disk full: what squeezes in does not make the node ready, room does, by itself") {
  backend_world world;
  world.append_now("kept");
  world.env.set_capacity_bytes(world.env.used_bytes());
  const auto append = [&world](std::string value) {
    append_answer answer;
    world.append(answer, std::move(value));
    world.port->flush();
    world.run();
    REQUIRE(answer.calls == 1);
    return answer.code();
  };
  for (int i = 0; i < 200 && append(whole_kib()) != errc::disk_full; ++i) {
  }
  int squeezed_in = 0;
  for (int i = 0; i < 5; ++i) {
    if (append("small") == errc::none) ++squeezed_in;
    CHECK(world.backend->unready_reasons().size() == 1);
    pass_seconds(world, 2);
    CHECK(world.backend->unready_reasons().size() == 1);
  }
  CHECK(squeezed_in > 0);

  world.env.set_capacity_bytes(std::nullopt);
  pass_seconds(world, 2);
  CHECK(world.backend->unready_reasons().empty());
}

TEST_CASE("describe: the tree is complete and every parent is in it") {
  backend_world world;
  for (int i = 0; i < 200; ++i)
    world.append_now(whole_kib());  // several segments of 64 KiB
  const auto actors = world.describe();
  std::map<std::string, std::size_t> kinds;
  std::set<std::uint64_t> ids;
  for (const auto& actor : actors) {
    ++kinds[actor.kind];
    CHECK(ids.insert(actor.id).second);
    CHECK_FALSE(actor.state.empty());
    CHECK_FALSE(actor.name.empty());
    CHECK(actor.events.empty());
  }
  for (const auto& actor : actors)
    CHECK((actor.parent == 0 || ids.contains(actor.parent)));
  CHECK(kinds["node"] == 1);
  CHECK(kinds["log"] == 1);
  CHECK(kinds["reader"] == 2);
  CHECK(kinds["maintenance"] == 1);
  CHECK(kinds["gateway"] == 1);
  CHECK(kinds["inspect"] == 1);
  CHECK(kinds["segment"] >= 3);
  CHECK(kinds["segment"] == world.node->directory()->size());

  answer<net::log_description> log;
  world.port->describe_log("default", log.completion());
  world.run();
  REQUIRE(log.ok());
  CHECK(log.value().segments.size() == kinds["segment"]);
  CHECK(log.value().bounds.next == record_offset{200});
  CHECK_FALSE(log.value().segments.back().sealed);
}

TEST_CASE("describe: an actor that does not exist is not found, and a node's events are kept") {
  backend_world world;
  answer<net::inspect_answer> nobody;
  world.ask_actors(nobody, 999'999);
  world.run();
  CHECK(nobody.code() == errc::not_found);
  const auto node = world.describe(world.node->node().id());
  REQUIRE(node.size() == 1);
  CHECK(node[0].kind == "node");
  CHECK_FALSE(node[0].events.empty());
}

TEST_CASE("describe: a port that has gone is not listed") {
  backend_world world;
  world.backend->open_port([] {}).reset();
  std::size_t ports = 0;
  for (const auto& actor : world.describe())
    ports += actor.kind == "gateway" ? 1 : 0;
  CHECK(ports == 1);
}

TEST_CASE("describe: whoever asks for all actors while they are asked gets the same answers") {
  backend_world world;
  const auto asked_before = world.describe(world.node->writer().id())[0].processed;
  std::array<answer<net::inspect_answer>, 50> all;
  for (auto& one : all)
    world.ask_actors(one, 0);
  world.run();
  for (const auto& one : all) {
    REQUIRE(one.ok());
    CHECK(reports_of(one.value()).size() == reports_of(all[0].value()).size());
  }
  // Once for all of them, and once more now.
  CHECK(world.describe(world.node->writer().id())[0].processed == asked_before + 2);
}

TEST_CASE("describe: the mailbox counts what waits, and a description does not wait behind it") {
  sim_env env;
  testing_settings settings;
  caf::actor_system system(settings);
  auto& scheduler = static_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  const auto node = system.spawn<actors::node_actor>(
      actors::node_actor_config{.env = &env, .node_id = "n1", .on_fatal = {}});
  scheduler.run();
  std::optional<actors::actor_report> report;
  system.spawn([&](caf::event_based_actor* self) {
    for (std::uint64_t id = 1; id <= 20; ++id)
      self->send(node, actors::actor_stopped{id});
    self->request<caf::message_priority::high>(node, caf::infinite, actors::describe{})
        .then([&](const actors::actor_report& got) { report = got; });
  });
  scheduler.run();
  REQUIRE(report);
  CHECK(report->mailbox == 20);
  CHECK(report->processed == 1);
  caf::anon_send_exit(node, caf::exit_reason::user_shutdown);
  scheduler.run();
}

TEST_CASE("describe: time in handlers counts as busy, and only that") {
  sim_env env;
  actors::actor_journal journal(env, "kind", "name", 0);
  {
    const auto busy = journal.enter();
    env.advance_ms(7);
  }
  env.advance_ms(100);
  journal.count();
  const auto report = journal.report(1, 0, "idle");
  CHECK(report.processed == 2);
  CHECK(report.busy_ns == 7'000'000);
}

TEST_CASE("describe: an actor's events are bounded in number and length") {
  sim_env env;
  actors::actor_journal journal(env, "kind", "name", 0);
  for (int i = 0; i < 100; ++i)
    journal.note(std::string(1'000, 'e'));
  const auto report = journal.report(1, 0, "idle");
  CHECK(report.events.size() == actors::actor_journal::k_events_max);
  for (const auto& event : report.events)
    CHECK(event.size() == actors::actor_journal::k_event_bytes_max);
  // The time before it has an odd number of bytes, so a cut at 256 would be within a letter.
  std::string letters;
  for (int i = 0; i < 500; ++i)
    letters += "\xc3\xa9";
  journal.note(letters);
  const auto cut = journal.report(1, 0, "idle").events.back();
  CHECK(cut.size() >= actors::actor_journal::k_event_bytes_max - 1);
  CHECK(cut.ends_with("\xc3\xa9"));
}

TEST_CASE("describe: an actor that does not answer is listed as busy after a second") {
  backend_world world;
  auto silent = world.backend->open_port([] {});  // nobody polls it
  answer<net::inspect_answer> done;
  world.ask_actors(done, 0);
  world.run();
  CHECK(done.calls == 0);
  world.scheduler().advance_time(std::chrono::milliseconds(1'001));
  world.run();
  REQUIRE(done.ok());
  std::size_t busy = 0;
  for (const auto& actor : reports_of(done.value())) {
    busy += actor.state.starts_with("busy") ? 1 : 0;
  }
  CHECK(busy == 1);
}

TEST_CASE("describe: ten thousand segments are listed, and cost memory only") {
  backend_world world;
  constexpr std::size_t k_segments = 10'000;
  const auto before_bytes = apps::process_resident_bytes();
  std::vector<caf::actor> segments;
  for (std::size_t i = 0; i < k_segments; ++i) {
    actors::segment_actor_config config;
    config.env = &world.env;
    config.log = "default";
    config.parent = world.node->writer().id();
    config.gate = world.node->gate();
    config.reader = world.node->reader();
    config.segment = {.base_offset = record_offset{i},
                      .next_offset = record_offset{i + 1},
                      .size_bytes = 1,
                      .sealed = true};
    segments.push_back(world.system.spawn<actors::segment_actor, caf::lazy_init>(config));
    caf::anon_send(
        world.node->node(),
        actors::actor_started{
            .who = segments.back(), .kind = "segment", .name = "s", .parent = config.parent});
  }
  CHECK_FALSE(world.scheduler().jobs.size() > 2);  // an idle segment is not scheduled at all
  world.run();
  const auto each_bytes = (apps::process_resident_bytes() - before_bytes) / k_segments;
  MESSAGE("bytes for each segment's actor: ", each_bytes);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(each_bytes < 8 * k_kib_bytes);
#endif
  const auto begun = std::chrono::steady_clock::now();
  const auto listed = world.describe();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
  MESSAGE("milliseconds to list ten thousand segments: ", took.count());
  std::size_t count = 0;
  for (const auto& actor : listed)
    count += actor.kind == "segment" ? 1 : 0;
  CHECK(count >= k_segments);
  for (const auto& segment : segments) {
    caf::anon_send_exit(segment, caf::exit_reason::user_shutdown);
  }
  world.run();
  CHECK(world.describe().size() < 100);
}

TEST_CASE("retention: by size, old segments go at the next roll, and their actors with them") {
  actors::retention_config keep;
  keep.bytes = 128 * k_kib_bytes;
  backend_world world({}, backend_world::small_log(), keep);
  for (int i = 0; i < 400; ++i)
    world.append_now(whole_kib());  // 7 segments of 64 KiB
  CHECK(world.node->directory()->size() <= 3);
  read_answer got;
  world.read(got, 0);
  world.run();
  CHECK(got.code() == errc::offset_trimmed);
  std::size_t segments = 0;
  for (const auto& actor : world.describe())
    segments += actor.kind == "segment" ? 1 : 0;
  CHECK(segments == world.node->directory()->size());
}

TEST_CASE("retention: by age, old segments go without an append") {
  actors::retention_config keep;
  keep.ms = 60'000;
  backend_world world({}, backend_world::small_log(), keep);
  for (int i = 0; i < 200; ++i)
    world.append_now(whole_kib());
  REQUIRE(world.node->directory()->size() >= 3);
  world.env.advance_ms(61'000);
  world.scheduler().advance_time(std::chrono::seconds(31));
  world.run();
  CHECK(world.node->directory()->size() == 1);
  CHECK(world.backend->next_offset("default") == record_offset{200});
}

TEST_CASE("retention: a segment is rolled by age") {
  actors::retention_config keep;
  keep.segment_ms = 60'000;
  backend_world world({}, backend_world::small_log(), keep);
  world.append_now("a");
  CHECK(world.node->directory()->size() == 1);
  world.env.advance_ms(61'000);
  world.scheduler().advance_time(std::chrono::seconds(31));
  world.run();
  world.append_now("b");
  CHECK(world.node->directory()->size() == 2);
}

TEST_CASE("shutdown: appends that were handed over are written, later ones refused, none lost") {
  backend_world world;
  std::array<append_answer, 5> before;
  for (auto& answer : before)
    world.append(answer, "r");
  world.port->flush();
  REQUIRE(world.stop().ok());
  append_answer after;
  world.append(after, "too late");
  world.port->flush();
  world.run();
  for (const auto& answer : before) {
    CHECK(answer.calls == 1);
    CHECK(answer.ok());
  }
  CHECK(after.calls == 1);
  CHECK(after.code() == errc::unavailable);
}

TEST_CASE("shutdown: an append that never reached the log completes as unknown when the log ends") {
  backend_world world;
  append_answer lost;
  world.append(lost, "x");
  caf::anon_send_exit(world.node->writer(), caf::exit_reason::kill);
  world.scheduler().run();
  world.port->flush();
  world.run();
  CHECK(lost.calls == 1);
  CHECK(lost.code() == errc::outcome_unknown);
  CHECK(world.fatal_reasons.size() == 1);  // a log that dies ends the node
}

TEST_CASE("hung disk: a write that does not return makes the node unready") {
  actors::log_gate gate{{}};
  gate.write_begins(1);
  CHECK(gate.unready_reasons(2).empty());
  CHECK(gate.unready_reasons(actors::log_gate::k_hung_write_ns + 2).size() == 1);
  gate.write_ended();
  CHECK(gate.unready_reasons(actors::log_gate::k_hung_write_ns + 2).empty());
}

}  // namespace
}  // namespace cairn::testing
