#include "apps/cairn/commands.hpp"
#include "apps/cairn/progress_bar.hpp"
#include "net/records/record_format.hpp"
#include "storage/paths.hpp"
#include "storage/posix_env.hpp"
#include "storage/verify.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::cli {

namespace {

struct verify_options {
  std::string directory;
  bool json_output = false;
};

// A data directory holds its logs a few levels down.
constexpr int k_depth_max = 4;

// The directories at or below `path` that hold a log.
status find_logs(storage::env& env, const std::string& path, int depth,
                 std::vector<std::string>& found) {
  const auto entries = env.list(path);
  if (!entries) return entries.error();
  const bool is_log = std::any_of(entries->begin(), entries->end(), [](const auto& entry) {
    return !entry.is_directory &&
           storage::parse_segment_file_name(entry.name, storage::k_store_suffix).has_value();
  });
  if (is_log) found.push_back(path);
  for (const auto& entry : *entries) {
    if (!entry.is_directory || depth == k_depth_max) continue;
    auto good = find_logs(env, storage::join_path(path, entry.name), depth + 1, found);
    if (!good) return good;
  }
  return {};
}

std::string_view level_name(const storage::verify_finding& finding) {
  return finding.level == storage::verify_finding::severity::damage ? "damage" : "note";
}

void print_report(const std::string& directory, const storage::verify_report& report) {
  for (const auto& finding : report.findings) {
    fmt::print("{}: {}: at byte {}: {}\n", level_name(finding), finding.file,
               finding.position_bytes, finding.what);
  }
  fmt::print("{}: {} to {}, {} records in {} frames in {} segments, {}: {}\n", directory,
             report.lowest_offset.value(), report.next_offset.value(), with_commas(report.records),
             with_commas(report.frames), report.segments,
             human_bytes(static_cast<double>(report.bytes)),
             report.damaged() ? "DAMAGED" : "clean");
}

std::string report_json(const std::string& directory, const storage::verify_report& report) {
  std::string out = "{\"directory\":";
  net::append_json_string(out, directory);
  out += fmt::format(
      ",\"damaged\":{},\"lowest_offset\":{},\"next_offset\":{},\"records\":{},\"frames\":{},"
      "\"segments\":{},\"bytes\":{},\"findings\":[",
      report.damaged(), report.lowest_offset.value(), report.next_offset.value(), report.records,
      report.frames, report.segments, report.bytes);
  for (std::size_t i = 0; i < report.findings.size(); ++i) {
    const auto& finding = report.findings[i];
    out += fmt::format("{}{{\"severity\":\"{}\",\"file\":", i == 0 ? "" : ",", level_name(finding));
    net::append_json_string(out, finding.file);
    out += fmt::format(",\"position_bytes\":{},\"what\":", finding.position_bytes);
    net::append_json_string(out, finding.what);
    out += '}';
  }
  return out + "]}";
}

int run_verify(const verify_options& options, const global_options& global) {
  const auto env = storage::make_posix_env();
  std::vector<std::string> logs;
  if (auto good = find_logs(*env, options.directory, 0, logs); !good) {
    print_error(good.error().detail);
    return exit_usage;
  }
  if (logs.empty()) {
    print_error(fmt::format("{}: no log found there (no *{} file in it or up to {} levels below)",
                            options.directory, storage::k_store_suffix, k_depth_max));
    return exit_usage;
  }
  std::sort(logs.begin(), logs.end());
  bool damaged = false;
  for (const auto& log : logs) {
    progress_bar bar(!global.quiet);
    const auto report =
        storage::verify_log(*env, log, [&bar](std::uint64_t done, std::uint64_t total) {
          bar.update({0, done, total});
        });
    bar.clear();
    if (!report) {
      print_error(report.error().detail);
      damaged = true;
      continue;
    }
    damaged = damaged || report->damaged();
    if (options.json_output) {
      fmt::print("{}\n", report_json(log, *report));
    } else {
      print_report(log, *report);
    }
  }
  return damaged ? exit_failed : exit_ok;
}

}  // namespace

void add_verify_command(CLI::App& app, const global_options& global, int& code) {
  auto options = std::make_shared<verify_options>();
  auto* command =
      app.add_subcommand("verify", "Check the files of a stopped node, changing nothing");
  command->add_option("DIR", options->directory, "A data directory, or the directory of one log")
      ->required();
  command->add_flag("--json,-j", options->json_output, "Print one JSON object per log");
  command->footer(
      "Every header, checksum and index entry is looked at. A note is repaired by the next start "
      "without\nloss; damage means that bytes which were stored are gone or changed. On the files "
      "of a running\nnode the unfinished end shows up as notes.\n\n"
      "Exit codes: 0 clean; 1 damage; 2 no log there, or wrong usage.\n\n"
      "Example:\n  cairn verify /var/lib/cairn\n");
  command->callback([options, &global, &code] { code = run_verify(*options, global); });
}

}  // namespace cairn::cli
