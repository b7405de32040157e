// storage_bench: the storage engine against bare system calls. Figures and how to read them:
// docs/performance.md.

#include "bench/storage_bench.hpp"

#include "storage/posix_env.hpp"

#include <CLI/CLI.hpp>

int main(int argc, char** argv) {
  using namespace cairn::bench;
  CLI::App app{
      "Measures storage: appends, reads, opening. Ratios of one run count, the absolute "
      "figures move with the machine's load."};
  std::string dir = default_scratch_parent();
  std::string json;
  std::vector<std::string> only;
  storage_options options;
  app.add_option("--dir", dir, "where to make the files; on the disk that is to be measured")
      ->capture_default_str();
  app.add_option("--json", json, "also write the figures to this file");
  app.add_option("--rounds", options.rounds, "alternating rounds; the medians are reported")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--only", only, "parts to run; default all")
      ->check(CLI::IsMember({"append", "sustained", "read", "open"}))
      ->delimiter(',');
  app.add_flag("--smoke", options.smoke, "tiny sizes: proves that it runs, measures nothing");
  CLI11_PARSE(app, argc, argv);

  const auto env = cairn::storage::make_posix_env();
  const scratch_dir scratch(dir);
  results figures;
  const auto wanted = [&](std::string_view part) {
    return only.empty() || std::find(only.begin(), only.end(), part) != only.end();
  };
  if (wanted("append")) measure_appends(*env, scratch, options, figures);
  if (wanted("sustained")) measure_sustained_appends(*env, scratch, options, figures);
  if (wanted("read")) measure_reads(*env, scratch, options, figures);
  if (wanted("open")) measure_opens(*env, scratch, options, figures);
  if (options.smoke) fmt::print("smoke run with tiny sizes: the figures mean nothing\n");
  figures.print(stdout);
  if (!json.empty() && !figures.write_json(json)) die("cannot write " + json);
  return 0;
}
