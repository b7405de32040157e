#include "bench/log_maker.hpp"
#include "bench/storage_bench.hpp"
#include "storage/base/units.hpp"

#include <csignal>
#include <functional>
#include <sys/wait.h>
#include <unistd.h>

namespace cairn::bench {

using namespace storage;

namespace {

struct open_case {
  const char* name;
  std::uint64_t segment_bytes;
  std::size_t frame_bytes;
};

constexpr open_case k_cases[] = {
    {"64 MiB segments, 4 KiB frames", 64 * k_mib_bytes, 4 * k_kib_bytes},
    {"one segment, 4 KiB frames", 2 * k_gib_bytes, 4 * k_kib_bytes},
    {"one segment, 64 KiB frames", 2 * k_gib_bytes, 64 * k_kib_bytes},
};

constexpr std::uint64_t k_call_bytes = 1 * k_mib_bytes;

/// Runs `work` in a child process that then kills itself, so that nothing is closed or flushed.
void in_killed_child(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child < 0) die("cannot fork");
  if (child == 0) {
    work();
    static_cast<void>(::kill(::getpid(), SIGKILL));
    ::_exit(1);
  }
  int how = 0;
  if (::waitpid(child, &how, 0) != child || !WIFSIGNALED(how) || WTERMSIG(how) != SIGKILL) {
    die("the child that fills the log did not get to its end");
  }
}

void fill(env& env, const std::string& directory, const log_config& config, const open_case& c,
          std::uint64_t size_bytes) {
  bench_log log(env, directory, config);
  const auto payload = noise(c.frame_bytes);
  for (std::uint64_t i = 0; i < size_bytes / k_call_bytes; ++i) {
    log.append_many(payload, k_call_bytes / c.frame_bytes);
    if (i % 16 == 15) log.commit();
  }
  log.commit();
  // Sealed as production does; not close(): the caller says how it ends.
  log.finish_background_work();
}

void for_each_file(env& env, const std::string& directory, std::string_view suffix,
                   const std::function<void(const std::string&)>& visit) {
  for (const auto& entry : must(env.list(directory))) {
    if (entry.name.ends_with(suffix)) visit(directory + "/" + entry.name);
  }
}

void drop_cache(env& env, const std::string& directory) {
  for_each_file(env, directory, "", [&](const std::string& path) {
    const auto opened = must(env.open(path, open_mode::read_write));
    must(opened->sync_data());
    opened->drop_cache();
  });
}

struct opening {
  double seconds;
  recovery_report report;
};

/// Opens the log and closes it in order.
opening open_once(env& env, const std::string& directory, const log_config& config,
                  bool close = true) {
  const stopwatch time;
  bench_log log(env, directory, config);
  const double seconds = time.seconds();
  if (close) must(log.log().close());
  return {seconds, log.report()};
}

double median_seconds(std::size_t rounds, const std::function<double()>& once) {
  std::vector<double> samples;
  for (std::size_t i = 0; i < rounds; ++i)
    samples.push_back(once());
  return median(samples);
}

}  // namespace

void measure_opens(env& env, const scratch_dir& scratch, const storage_options& options,
                   results& into) {
  const std::uint64_t size_bytes = options.smoke ? 4 * k_mib_bytes : k_gib_bytes;
  const std::size_t rounds = options.smoke ? 1 : std::min<std::size_t>(options.rounds, 5);
  for (const auto& c : k_cases) {
    const std::string name = fmt::format("open 1 GiB, {}", c.name);
    progress("{}", name);
    log_config config;
    config.segment_bytes = c.segment_bytes;
    config.index_bytes = c.segment_bytes / 64;
    const std::string directory = scratch.path("log");
    in_killed_child([&] { fill(env, directory, config, c, size_bytes); });

    // Opened and left without close(): the next opening finds the same unclean state again.
    const double killed =
        median_seconds(rounds, [&] { return open_once(env, directory, config, false).seconds; });
    into.add(name + ", after a kill", killed * 1e3, "ms", at_most(1000));
    drop_cache(env, directory);
    into.add(name + ", after a kill, cold cache", open_once(env, directory, config).seconds * 1e3,
             "ms");

    const double clean =
        median_seconds(rounds, [&] { return open_once(env, directory, config).seconds; });
    into.add(name + ", after a clean close", clean * 1e3, "ms", at_most(100));
    drop_cache(env, directory);
    into.add(name + ", after a clean close, cold cache",
             open_once(env, directory, config).seconds * 1e3, "ms");

    std::uint64_t scanned_bytes = 0;
    const double rebuild = median_seconds(rounds, [&] {
      for_each_file(env, directory, ".index",
                    [&](const std::string& path) { must(env.remove(path)); });
      const auto opened = open_once(env, directory, config);
      scanned_bytes = opened.report.scanned_bytes;
      return opened.seconds;
    });
    into.add(name + ", without indexes", static_cast<double>(scanned_bytes) / rebuild / 1e6, "MB/s",
             at_least(1000));
    remove_tree(directory);
  }
}

}  // namespace cairn::bench
