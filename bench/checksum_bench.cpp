// checksum_bench: what a byte costs before it reaches a system call.

#include "storage/base/checksum.hpp"
#include "storage/frame.hpp"

#include <benchmark/benchmark.h>
#include <vector>

namespace {

using namespace cairn;

void checksum(benchmark::State& state) {
  const std::vector<std::byte> bytes(static_cast<std::size_t>(state.range(0)), std::byte{7});
  for (auto _ : state)
    benchmark::DoNotOptimize(checksum64(bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(checksum)->Arg(64)->Arg(256)->Arg(512)->Arg(1024)->Arg(4 << 10)->Arg(64 << 10)->Arg(
    1 << 20);

void frame_header_round_trip(benchmark::State& state) {
  storage::frame_header header;
  header.record_count = 1;
  storage::frame_header_bytes bytes{};
  for (auto _ : state) {
    storage::encode_frame_header(header, 42, bytes);
    benchmark::DoNotOptimize(storage::decode_frame_header(bytes, 42));
  }
}
BENCHMARK(frame_header_round_trip);

}  // namespace

BENCHMARK_MAIN();
