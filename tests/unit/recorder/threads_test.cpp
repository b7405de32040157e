#include "tests/unit/recorder/recorded_trio.hpp"

#include <atomic>
#include <thread>

namespace cairn::testing {

// ThreadSanitizer sees this one.
TEST_CASE("recorder: any thread may take a dump while the core goes on") {
  recorded_trio trio(16 * 1024);
  const std::uint64_t leader = trio.elect();
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> dumps{0};
  std::string broken;
  std::thread reader([&] {
    while (!done.load() && broken.empty()) {
      const auto dump = actors::decode_dump(trio.recorder(leader).dump("a test", 0));
      // While a chunk is begun there may be none yet, at the very start only.
      if (!dump.ok()) {
        broken = dump.error().detail;
      } else {
        broken = actors::first_mismatch(*dump);
      }
      ++dumps;
    }
  });
  for (int i = 0; i < 5'000 || dumps.load() < 3; ++i) {
    trio.propose(leader, 10);
    if (i > 1'000'000) break;
  }
  done = true;
  reader.join();
  CHECK(broken == "");
  CHECK(dumps.load() >= 3);
}

}  // namespace cairn::testing
