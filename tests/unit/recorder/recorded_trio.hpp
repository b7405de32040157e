#pragma once
// Three cores with flight recorders; messages and writes arrive at once, unless a node is down.

#include "actors/recorder/dump.hpp"
#include "actors/recorder/explain.hpp"
#include "actors/recorder/recorded_core.hpp"
#include "actors/recorder/replay.hpp"
#include "tests/unit/raft/group.hpp"

#include <deque>
#include <set>
#include <string>

namespace cairn::testing {

class recorded_trio {
public:
  explicit recorded_trio(std::uint64_t ring_bytes = 64 * 1024) {
    raft::configuration config;
    config.voters = nodes({1, 2, 3});
    for (std::uint64_t n = 1; n <= 3; ++n) {
      raft::core_config settings{.self = raft::node_id(n)};
      settings.quiesce_after_ticks = 0;
      members_.push_back(
          std::make_unique<member>(settings, booted(config, {1, 1}, 1), ring_bytes,
                                   actors::recorder_identity{.node = fmt::format("n{}", n),
                                                             .cluster_id = "c1",
                                                             .log = "default",
                                                             .version = "test",
                                                             .core = settings,
                                                             .tick_ns = 50'000'000}));
    }
  }

  actors::recorded_core& core(std::uint64_t n) { return at(n).core; }
  actors::flight_recorder& recorder(std::uint64_t n) { return *at(n).recorder; }
  std::shared_ptr<const actors::flight_recorder> shared_recorder(std::uint64_t n) {
    return at(n).recorder;
  }

  void give(std::uint64_t n, raft::input in) {
    at(n).core.step(std::move(in));
    settle();
  }
  void tick(std::uint64_t n) {
    at(n).now_ns += 50'000'000;
    at(n).recorder->set_time(at(n).now_ns, static_cast<unix_ms>(at(n).now_ns / 1'000'000));
    give(n, raft::tick{});
  }
  void tick_all(int count = 1) {
    for (int i = 0; i < count; ++i) {
      for (std::uint64_t n = 1; n <= 3; ++n) {
        if (!down.contains(n)) tick(n);
      }
    }
  }
  /// Ticks until one that is up leads. @returns its number.
  std::uint64_t elect() {
    for (int i = 0; i < 200; ++i) {
      for (std::uint64_t n = 1; n <= 3; ++n) {
        if (!down.contains(n) && core(n).as() == raft::role::leader) return n;
      }
      tick_all();
    }
    FAIL("nobody was elected");
    return 0;
  }
  /// The same, when `old` led. @pre it is down.
  std::uint64_t elect_another(std::uint64_t old) {
    const std::uint64_t next = elect();
    CHECK(next != old);
    return next;
  }
  void propose(std::uint64_t n, std::size_t size_bytes) {
    raft::propose in;
    in.id = raft::proposal_id(++last_proposal_);
    in.record_count = 1;
    in.payload = shared_bytes::copy_of(std::vector<std::byte>(size_bytes, std::byte{0x5a}));
    give(n, std::move(in));
  }

  std::set<std::uint64_t> down;

private:
  struct member {
    member(const raft::core_config& settings, const raft::boot_state& boot,
           std::uint64_t ring_bytes, actors::recorder_identity identity)
        : random(settings.self.value()),
          recorder(std::make_shared<actors::flight_recorder>(ring_bytes, std::move(identity))),
          core(settings, boot, random, recorder.get()) {}
    raft_random random;
    std::shared_ptr<actors::flight_recorder> recorder;
    actors::recorded_core core;
    std::uint64_t now_ns = 0;
  };

  member& at(std::uint64_t n) { return *members_.at(n - 1); }

  void settle() {
    for (bool more = true; more;) {
      more = false;
      for (std::uint64_t n = 1; n <= 3; ++n) {
        if (down.contains(n)) continue;
        raft::ready out = core(n).take_ready();
        more = more || out.persist || !out.messages.empty();
        if (out.persist) core(n).step(raft::persist_done{out.persist->ticket});
        for (raft::message& m : out.messages) {
          if (!down.contains(m.to.value())) core(m.to.value()).step(std::move(m));
        }
      }
    }
  }

  std::vector<std::unique_ptr<member>> members_;
  std::uint64_t last_proposal_ = 0;
};

[[nodiscard]] inline actors::recorder_dump dump_of(const actors::flight_recorder& recorder) {
  auto dump = actors::decode_dump(recorder.dump("a test", 1'700'000'000'000));
  REQUIRE_MESSAGE(dump.ok(), (dump.ok() ? "" : dump.error().detail));
  return *std::move(dump);
}

}  // namespace cairn::testing
