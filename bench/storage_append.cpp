#include "bench/log_maker.hpp"
#include "bench/storage_bench.hpp"
#include "storage/base/units.hpp"
#include "storage/spare_segments.hpp"

#include <utility>

namespace cairn::bench {

using namespace storage;

namespace {

/// pwrite and fdatasync with nothing around them, over and over a file that was filled with zeros
/// and synced before.
class bare_file {
public:
  bare_file(env& env, const std::string& path, std::uint64_t size_bytes)
      : file_(must(env.open(path, open_mode::create))), size_bytes_(size_bytes) {
    must(fill_with_zeros(*file_, 0, size_bytes));
    must(file_->sync_data());
  }

  /// Writes `piece` `stride_bytes` behind the one before, from the front again at the end.
  void write(byte_span piece, std::uint64_t stride_bytes) {
    if (position_ + piece.size() > size_bytes_) position_ = 0;
    must(file_->pwrite({&piece, 1}, position_));
    must(file_->sync_data());
    position_ += stride_bytes;
  }
  void rewind() { position_ = 0; }

private:
  std::unique_ptr<file> file_;
  std::uint64_t size_bytes_;
  std::uint64_t position_ = 0;
};

struct append_case {
  const char* name;
  std::uint64_t batch_bytes;
  std::size_t appends;  // per round and side; together they fit into one segment
  double ratio_wanted;  // 0: no target
};

constexpr append_case k_cases[] = {
    {"4 KiB", 4 * k_kib_bytes, 1000, 0.80},
    {"64 KiB", 64 * k_kib_bytes, 500, 0},
    {"1 MiB", 1 * k_mib_bytes, 60, 0.85},
};

/// What one side took in one round, and each of its operations.
struct side {
  std::vector<double> rounds_s;
  std::vector<double> samples_us;
};

template <class Append>
void run_round(side& to, std::size_t count, const Append& append) {
  const stopwatch whole;
  for (std::size_t i = 0; i < count; ++i) {
    const stopwatch one;
    append();
    to.samples_us.push_back(one.micros());
  }
  to.rounds_s.push_back(whole.seconds());
}

/// How fast `of` was in proportion to `bare`, round by round; the median of that.
double ratio(const side& bare, const side& of) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < bare.rounds_s.size(); ++i)
    ratios.push_back(bare.rounds_s[i] / of.rounds_s[i]);
  return median(std::move(ratios));
}

void report(results& into, const std::string& name, std::uint64_t batch_bytes, const side& bare,
            const side& log, double wanted) {
  const auto mb_per_s = [&](const side& s) {
    return static_cast<double>(batch_bytes) * static_cast<double>(s.samples_us.size()) /
           static_cast<double>(s.rounds_s.size()) / median(s.rounds_s) / 1e6;
  };
  into.add(name + ", bare: median", median(bare.samples_us), "us");
  into.add(name + ", log: median", median(log.samples_us), "us");
  into.add(name + ", log: 99 %", quantile(log.samples_us, 0.99), "us");
  into.add(name + ", log", mb_per_s(log), "MB/s");
  into.add(name + ", log / bare", ratio(bare, log), "",
           wanted > 0 ? std::optional(at_least(wanted)) : std::nullopt);
}

}  // namespace

void measure_appends(env& env, const scratch_dir& scratch, const storage_options& options,
                     results& into) {
  for (const auto& c : k_cases) {
    const std::string name = fmt::format("append {}", c.name);
    progress("{}", name);
    const std::size_t appends = options.smoke ? 5 : c.appends;
    const std::size_t rounds = options.smoke ? 1 : options.rounds;
    const log_config config;
    const auto payload = noise(c.batch_bytes);
    bare_file bare(env, scratch.path("bare"), config.segment_bytes);
    bench_log log(env, scratch.path("log"), config);
    // A frame is its batch and a header, so two frames in a row share a disk block; so do writes
    // with this stride.
    const std::uint64_t stride = c.batch_bytes + k_frame_header_bytes;
    side on_bare, on_bare_unaligned, on_log;
    for (std::size_t i = 0; i < rounds; ++i) {
      must(log.log().roll());
      if (i == 0) log.append(payload), log.commit(), must(log.log().roll());
      log.finish_background_work();
      log.append(payload);  // the new segment is not what this measures
      log.commit();
      log.finish_background_work();
      bare.rewind();
      run_round(on_bare, appends, [&] { bare.write(payload.span(), c.batch_bytes); });
      run_round(on_log, appends, [&] {
        log.append(payload);
        log.commit();
      });
      bare.rewind();
      run_round(on_bare_unaligned, appends, [&] { bare.write(payload.span(), stride); });
      must(log.log().trim_to_bytes(2 * config.segment_bytes));
    }
    report(into, name, c.batch_bytes, on_bare, on_log, c.ratio_wanted);
    into.add(name + ", log / bare at the log's stride", ratio(on_bare_unaligned, on_log), "");
    remove_tree(scratch.path("log"));
    remove_tree(scratch.path("bare"));
  }
}

void measure_sustained_appends(env& env, const scratch_dir& scratch, const storage_options& options,
                               results& into) {
  for (const auto& c : k_cases) {
    const std::string name = fmt::format("sustained {}", c.name);
    progress("{}", name);
    const std::size_t rounds = options.smoke ? 1 : std::max<std::size_t>(options.rounds / 3, 1);
    log_config config;
    // At 4 KiB a default segment lasts longer than anybody wants to wait.
    if (c.batch_bytes < 64 * k_kib_bytes)
      config.segment_bytes = config.prefill_bytes = 4 * k_mib_bytes;
    if (options.smoke) {
      config.segment_bytes = config.prefill_bytes = std::max(2 * c.batch_bytes, 64 * k_kib_bytes);
    }
    const std::uint64_t round_bytes = 5 * config.segment_bytes;
    const std::size_t appends = round_bytes / c.batch_bytes;
    const auto payload = noise(c.batch_bytes);
    bare_file bare(env, scratch.path("bare"), config.segment_bytes);
    bench_log log(env, scratch.path("log"), config);
    side on_bare, on_log;
    // The first round, before there is anything to recycle, has the background fill files with
    // zeros all the time; it is reported on its own.
    side first_bare, first_log;
    for (std::size_t i = 0; i <= rounds; ++i) {
      run_round(i == 0 ? first_bare : on_bare, appends,
                [&] { bare.write(payload.span(), c.batch_bytes); });
      {
        const background_thread background(log.log().background());
        run_round(i == 0 ? first_log : on_log, appends, [&] {
          log.append(payload);
          log.commit();
          must(log.log().trim_to_bytes(3 * config.segment_bytes));
        });
      }
      log.finish_background_work();
    }
    into.add(name + ", log / bare before anything is recycled", ratio(first_bare, first_log), "");
    report(into, name, c.batch_bytes, on_bare, on_log, 0);
    remove_tree(scratch.path("log"));
    remove_tree(scratch.path("bare"));
  }
}

}  // namespace cairn::bench
