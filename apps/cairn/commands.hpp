#pragma once
// The subcommands of cairn. Each function adds one to the parser; its callback sets `code`.

#include "apps/cairn/context.hpp"

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace cairn::cli {

void add_append_command(CLI::App& app, const global_options& global, int& code);
void add_read_command(CLI::App& app, const global_options& global, int& code);
void add_tail_command(CLI::App& app, const global_options& global, int& code);
void add_logs_command(CLI::App& app, const global_options& global, int& code);
void add_log_level_command(CLI::App& app, const global_options& global, int& code);
void add_ready_command(CLI::App& app, const global_options& global, int& code);
void add_cluster_command(CLI::App& app, const global_options& global, int& code);
void add_console_command(CLI::App& app, const global_options& global, int& code);
void add_verify_command(CLI::App& app, const global_options& global, int& code);
void add_bench_command(CLI::App& app, const global_options& global, int& code);
void add_recorder_command(CLI::App& app, const global_options& global, int& code);
void add_replay_command(CLI::App& app, const global_options& global, int& code);
void add_sim_command(CLI::App& app, const global_options& global, int& code);
void add_completion_command(CLI::App& app, const global_options& global, int& code);

/// What may stand where `words` end: the words behind `cairn` up to the cursor, the last of them
/// begun or empty. Commands, options, and values where there are only a few; none: a file, or
/// something that only the user knows. Sorted.
[[nodiscard]] std::vector<std::string> completions(const CLI::App& root,
                                                   const std::vector<std::string>& words);

}  // namespace cairn::cli
