#include "tests/unit/recorder/recorded_trio.hpp"

namespace cairn::testing {

TEST_CASE("recorder: what is replayed is what the core did") {
  recorded_trio trio;
  const std::uint64_t leader = trio.elect();
  for (int i = 0; i < 50; ++i)
    trio.propose(leader, 100);
  trio.tick_all(20);
  for (std::uint64_t n = 1; n <= 3; ++n) {
    const auto dump = dump_of(trio.recorder(n));
    CHECK(actors::first_mismatch(dump) == "");
    actors::replay run(dump);
    while (run.next() != nullptr)
      (void)run.step();
    CHECK(run.core().term() == trio.core(n).term());
    CHECK(run.core().commit_index() == trio.core(n).commit_index());
    CHECK(run.core().fingerprint() == trio.core(n).fingerprint());
  }
}

TEST_CASE("recorder: a long run stays within the ring, and the last election stays in it") {
  constexpr std::uint64_t k_ring_bytes = 32 * 1024;
  recorded_trio trio(k_ring_bytes);
  const std::uint64_t leader = trio.elect();
  for (int i = 0; i < 3'000; ++i)
    trio.propose(leader, 10);
  for (std::uint64_t n = 1; n <= 3; ++n) {
    CHECK(trio.recorder(n).counts().missed == 0);
    CHECK(trio.recorder(n).counts().images > 8);
    const auto bytes = trio.recorder(n).dump("a test", 0);
    CHECK(bytes.size() < k_ring_bytes + 1'024);
    CHECK(bytes.size() > k_ring_bytes / 2);
    const auto dump = dump_of(trio.recorder(n));
    CHECK(dump.chunks.size() == actors::flight_recorder::k_chunks);
    // The election is in the first chunk, what came last in the others.
    CHECK(dump.chunks[0].sequence == 1);
    CHECK(dump.chunks[1].sequence > 8);
    CHECK(dump.chunks[2].sequence == dump.chunks[1].sequence + 1);
    CHECK(dump.chunks[3].sequence == dump.chunks[2].sequence + 1);
    CHECK(actors::first_mismatch(dump) == "");
    actors::replay run(dump);
    bool elected = false;
    int gaps = 0;
    while (run.next() != nullptr) {
      const auto step = run.step();
      elected = elected || step.before.leader != step.after.leader;
      gaps += step.after_gap ? 1 : 0;
    }
    CHECK(elected);
    CHECK(gaps == 1);
  }
  // A later election takes the place of the first.
  trio.down.insert(leader);
  const std::uint64_t second = trio.elect_another(leader);
  for (int i = 0; i < 3'000; ++i)
    trio.propose(second, 10);
  const auto dump = dump_of(trio.recorder(second));
  CHECK(dump.chunks[0].sequence > 8);
  CHECK(dump.chunks[1].sequence > dump.chunks[0].sequence + 4);
  CHECK(actors::first_mismatch(dump) == "");
}

TEST_CASE("recorder: no byte of a client's record is in a dump") {
  recorded_trio trio;
  const std::uint64_t leader = trio.elect();
  for (int i = 0; i < 20; ++i)
    trio.propose(leader, 64);  // of 0x5a
  for (std::uint64_t n = 1; n <= 3; ++n) {
    const auto bytes = trio.recorder(n).dump("a test", 0);
    const std::string needle(8, '\x5a');
    CHECK(as_text(bytes).find(needle) == std::string_view::npos);
  }
}

TEST_CASE("recorder: inputs that do not fit are missed up to the next image, and said to be") {
  recorded_trio trio(16 * 1024);
  const std::uint64_t leader = trio.elect();
  trio.tick_all(5);
  // One chunk is 4 KiB: so many inputs without a take_ready() go beyond it.
  for (std::uint64_t i = 0; i < 400; ++i) {
    raft::propose in;
    in.id = raft::proposal_id(1'000 + i);
    in.record_count = 1;
    in.payload = shared_bytes::copy_of(std::vector<std::byte>(10));
    trio.core(leader).step(std::move(in));
  }
  CHECK(trio.recorder(leader).counts().missed > 0);
  trio.tick_all(20);
  const auto dump = dump_of(trio.recorder(leader));
  CHECK(actors::first_mismatch(dump) == "");
  actors::replay run(dump);
  bool gap = false;
  while (run.next() != nullptr)
    gap = run.step().after_gap || gap;
  CHECK(gap);
  CHECK(run.core().fingerprint() == trio.core(leader).fingerprint());
}

TEST_CASE("recorder: a core that does something else is found at the step where it does") {
  recorded_trio trio;
  const std::uint64_t leader = trio.elect();
  trio.propose(leader, 10);
  auto dump = dump_of(trio.recorder(leader));
  auto& steps = dump.chunks.front().steps;
  const std::size_t at = steps.size() / 2;
  steps[at].in = raft::tick{};
  CHECK(actors::first_mismatch(dump).starts_with(fmt::format("step {}:", at + 1)));
  // A random number that was not drawn then.
  auto other = dump_of(trio.recorder(leader));
  for (auto& step : other.chunks.front().steps)
    step.draws.clear();
  CHECK(actors::first_mismatch(other).find("random") != std::string::npos);
}

TEST_CASE("recorder: an input from which the core never returned is the last step") {
  recorded_trio trio;
  const std::uint64_t leader = trio.elect();
  trio.recorder(leader).input(raft::tick{});  // and no done()
  const auto dump = dump_of(trio.recorder(leader));
  actors::replay run(dump);
  actors::replay_step last;
  while (run.next() != nullptr)
    last = run.step();
  CHECK(last.unfinished);
  CHECK(last.mismatch == "");
  CHECK(std::holds_alternative<raft::tick>(*last.recorded->in));
}

}  // namespace cairn::testing
