#include "tests/sim/swim_world.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace cairn::testing {
namespace {

using swim::member_state;

swim_world::options group(std::size_t members, std::uint64_t seed, double loss = 0) {
  swim_world::options o;
  o.members = members;
  o.seed = seed;
  o.loss = loss;
  return o;
}

struct measured {
  double suspected_ms = 0;          // from the death to the first suspicion, mean of several
  double messages_a_second = 0;     // of one member, nothing happening
  double failed_everywhere_ms = 0;  // from the first suspicion
};

measured measure(std::size_t members) {
  constexpr std::uint64_t k_quiet_ms = 20'000;
  constexpr int k_deaths = 5;
  measured m;
  for (int i = 0; i < k_deaths; ++i) {
    swim_world world(group(members, 100 + static_cast<std::uint64_t>(i)));
    world.run_for(5'000);
    if (i == 0) {
      const auto before = world.messages();
      world.run_for(k_quiet_ms);
      m.messages_a_second = static_cast<double>(world.messages() - before) /
                            static_cast<double>(members) / (k_quiet_ms / 1000.0);
    }
    const auto victim = static_cast<std::size_t>(i) % members;
    const auto died_ms = world.now_ms();
    world.kill(victim);
    REQUIRE(world.run_until(
        [&] { return world.first(victim, member_state::suspect, died_ms) != nullptr; }, 60'000));
    const auto suspected_ms = world.first(victim, member_state::suspect, died_ms)->at_ms;
    m.suspected_ms += static_cast<double>(suspected_ms - died_ms) / k_deaths;
    if (i != 0) continue;
    REQUIRE(world.run_until([&] { return world.all_say(victim, member_state::failed); }, 120'000));
    m.failed_everywhere_ms = static_cast<double>(world.now_ms() - suspected_ms);
  }
  return m;
}

}  // namespace

TEST_CASE("swim: detection and load do not grow from 10 to 1000 members (SWIM 3.2, 5)") {
  measured of[3];
  const std::size_t sizes[] = {10, 100, 1000};
  for (int i = 0; i < 3; ++i) {
    of[i] = measure(sizes[i]);
    MESSAGE(fmt::format(
        "{} members: first suspicion after {:.0f} ms, {:.2f} messages/s each, "
        "failed everywhere {:.0f} ms later",
        sizes[i], of[i].suspected_ms, of[i].messages_a_second, of[i].failed_everywhere_ms));
    // A round of T' until somebody's turn, e/(e-1) of them on average, and one until it is over.
    CHECK(of[i].suspected_ms < 4'000);
    CHECK(of[i].messages_a_second < 2.6);  // a ping and an ack, and a sync now and then
  }
  CHECK(of[2].suspected_ms < 2 * of[0].suspected_ms);
  CHECK(of[2].messages_a_second < 1.2 * of[0].messages_a_second);
  // Suspicion lasts alpha * log10(n) periods with enough accusers, and news take log n periods.
  CHECK(of[2].failed_everywhere_ms < 5 * 3 * 1000 + 12'000);
}

TEST_CASE("swim: with every twentieth message lost nobody is given up who lives") {
  for (const std::size_t members : {3, 10, 300}) {
    const std::uint64_t k_seconds = members > 100 ? 120 : 3000;
    swim_world world(group(members, 7, 0.05));
    world.run_for(k_seconds * 1000);
    std::uint64_t probes = 0;
    std::uint64_t suspicions = 0;
    for (std::size_t i = 0; i < members; ++i) {
      probes += world.core(i).counted().probes;
      suspicions += world.core(i).counted().suspicions;
    }
    MESSAGE(fmt::format("{} members, {} s: {} probes, {} suspicions, {} members given up", members,
                        k_seconds, probes, suspicions,
                        std::count_if(world.events().begin(), world.events().end(), [](auto& e) {
                          return e.what.after == member_state::failed;
                        })));
    for (const auto& e : world.events())
      CHECK(e.what.after != member_state::failed);
    // A direct probe fails with 1 - 0.95^2 = 9.8 %, one through each of three others with
    // 1 - 0.95^4 = 18.5 %: together 0.06 %. With three members there is one other: 1.8 %.
    const double expected = members == 3 ? 0.018 : 0.0007;
    CHECK(static_cast<double>(suspicions) < 2 * expected * static_cast<double>(probes) + 3);
  }
}

TEST_CASE("swim: one that comes back is alive again everywhere, with a higher incarnation") {
  swim_world world(group(5, 3));
  for (std::size_t i = 0; i < 5; ++i) {
    if (i != 2) world.link_up(i, 2);
  }
  world.run_for(3'000);
  world.kill(2);
  REQUIRE(world.run_until([&] { return world.all_say(2, member_state::failed); }, 60'000));
  CHECK(world.core(0).members().size() == 5);  // stays listed
  world.restart(2, 0);
  REQUIRE(world.run_until([&] { return world.all_say(2, member_state::alive); }, 10'000));
  CHECK(world.core(2).self().incarnation > 1);
  CHECK(world.core(2).members().size() == 5);  // has learnt the others from one of them
}

TEST_CASE("swim: a partition that heals without any link breaking heals the lists") {
  swim_world world(group(7, 5));
  world.run_for(3'000);
  world.partition({0, 0, 0, 0, 1, 1, 1});
  const auto cut_ms = world.now_ms();
  REQUIRE(world.run_until([&] { return world.core(0).members().count(member_state::failed) == 3; },
                          60'000));
  REQUIRE(world.run_until([&] { return world.core(5).members().count(member_state::failed) == 4; },
                          60'000));
  world.partition({});
  const auto healed_ms = world.now_ms();
  CHECK(world.run_until(
      [&] {
        for (std::size_t i = 0; i < 7; ++i) {
          if (!world.all_say(i, member_state::alive)) return false;
        }
        return true;
      },
      60'000));
  for (std::size_t i = 0; i < 4; ++i) {
    // Nobody has believed the other side about its own.
    for (const auto& e : world.events()) {
      if (e.at_ms >= healed_ms && e.seen_by < 4 && e.what.node == swim_world::name(i)) {
        CHECK(e.what.after != member_state::failed);
      }
    }
  }
  CHECK(world.first(5, member_state::failed, cut_ms) != nullptr);
}

TEST_CASE("swim: goodbye is left, not failed, and is known within seconds") {
  swim_world world(group(50, 9));
  world.run_for(3'000);
  world.leave(4);
  const auto left_ms = world.now_ms();
  CHECK(world.run_until([&] { return world.all_say(4, member_state::left); }, 10'000));
  world.run_for(60'000);
  CHECK(world.first(4, member_state::failed, left_ms) == nullptr);
  CHECK(world.first(4, member_state::suspect, left_ms) == nullptr);
}

TEST_CASE("swim: strangers that meet one member know all") {
  auto o = group(30, 11);
  o.introduced = false;
  swim_world world(o);
  for (std::size_t i = 1; i < 30; ++i)
    world.link_up(i, 0);
  CHECK(world.run_until(
      [&] {
        for (std::size_t i = 0; i < 30; ++i) {
          if (!world.all_say(i, member_state::alive)) return false;
        }
        return true;
      },
      15'000));
}

TEST_CASE("swim: a process that was stopped does not take the others for dead") {
  swim_world world(group(3, 13));
  world.run_for(5'000);
  world.pause(1, 60'000);
  world.run_for(59'000);
  CHECK(world.core(0).members().find(swim_world::name(1))->state == member_state::failed);
  const auto woken_ms = world.now_ms();
  world.run_for(30'000);
  CHECK(world.first(0, member_state::suspect, woken_ms) == nullptr);
  CHECK(world.first(2, member_state::suspect, woken_ms) == nullptr);
  CHECK(world.all_say(1, member_state::alive));
  CHECK(world.core(1).counted().stalls > 0);
}

TEST_CASE("swim: a broken link is looked into at once") {
  swim_world world(group(3, 15));
  world.run_for(5'000);
  world.kill(2);
  world.link_down(0, 2);
  world.link_down(1, 2);
  const auto died_ms = world.now_ms();
  world.run_for(1'200);
  CHECK(world.core(0).members().find(swim_world::name(2))->state == member_state::suspect);
  CHECK(world.first(2, member_state::suspect, died_ms)->at_ms <= died_ms + 1'100);
  // Of those whose link alone broke nobody is suspected: the third one reaches them.
  swim_world other(group(3, 16));
  other.run_for(5'000);
  other.link_down(0, 2);
  other.run_for(20'000);
  CHECK(other.first(2, member_state::suspect, 0) == nullptr);
}

TEST_CASE("swim: the same seed gives the same run") {
  const auto run = [] {
    swim_world world(group(20, 21, 0.1));
    world.run_for(30'000);
    world.kill(3);
    world.run_for(30'000);
    return fmt::format("{} {} {}", world.messages(), world.claims(), world.events().size());
  };
  CHECK(run() == run());
}

}  // namespace cairn::testing
