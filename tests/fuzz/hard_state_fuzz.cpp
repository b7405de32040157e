// The bytes of a hard state file. It opens with a state or is refused as corrupt, and what opened
// can be saved and read back. The first byte chooses whether the checksums of both slots are made
// right, to reach what stands behind them.
#include "storage/base/checksum.hpp"
#include "storage/hard_state.hpp"
#include "tests/support/sim_env.hpp"

#include <cstdint>
#include <vector>

using namespace cairn;
using namespace cairn::testing;

namespace {
constexpr std::size_t k_slot_bytes = 512;
constexpr std::size_t k_slot_distance_bytes = 4096;
constexpr std::size_t k_file_bytes_max = 16384;
constexpr const char* k_path = "/hard_state";
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > k_file_bytes_max) return 0;
  const auto input = std::as_bytes(std::span(data, size)).subspan(1);
  std::vector<std::byte> bytes(input.begin(), input.end());
  if ((data[0] & 1U) != 0) {
    for (const std::size_t at : {std::size_t{0}, k_slot_distance_bytes}) {
      if (bytes.size() < at + k_slot_bytes) continue;
      store_le(bytes.data() + at, checksum64(byte_span(bytes).subspan(at + 8, k_slot_bytes - 8)));
    }
  }
  sim_env env(1);
  env.put_file(k_path, bytes);
  auto opened = storage::hard_state_file::open(env, k_path);
  if (!opened) {
    CAIRN_CHECK(opened.code() == errc::corruption, "{}", opened.error().detail);
    return 0;
  }
  auto next = opened->current();
  if (next.term.value() == UINT64_MAX) return 0;
  next.term = next.term.next();
  next.voted_for = "somebody";
  CAIRN_CHECK(opened->save(next).ok(), "save");
  env.crash();
  const auto again = storage::hard_state_file::open(env, k_path);
  CAIRN_CHECK(again.ok() && again->current() == next, "not what was saved");
  return 0;
}
