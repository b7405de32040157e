#include "bench/log_maker.hpp"
#include "bench/storage_bench.hpp"
#include "storage/base/units.hpp"
#include "storage/log_reader.hpp"

#include <random>
#include <span>

namespace cairn::bench {

using namespace storage;

namespace {

struct read_case {
  const char* name;
  std::size_t frame_bytes;
  std::uint32_t records_per_frame;
};

// One record in a frame is what single appends leave, sixteen of 256 B what a group of them does,
// 256 what a bulk load does.
constexpr read_case k_cases[] = {
    {"256 B frames", 256, 1},
    {"4 KiB frames", 4 * k_kib_bytes, 16},
    {"64 KiB frames", 64 * k_kib_bytes, 256},
};

constexpr std::size_t k_frames_a_call = 256;

/// A log of about `size_bytes` with everything sealed in order and in the page cache.
void fill(bench_log& log, const read_case& c, std::uint64_t size_bytes) {
  const auto payload = noise(c.frame_bytes);
  const std::uint64_t calls = size_bytes / (c.frame_bytes * k_frames_a_call) + 1;
  for (std::uint64_t i = 0; i < calls; ++i) {
    log.append_many(payload, k_frames_a_call, c.records_per_frame);
  }
  log.commit();
  log.finish_background_work();
}

/// Reads the whole log from front to back, one call after the other.
double range_bytes_per_s(const log_reader& reader, std::uint64_t bytes_max) {
  const stopwatch time;
  std::uint64_t bytes = 0;
  for (record_offset at = reader.lowest_offset(); at < reader.end_offset();) {
    const auto frames = must(reader.read(at, {.bytes_max = bytes_max}));
    for (const auto& frame : frames)
      bytes += frame.payload.size();
    at = frames.back().header.next_offset();
  }
  return static_cast<double>(bytes) / time.seconds();
}

/// What the kernel alone gives: the same bytes with pread into one buffer.
double pread_bytes_per_s(env& env, const std::string& directory, std::uint64_t bytes_max) {
  std::vector<std::byte> buffer(bytes_max);
  std::vector<std::unique_ptr<file>> stores;
  for (const auto& entry : must(env.list(directory))) {
    if (entry.name.ends_with(".store"))
      stores.push_back(must(env.open(directory + "/" + entry.name, open_mode::read)));
  }
  const stopwatch time;
  std::uint64_t bytes = 0;
  for (auto& store : stores) {
    for (std::uint64_t at = 0;;) {
      const auto count = must(store->pread(buffer, at));
      bytes += count;
      at += count;
      if (count < buffer.size()) break;
    }
  }
  return static_cast<double>(bytes) / time.seconds();
}

/// Microseconds of each of `count` calls with random arguments below `bound`.
template <class Call>
std::vector<double> random_calls(std::size_t count, std::uint64_t bound, const Call& call) {
  std::mt19937_64 random(1);
  std::uniform_int_distribution<std::uint64_t> below(0, bound - 1);
  std::vector<double> samples_us;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t argument = below(random);
    const stopwatch one;
    call(argument);
    samples_us.push_back(one.micros());
  }
  return samples_us;
}

}  // namespace

void measure_reads(env& env, const scratch_dir& scratch, const storage_options& options,
                   results& into) {
  const std::uint64_t size_bytes = options.smoke ? 2 * k_mib_bytes : 512 * k_mib_bytes;
  const std::size_t calls = options.smoke ? 100 : 100'000;
  const std::size_t rounds = options.smoke ? 1 : options.rounds;
  for (const auto& c : k_cases) {
    progress("read {}", c.name);
    bench_log log(env, scratch.path("log"), {});
    fill(log, c, size_bytes);
    const auto reader = log.log().reader();
    std::vector<double> ranges, preads;
    for (std::size_t i = 0; i < rounds; ++i) {
      preads.push_back(pread_bytes_per_s(env, scratch.path("log"), k_mib_bytes));
      ranges.push_back(range_bytes_per_s(*reader, k_mib_bytes));
    }
    const std::string name = fmt::format("read {}", c.name);
    into.add(name + ", pread of 1 MiB alone", median(preads) / 1e6, "MB/s");
    into.add(name + ", range", median(ranges) / 1e6, "MB/s", at_least(1000));

    const std::uint64_t records = reader->end_offset().value();
    const auto by_offset = random_calls(calls, records, [&](std::uint64_t offset) {
      const auto got = must(reader->read(record_offset(offset), {.records_max = 1}));
      if (got.size() != 1) die("a random read did not find one frame");
    });
    into.add(name + ", random offset: median", median(by_offset), "us",
             c.frame_bytes <= 4 * k_kib_bytes ? std::optional(at_most(5)) : std::nullopt);
    into.add(name + ", random offset: 99 %", quantile(by_offset, 0.99), "us");

    const unix_ms first_ms = log.log().segments().front().first_timestamp_ms;
    const auto span_ms = static_cast<std::uint64_t>(log.log().last_timestamp_ms() - first_ms);
    const auto by_time = random_calls(calls, span_ms, [&](std::uint64_t later_ms) {
      static_cast<void>(must(reader->find_time(first_ms + static_cast<unix_ms>(later_ms))));
    });
    into.add(name + ", find_time: median", median(by_time), "us");
    remove_tree(scratch.path("log"));
  }
}

}  // namespace cairn::bench
