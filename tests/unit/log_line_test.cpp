#include "storage/base/log_line.hpp"

#include "storage/base/repeat_limiter.hpp"
#include "tests/support/log_capture.hpp"

#include <doctest/doctest.h>
#include <string>
#include <thread>
#include <vector>

namespace cairn::testing {
namespace {

TEST_CASE("log line: component, level, message and fields reach the sink as they are") {
  const log_capture capture;
  log_warning(log_component::raft)
      .field("log", "default")
      .field("term", 3U)
      .field("leads", true)
      .field("peer", "")
      .say("no answer of {} after {} ms", "n2", 17);
  const auto lines = capture.lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].component == log_component::raft);
  CHECK(lines[0].level == log_level::warning);
  CHECK(lines[0].message == "no answer of n2 after 17 ms");
  REQUIRE(lines[0].fields.size() == 3);  // an empty text says nothing
  CHECK(field_of(lines[0], "log") == "default");
  CHECK_FALSE(lines[0].fields[0].bare);
  CHECK(field_of(lines[0], "term") == "3");
  CHECK(lines[0].fields[1].bare);
  CHECK(field_of(lines[0], "leads") == "true");
}

TEST_CASE("log line: a component's level decides, and only its own") {
  const log_capture capture;
  set_log_level(log_component::raft, log_level::debug);
  set_log_level(log_component::peer, log_level::off);
  log_debug(log_component::raft).say("seen");
  log_debug(log_component::log).say("not seen");
  log_trace(log_component::raft).say("not seen");
  log_critical(log_component::peer).say("not seen");
  CHECK(capture.messages() == std::vector<std::string>{"seen"});
  CHECK(log_level_of(log_component::raft) == log_level::debug);
  CHECK(log_level_of(log_component::log) == log_level::info);
}

TEST_CASE("log line: nothing is made of a line that is off, or that nobody takes") {
  CHECK_FALSE(log_enabled(log_component::raft, log_level::critical));  // no sink
  const log_capture capture;
  CHECK(log_enabled(log_component::raft, log_level::info));
  CHECK_FALSE(log_enabled(log_component::raft, log_level::debug));
  CHECK_FALSE(log_enabled(log_component::raft, log_level::off));
}

TEST_CASE("log line: long messages and values are cut where a character begins") {
  const log_capture capture;
  std::string umlauts;
  while (umlauts.size() < 3 * k_log_message_bytes_max)
    umlauts += "\xc3\xbc";
  auto line = log_info(log_component::node);
  std::move(line).field("long", umlauts).say("{}", umlauts);
  const auto lines = capture.lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].message.size() <= k_log_message_bytes_max);
  CHECK(lines[0].message.ends_with("\xc3\xbc..."));
  CHECK(field_of(lines[0], "long").size() <= k_log_value_bytes_max);
}

TEST_CASE("log line: names of components and levels are a closed list, both ways") {
  for (std::size_t i = 0; i < k_log_components; ++i) {
    const auto component = static_cast<log_component>(i);
    CHECK(log_component_of(to_string(component)) == component);
  }
  for (std::size_t i = 0; i < k_log_levels; ++i) {
    const auto level = static_cast<log_level>(i);
    CHECK(log_level_of(to_string(level)) == level);
  }
  CHECK_FALSE(log_component_of("rafts").has_value());
  CHECK_FALSE(log_level_of("warn").has_value());
}

void complain(int number) {
  log_warning(log_component::peer).sparsely().say("refused {}", number);
}

TEST_CASE("log line: repeats go out at first, are counted then, and the count is told in time") {
  log_capture capture;
  const auto before = log_lines_held_back();
  for (int i = 0; i < 42; ++i)
    complain(i);
  CHECK(capture.messages() ==
        std::vector<std::string>{"refused 0", "refused 1", "refused 2", "refused 3", "refused 4"});
  CHECK(log_lines_held_back() - before == 37);
  tell_log_repeats();
  CHECK(capture.lines().size() == 5);  // not yet
  capture.advance(10'000);
  tell_log_repeats();
  REQUIRE(capture.lines().size() == 6);
  CHECK(capture.messages().back() == "refused 4 (37 more like it in the last 10 s)");
  CHECK(capture.lines().back().component == log_component::peer);
  capture.advance(10'000);
  tell_log_repeats();
  CHECK(capture.lines().size() == 6);  // told once
  complain(50);
  CHECK(capture.messages().back() == "refused 50");
}

TEST_CASE("log line: without a tick the next line of the place tells the count") {
  log_capture capture;
  for (int i = 0; i < 8; ++i)
    complain(i);
  capture.advance(60'000);
  complain(8);
  CHECK(capture.messages().back() == "refused 8 (3 more like it in the last 10 s)");
}

TEST_CASE("log line: places are told apart by where they stand and by what the caller says") {
  const log_capture capture;
  for (int i = 0; i < 100; ++i) {
    log_warning(log_component::peer).sparsely().say("here");
    log_warning(log_component::peer).sparsely(static_cast<std::uint64_t>(i % 2)).say("or there");
  }
  CHECK(capture.count(log_component::peer, log_level::warning, "here") == 5 + 10);
}

TEST_CASE("log line: many threads at once lose nothing and tear nothing") {
  const log_capture capture;
  constexpr int k_threads = 4;
  constexpr int k_lines = 500;
  std::vector<std::thread> threads;
  for (int t = 0; t < k_threads; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < k_lines; ++i) {
        log_info(log_component::log).field("thread", t).say("line {}", i);
        set_log_level(log_component::raft, i % 2 == 0 ? log_level::info : log_level::debug);
        log_info(log_component::inspect).sparsely().say("often");
      }
    });
  }
  for (auto& thread : threads)
    thread.join();
  CHECK(capture.count(log_component::log, log_level::info, "line ") == k_threads * k_lines);
  CHECK(capture.count(log_component::inspect, log_level::info, "often") == 5);
}

TEST_CASE("repeat limiter: memory is bounded, and places beyond share one count") {
  repeat_limiter<std::string> limiter;
  using limits = repeat_limiter<std::string>;
  std::uint64_t passed = 0;
  for (std::uint64_t place = 1; place <= 10 * limits::k_places_max; ++place) {
    if (limiter.ask(place, 0).pass) ++passed;
  }
  CHECK(limiter.places() == limits::k_places_max);
  CHECK(passed == limits::k_places_max + limits::k_at_once);
  CHECK(limiter.due(limits::k_interval_ms).size() == 1);
  // Places whose time is over make room.
  CHECK(limiter.ask(1'000'000, limits::k_interval_ms).pass);
  CHECK(limiter.places() == 1);
}

}  // namespace
}  // namespace cairn::testing
