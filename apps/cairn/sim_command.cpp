#include "apps/cairn/commands.hpp"
#include "apps/cairn/numbers.hpp"
#include "apps/sim/run.hpp"

#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

namespace cairn::cli {

namespace {

struct sim_options {
  std::uint64_t seed = 0;
  std::uint64_t seeds = 0;
  double minutes = 0;
  std::uint64_t nodes = 0;
  bool keep_going = false;
  bool verbose = false;
};

using steady = std::chrono::steady_clock;

double seconds_since(steady::time_point begin) {
  return std::chrono::duration<double>(steady::now() - begin).count();
}

/// What all runs together came to.
struct totals {
  std::uint64_t runs = 0;
  std::uint64_t failed = 0;
  std::uint64_t events = 0;
  std::uint64_t appends = 0;
  std::uint64_t reads = 0;
  std::uint64_t leaders = 0;
  std::uint64_t restarts = 0;
  double virtual_s = 0;

  void add(const sim::run_report& report) {
    ++runs;
    failed += report.broken.empty() ? 0 : 1;
    events += report.event_count;
    appends += report.appends_ok;
    reads += report.reads_ok;
    leaders += report.leaders;
    restarts += report.restarts;
    virtual_s += static_cast<double>(report.virtual_ns) / 1e9;
  }
};

class sim_progress {
public:
  explicit sim_progress(bool wanted) : enabled_(wanted && ::isatty(STDERR_FILENO) == 1) {}
  ~sim_progress() { clear(); }
  sim_progress(const sim_progress&) = delete;
  sim_progress& operator=(const sim_progress&) = delete;

  void show(std::uint64_t seed, const totals& sum, double elapsed_s) {
    if (!enabled_ || elapsed_s - last_s_ < 0.1) return;
    last_s_ = elapsed_s;
    fmt::print(stderr, "\r\033[Kseed {}: {} runs, {} failed, {} appends, {:.0f} times real time",
               seed, with_commas(sum.runs), sum.failed, with_commas(sum.appends),
               sum.virtual_s / elapsed_s);
    std::fflush(stderr);
  }
  void clear() {
    if (enabled_) fmt::print(stderr, "\r\033[K");
  }

private:
  bool enabled_;
  double last_s_ = 0;
};

void print_run(std::uint64_t seed, const sim::seed_result& result) {
  const sim::run_report& r = result.report;
  fmt::print(
      "seed {}: {}, trace {:016x}, {} events, {:.1f} virtual s, appends {} ok {} failed {} "
      "unknown, "
      "{} reads, {} leaders, {} restarts\n{}\n",
      seed, result.ok() ? "ok" : "FAILED", r.trace_hash, r.event_count,
      static_cast<double>(r.virtual_ns) / 1e9, r.appends_ok, r.appends_failed, r.appends_unknown,
      r.reads_ok, r.leaders, r.restarts, result.config.text());
}

int run_sim(const sim_options& options, const global_options& global) {
  const auto begin = steady::now();
  const bool timed = options.minutes > 0;
  const std::uint64_t count = options.seeds != 0
                                  ? options.seeds
                                  : (timed ? ~std::uint64_t{0} : (options.seed != 0 ? 1 : 100));
  std::uint64_t seed = options.seed != 0 ? options.seed : 1;
  totals sum;
  sim_progress progress(!global.quiet);
  for (; sum.runs < count && !interrupted(); ++seed) {
    if (timed && seconds_since(begin) >= options.minutes * 60) break;
    const sim::seed_result result = sim::run_seed(seed, options.nodes);
    sum.add(result.report);
    if (options.verbose) {
      progress.clear();
      print_run(seed, result);
    }
    if (!result.ok()) {
      progress.clear();
      if (options.keep_going) {
        fmt::print("seed {}: {}\n", seed, result.report.broken);
      } else {
        fmt::print("{}", sim::failure_text(seed, options.nodes, result));
        break;
      }
      std::fflush(stdout);
    }
    progress.show(seed, sum, seconds_since(begin));
  }
  progress.clear();
  const double elapsed_s = seconds_since(begin);
  if (!global.quiet) {
    fmt::print(
        "{} runs, {} failed: {} appends and {} reads answered, {} leaders, {} restarts, {} events, "
        "{:.0f} virtual s in {:.1f} s ({:.0f} times real time)\n",
        with_commas(sum.runs), sum.failed, with_commas(sum.appends), with_commas(sum.reads),
        with_commas(sum.leaders), with_commas(sum.restarts), with_commas(sum.events), sum.virtual_s,
        elapsed_s, sum.virtual_s / elapsed_s);
  }
  if (sum.failed != 0) return exit_failed;
  return interrupted() ? exit_interrupted : exit_ok;
}

}  // namespace

void add_sim_command(CLI::App& app, const global_options& global, int& code) {
  auto options = std::make_shared<sim_options>();
  auto* command = app.add_subcommand(
      "sim", "Run simulated clusters with faults and judge what their clients saw");
  command
      ->add_option(
          "--seed", options->seed,
          "The first seed; everything in a run follows from its seed. Alone: only that one")
      ->transform(whole_number(1, ~std::uint64_t{0} / 2));
  command
      ->add_option("--seeds,-n", options->seeds,
                   "So many seeds, one after the other (default: 100)")
      ->transform(whole_number(1, std::uint64_t{1} << 40U));
  command->add_option("--minutes", options->minutes, "Go on with more seeds until the time is over")
      ->check(decimal_number(0.01, 100'000.0));
  command->add_option("--nodes", options->nodes, "Nodes of each cluster (default: drawn)")
      ->transform(whole_number(3, 7));
  command->add_flag("--keep-going,-k", options->keep_going,
                    "Print one line for each seed that fails, and go on");
  command->add_flag("--verbose,-v", options->verbose, "Print what each run drew and came to");
  command->footer(
      "No files and no network are used: nodes run in this process, on simulated disks, links and\n"
      "clocks, in virtual time. A run that breaks a promise is shown with what was drawn, its "
      "last\n"
      "events and the command that repeats it.\n\n"
      "Exit codes: 0 every promise was kept; 1 one was broken; 2 wrong usage; 130 interrupted.\n\n"
      "Examples:\n"
      "  cairn sim --seeds 300\n"
      "  cairn sim --minutes 10 --nodes 5\n"
      "  cairn sim --seed 4711 -v\n");
  command->callback([options, &global, &code] { code = run_sim(*options, global); });
}

}  // namespace cairn::cli
