#include "tests/actor/backend_world.hpp"

#include <array>
#include <doctest/doctest.h>

namespace cairn::testing {
namespace {

using std::chrono::milliseconds;

TEST_CASE("read: beyond the end and below the lowest are refused with the bounds") {
  backend_world world;
  world.append_now("a");
  read_answer at_end;
  read_answer beyond;
  world.read(at_end, 1);
  world.read(beyond, 2);
  world.run();
  REQUIRE(at_end.ok());
  CHECK(at_end.value().frames.empty());
  CHECK(at_end.value().start == record_offset{1});
  CHECK(beyond.code() == errc::offset_not_written);
  REQUIRE(beyond.failure().bounds.has_value());
  CHECK(beyond.failure().bounds->next == record_offset{1});
}

TEST_CASE("read: earliest, latest and a time find their start") {
  backend_world world;
  const auto now = world.env.now_ms();
  world.env.set_now_ms(now + 1'000);
  world.append_now("old");
  world.env.set_now_ms(now + 2'000);
  world.append_now("new");
  net::read_request request;
  request.log = "default";
  read_answer earliest;
  request.start = net::read_start::earliest;
  world.port->read(request, earliest.completion());
  read_answer latest;
  request.start = net::read_start::latest;
  world.port->read(request, latest.completion());
  read_answer at_time;
  request.start = net::read_start::at_time;
  request.time_ms = now + 1'500;
  world.port->read(request, at_time.completion());
  world.run();
  REQUIRE(earliest.ok());
  CHECK(earliest.value().start == record_offset{0});
  REQUIRE(latest.ok());
  CHECK(latest.value().start == record_offset{2});
  CHECK(latest.value().frames.empty());
  REQUIRE(at_time.ok());
  CHECK(at_time.value().start == record_offset{1});
  CHECK(at_time.value().frames.at(0).payload.text() == "new");
}

TEST_CASE("read: what is not in the page cache comes from a reader by way of the segment") {
  backend_world world;
  world.append_now("cold");
  world.env.set_reads_cached(false);
  read_answer got;
  world.read(got, 0);
  world.port->poll();
  CHECK(got.calls == 0);
  world.run();
  REQUIRE(got.ok());
  CHECK(got.value().frames.at(0).payload.text() == "cold");
  CHECK(world.observer->cold_reads == std::vector<errc>{errc::none});
  CHECK(world.node->gate()->cold_reads.count() == 0);
}

TEST_CASE("read: more cold reads than a segment may have waiting are refused") {
  actors::log_limits limits;
  limits.segment_reads_max = 2;
  backend_world world(limits);
  world.append_now("cold");
  world.env.set_reads_cached(false);
  std::array<read_answer, 3> got;
  for (auto& answer : got)
    world.read(answer, 0);
  world.run();
  CHECK(got[0].ok());
  CHECK(got[1].ok());
  CHECK(got[2].code() == errc::overloaded);
  CHECK(got[2].failure().retry_after_ms > 0);
}

TEST_CASE("read: a waiting reader is woken by a commit, once") {
  backend_world world;
  read_answer got;
  world.read(got, 0, milliseconds(10'000));
  world.run();
  CHECK(got.calls == 0);
  CHECK(world.node->gate()->waiting_readers.count() == 1);
  world.append_now("a");
  world.append_now("b");
  CHECK(got.calls == 1);
  REQUIRE(got.ok());
  CHECK(got.value().frames.at(0).payload.text() == "a");
  CHECK(world.node->gate()->waiting_readers.count() == 0);
}

TEST_CASE("read: a reader that waits in another port is woken too") {
  backend_world world;
  auto other = world.backend->open_port([] {});
  read_answer got;
  net::read_request request;
  request.log = "default";
  request.start = net::read_start::latest;
  request.wait = milliseconds(10'000);
  other->read(request, got.completion());
  world.run();
  world.append_now("a");
  other->poll();
  other->poll();
  REQUIRE(got.ok());
  CHECK(got.calls == 1);
  CHECK(got.value().start == record_offset{0});
}

TEST_CASE("read: a commit between the look and the wait is not missed") {
  backend_world world;
  auto other = world.backend->open_port([] {});
  read_answer got;
  world.read(got, 0, milliseconds(10'000));  // its await_commit is on the way
  append_answer done;
  world.append(done, "a", 1, {}, other.get());
  other->flush();
  world.run();
  CHECK(got.calls == 1);
  CHECK(got.ok());
}

TEST_CASE("read: waiting ends empty-handed when the time is over, each reader at its own") {
  backend_world world;
  read_answer later;
  read_answer sooner;
  world.read(later, 0, milliseconds(2'000));
  world.read(sooner, 0, milliseconds(1'000));
  world.run();
  world.scheduler().advance_time(milliseconds(1'001));
  world.run();
  CHECK(sooner.calls == 1);
  REQUIRE(sooner.ok());
  CHECK(sooner.value().frames.empty());
  CHECK(sooner.value().start == record_offset{0});
  CHECK(later.calls == 0);
  world.scheduler().advance_time(milliseconds(1'000));
  world.run();
  CHECK(later.calls == 1);
  CHECK(world.node->gate()->waiting_readers.count() == 0);
  world.append_now("a");
  CHECK(sooner.calls == 1);
  CHECK(later.calls == 1);
}

TEST_CASE("read: a cancelled waiting reader is not called and gives its place back") {
  actors::log_limits limits;
  limits.waiting_readers_max = 1;
  backend_world world(limits);
  read_answer gone;
  read_answer refused;
  read_answer taken;
  world.read(gone, 0, milliseconds(10'000));
  world.read(refused, 0, milliseconds(10'000));
  world.run();
  CHECK(refused.code() == errc::overloaded);
  world.port->cancel(gone.id);
  world.read(taken, 0, milliseconds(10'000));
  world.append_now("a");
  CHECK(gone.calls == 0);
  CHECK(taken.ok());
}

TEST_CASE("read: a thousand readers of the same end get the same bytes") {
  backend_world world;
  std::vector<read_answer> got(1'000);
  for (auto& answer : got)
    world.read(answer, 0, milliseconds(10'000));
  world.append_now("a");
  const auto* bytes = got[0].value().frames.at(0).payload.data();
  for (const auto& answer : got) {
    REQUIRE(answer.calls == 1);
    CHECK(answer.value().frames.at(0).payload.data() == bytes);
  }
}

TEST_CASE("read: an idle port with nobody waiting sets no timer and is told of no commit") {
  backend_world world;
  world.append_now("a");
  auto other = world.backend->open_port([] {});
  std::size_t wakes = 0;
  auto third = world.backend->open_port([&] { ++wakes; });
  world.append_now("b");
  CHECK(wakes == 0);
}

TEST_CASE("read: a fault restarts the segment's actor and the client gets the error") {
  backend_world world;
  world.append_now("unlucky");
  world.env.set_reads_cached(false);
  world.env.fail(sim_op::read, 1, errc::io_error);
  read_answer failed;
  world.read(failed, 0);
  world.run();
  CHECK(failed.code() == errc::io_error);
  CHECK(world.node->gate()->segment_restarts.load() == 1);
  read_answer again;
  world.read(again, 0);
  world.run();
  CHECK(again.ok());
  std::size_t segments = 0;
  for (const auto& actor : world.describe()) {
    if (actor.kind != "segment") continue;
    ++segments;
    CHECK(actor.restarts == 1);
    const auto one = world.describe(actor.id);
    REQUIRE(one.size() == 1);
    CHECK_FALSE(one[0].events.empty());
  }
  CHECK(segments == 1);
}

}  // namespace
}  // namespace cairn::testing
