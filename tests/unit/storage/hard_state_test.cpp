#include "storage/hard_state.hpp"

#include "tests/support/sim_env.hpp"

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::testing;
using storage::hard_state;
using storage::hard_state_file;

namespace {

constexpr const char* k_path = "/hard_state";

hard_state state_of(std::uint64_t term, std::string vote = {}) {
  return {term_id(term), std::move(vote)};
}

hard_state must_load(sim_env& env) {
  auto opened = hard_state_file::open(env, k_path);
  REQUIRE_MESSAGE(opened.ok(), (opened.ok() ? "" : opened.error().detail));
  return opened->current();
}

}  // namespace

TEST_CASE("hard state: a fresh file holds the default, a saved one what was saved last") {
  sim_env env;
  CHECK(must_load(env) == hard_state{});
  auto opened = hard_state_file::open(env, k_path);
  REQUIRE(opened.ok());
  for (std::uint64_t term = 1; term <= 5; ++term) {
    REQUIRE(opened->save(state_of(term, "node-" + std::to_string(term))).ok());
    CHECK(opened->current() == state_of(term, "node-" + std::to_string(term)));
    const auto disk = env.clone_durable();
    CHECK(must_load(*disk) == state_of(term, "node-" + std::to_string(term)));
  }
  REQUIRE(opened->save(state_of(5, std::string(128, 'n'))).ok());
  CHECK(must_load(env) == state_of(5, std::string(128, 'n')));
}

TEST_CASE(
    "hard state: a power cut at any change of the disk leaves the last saved or the next one") {
  for (std::uint64_t round = 0; round < 20; ++round) {
    for (std::uint64_t stop = 1;; ++stop) {
      sim_env env(round * 100 + stop);
      CAPTURE(round);
      CAPTURE(stop);
      env.stop_at(stop);
      std::uint64_t saved = 0;
      std::uint64_t tried = 0;
      if (auto opened = hard_state_file::open(env, k_path)) {
        for (std::uint64_t term = 1; term <= 4; ++term) {
          tried = term;
          if (!opened->save(state_of(term, "n")).ok()) break;
          saved = term;
        }
      }
      const bool stopped = env.stopped();
      env.crash();
      const auto term = must_load(env).term.value();
      CHECK(term >= saved);
      CHECK(term <= tried);
      if (!stopped) break;
    }
  }
}

TEST_CASE("hard state: a flipped bit never brings back an older state") {
  sim_env env;
  {
    auto opened = hard_state_file::open(env, k_path);
    REQUIRE(opened.ok());
    for (std::uint64_t term = 1; term <= 3; ++term)
      REQUIRE(opened->save(state_of(term, "n")).ok());
  }
  const auto size = env.bytes(k_path).size();
  for (std::uint64_t position = 0; position < size; ++position) {
    CAPTURE(position);
    const auto disk = env.clone_crashed(1, crash_keep::all);
    disk->flip_bit(k_path, position, static_cast<unsigned>(position % 8));
    const auto opened = hard_state_file::open(*disk, k_path);
    if (opened.ok()) {
      CHECK(opened->current() == state_of(3, "n"));
    } else {
      CHECK(opened.code() == errc::corruption);
      CHECK(opened.error().detail.find(k_path) != std::string::npos);
    }
  }
}

TEST_CASE("hard state: an emptied, cut or overwritten file is refused, not taken for a new one") {
  sim_env env;
  {
    auto opened = hard_state_file::open(env, k_path);
    REQUIRE(opened.ok());
    REQUIRE(opened->save(state_of(1, "a")).ok());
    REQUIRE(opened->save(state_of(2, "b")).ok());
  }
  for (const std::uint64_t size : {0, 1, 100, 511}) {
    CAPTURE(size);
    const auto disk = env.clone_crashed(1, crash_keep::all);
    disk->resize_file(k_path, size);
    const auto opened = hard_state_file::open(*disk, k_path);
    REQUIRE(opened.code() == errc::corruption);
    CHECK(opened.error().detail.find(k_path) != std::string::npos);
  }
  const auto disk = env.clone_crashed(1, crash_keep::all);
  disk->overwrite(k_path, 0, std::vector<std::byte>(disk->bytes(k_path).size()));
  CHECK(hard_state_file::open(*disk, k_path).code() == errc::corruption);
}

TEST_CASE("hard state: a failed save is told, and the older or the newer state is there") {
  for (const auto kind : {sim_op::write, sim_op::sync_data}) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
      sim_env env(seed);
      auto opened = hard_state_file::open(env, k_path);
      REQUIRE(opened.ok());
      REQUIRE(opened->save(state_of(1, "a")).ok());
      env.fail(kind, 1, errc::io_error);
      CHECK(opened->save(state_of(2, "b")).code() == errc::io_error);
      CHECK(opened->current() == state_of(1, "a"));
      env.crash();
      const auto found = must_load(env);
      CHECK((found == state_of(1, "a") || found == state_of(2, "b")));
    }
  }
}

TEST_CASE("hard state: a full disk does not keep a vote from being saved") {
  sim_env env;
  auto opened = hard_state_file::open(env, k_path);
  REQUIRE(opened.ok());
  env.set_capacity_bytes(env.used_bytes());
  for (std::uint64_t term = 1; term <= 4; ++term)
    CHECK(opened->save(state_of(term, "n")).ok());
  CHECK(must_load(env) == state_of(4, "n"));
}
