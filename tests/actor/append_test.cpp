#include "actors/session_table.hpp"
#include "tests/actor/backend_world.hpp"

#include <algorithm>
#include <array>
#include <doctest/doctest.h>
#include <fmt/format.h>

namespace cairn::testing {
namespace {

TEST_CASE("append: the receipt names offset, term, index and time, and the record can be read") {
  backend_world world;
  append_answer done;
  world.append(done, "hello", 3);
  CHECK(done.calls == 0);  // never inside the call
  world.port->flush();
  world.run();
  REQUIRE(done.ok());
  CHECK(done.calls == 1);
  CHECK(done.value().offset == record_offset{0});
  CHECK(done.value().count == 3);
  CHECK(done.value().term == term_id{2});
  CHECK(done.value().index == log_index{3});
  CHECK(done.value().durable_on == 1);
  CHECK(done.value().replicas == 1);
  CHECK(done.value().timestamp_ms == world.env.now_ms());

  read_answer got;
  world.read(got, 0);
  CHECK(got.calls == 0);
  world.run();
  REQUIRE(got.ok());
  REQUIRE(got.value().frames.size() == 1);
  CHECK(got.value().frames[0].payload.text() == "hello");
  CHECK(got.value().bounds.next == record_offset{3});
  CHECK(world.backend->next_offset("default") == record_offset{3});
}

TEST_CASE("append: what waits together is one write and one sync, answered once each") {
  backend_world world;
  world.append_now("makes the first segment's files");
  world.observer->commits.clear();
  std::size_t syncs = 0;
  world.env.set_sync_hook([&](const std::string&) { ++syncs; });
  std::array<append_answer, 100> done;
  auto other_port = world.backend->open_port([] {});
  for (std::size_t i = 0; i < done.size(); ++i) {
    auto* port = i % 2 == 0 ? world.port.get() : other_port.get();
    world.append(done[i], "r", 1, {}, port);
    port->flush();  // a message each
  }
  world.run();
  other_port->poll();
  REQUIRE(world.observer->commits.size() == 1);
  CHECK(world.observer->groups.back() == 100);
  CHECK(world.observer->commits[0].frames == 1);
  std::vector<std::uint64_t> offsets;
  for (const auto& answer : done) {
    REQUIRE(answer.ok());
    CHECK(answer.calls == 1);
    offsets.push_back(answer.value().offset.value());
  }
  std::sort(offsets.begin(), offsets.end());
  for (std::uint64_t i = 0; i < offsets.size(); ++i)
    CHECK(offsets[i] == i + 1);
  CHECK(syncs == 1);
}

TEST_CASE("append: answers to one group wake the port once") {
  backend_world world;
  std::array<append_answer, 10> done;
  for (auto& answer : done)
    world.append(answer, "r");
  world.port->flush();
  world.wakes = 0;
  world.scheduler().run();
  CHECK(world.wakes == 1);
  world.port->poll();
  for (const auto& answer : done)
    CHECK(answer.ok());
}

TEST_CASE("append: an expected offset that is not the next one is refused with the real one") {
  backend_world world;
  world.append_now("first");
  append_answer missed;
  append_answer met;
  world.append(missed, "x", 1, record_offset{0});
  world.append(met, "y", 1, record_offset{1});
  world.port->flush();
  world.run();
  CHECK(missed.code() == errc::expected_offset_missed);
  REQUIRE(missed.failure().bounds.has_value());
  CHECK(missed.failure().bounds->next == record_offset{1});
  REQUIRE(met.ok());
  CHECK(met.value().offset == record_offset{1});
}

TEST_CASE("append: a full queue refuses at once with a hint, and takes appends again later") {
  actors::log_limits limits;
  limits.queued_appends_max = 2;
  backend_world world(limits);
  std::array<append_answer, 3> done;
  for (auto& answer : done)
    world.append(answer, "r");
  world.port->poll();
  CHECK(done[2].code() == errc::overloaded);
  CHECK(done[2].failure().retry_after_ms > 0);
  CHECK(done[0].calls == 0);
  world.port->flush();
  world.run();
  CHECK(done[0].ok());
  CHECK(done[1].ok());
  CHECK(world.append_now("again") == record_offset{2});
}

TEST_CASE("append: too many queued bytes are refused as well") {
  actors::log_limits limits;
  limits.queued_bytes_max = 100;
  backend_world world(limits);
  append_answer small;
  append_answer large;
  world.append(small, std::string(60, 'a'));
  world.append(large, std::string(60, 'b'));
  world.port->flush();
  world.run();
  CHECK(small.ok());
  CHECK(large.code() == errc::overloaded);
}

TEST_CASE("append: what is larger than the whole queue goes alone, instead of never") {
  actors::log_limits limits;
  limits.queued_bytes_max = 100;
  backend_world world(limits);
  append_answer large;
  append_answer behind;
  world.append(large, std::string(500, 'a'));
  world.append(behind, "b");
  world.port->flush();
  world.run();
  CHECK(large.ok());
  CHECK(behind.code() == errc::overloaded);
  CHECK(world.append_now("again").value() == 1);
}

TEST_CASE("append: a request whose time has run out is refused, not unknown") {
  backend_world world;
  world.env.advance_ms(10);
  net::append_request request;
  request.log = "default";
  request.batch = {.payload = shared_bytes::copy_of(as_byte_span("late")), .record_count = 1};
  request.deadline = std::chrono::steady_clock::now() - std::chrono::milliseconds(1);
  append_answer done;
  world.port->append(std::move(request), done.completion());
  world.port->flush();
  world.run();
  CHECK(done.code() == errc::unavailable);
  CHECK(world.append_now("next") == record_offset{0});
}

TEST_CASE("append: another log than ours does not exist") {
  backend_world world;
  net::append_request request;
  request.log = "other";
  request.batch = {.payload = shared_bytes::copy_of(as_byte_span("x")), .record_count = 1};
  append_answer done;
  world.port->append(std::move(request), done.completion());
  CHECK(done.calls == 0);
  world.run();
  CHECK(done.code() == errc::not_found);
}

TEST_CASE("append: a cancelled append happens, but its completion is not called") {
  backend_world world;
  append_answer done;
  world.append(done, "gone");
  world.port->cancel(done.id);
  world.port->flush();
  world.run();
  CHECK(done.calls == 0);
  CHECK(world.backend->next_offset("default") == record_offset{1});
}

TEST_CASE("append: timestamps do not go back when the clock does") {
  backend_world world;
  const auto now = world.env.now_ms();
  world.env.set_now_ms(now + 5'000);
  world.append_now("a");
  world.env.set_now_ms(now + 1'000);
  append_answer done;
  world.append(done, "b");
  world.port->flush();
  world.run();
  REQUIRE(done.ok());
  CHECK(done.value().timestamp_ms == now + 5'000);
}

TEST_CASE(
    "append: retention waits until it is written down which appends are stored, as does a close") {
  backend_world world({}, backend_world::small_log(), {.bytes = 200'000});
  const auto append = [&world](std::uint64_t key) {
    proto::batch_encoder encoder;
    encoder.append(as_byte_span(std::string(40 * k_kib_bytes, 'x')), proto::value_kind::text);
    const auto who = proto::identity_of_key(fmt::format("key-{}", key));
    return world.append_now(proto::encode_append_stamp(who, encoder.finish()).text());
  };
  for (std::uint64_t i = 0; i < 20; ++i)
    CHECK(append(i) == record_offset(i));
  CHECK(append(3) == record_offset(3));
  CHECK(world.node->gate()->session_keys.load() == 20);
  CHECK(world.node->gate()->replayed_appends.load() == 1);
  read_answer got;
  world.read(got, 0);
  world.run();
  CHECK(got.code() == errc::offset_trimmed);
  const auto written = [&world] {
    const auto bytes = world.env.bytes("/data/logs/default/sessions");
    auto table = actors::session_table::parse(bytes);
    REQUIRE(table.ok());
    return std::move(*table);
  };
  CHECK(written().key_count() > 10);
  CHECK(world.stop().ok());
  CHECK(written().key_count() == 20);
  CHECK(world.fatal_reasons.empty());
}

}  // namespace
}  // namespace cairn::testing
