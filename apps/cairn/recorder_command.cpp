#include "actors/recorder/dump.hpp"
#include "apps/cairn/commands.hpp"
#include "apps/cairn/replay_printer.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace cairn::cli {

namespace {

struct recorder_options {
  std::string file;
  std::string node;
  bool force = false;
};

// Node ids are letters, digits, dots, hyphens and underscores (apps/config_values); anything else
// would be another query.
bool plain(const std::string& node) {
  return node.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
         std::string::npos;
}

// Empty: done. Otherwise why not.
std::string write_file(const std::string& path, const std::string& bytes, bool force) {
  constexpr mode_t k_mode = 0644;
  const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (force ? O_TRUNC : O_EXCL);
  const int file = ::open(path.c_str(), flags, k_mode);
  if (file < 0) {
    return errno == EEXIST ? "it is there already; --force replaces it"
                           : std::string(std::strerror(errno));
  }
  std::size_t done = 0;
  int code = 0;
  while (done < bytes.size() && code == 0) {
    const ssize_t got = ::write(file, bytes.data() + done, bytes.size() - done);
    if (got > 0) {
      done += static_cast<std::size_t>(got);
    } else if (got == 0 || errno != EINTR) {
      code = got == 0 ? EIO : errno;
    }
  }
  if (::close(file) != 0 && code == 0) code = errno;
  if (code == 0) return {};
  if (!force) ::unlink(path.c_str());
  return std::strerror(code);
}

int run_save(const recorder_options& options, const global_options& global) {
  if (!plain(options.node)) {
    print_error(fmt::format("--node: '{}' is no node id", options.node));
    return exit_usage;
  }
  auto client = open_client(global);
  if (!client) return exit_usage;
  int code = exit_ok;
  const std::string target =
      options.node.empty() ? "/v1/recorder" : "/v1/recorder?node=" + options.node;
  const auto bytes = ask_patiently(*client, global, code, [&] { return client->get(target); });
  if (!bytes) return code;
  // What arrived is looked at before it is trusted to be of use later.
  const auto dump = actors::decode_dump(as_byte_span(*bytes));
  if (!dump) {
    print_error("the node's answer is no dump that this program reads: " + dump.error().detail);
    return exit_failed;
  }
  if (const std::string why = write_file(options.file, *bytes, options.force); !why.empty()) {
    print_error(fmt::format("{}: {}", options.file, why));
    return exit_failed;
  }
  if (global.quiet) return exit_ok;
  std::uint64_t steps = 0;
  for (const actors::dump_chunk& chunk : dump->chunks)
    steps += chunk.steps.size();
  fmt::print("{}: {} steps of node {} since {} UTC, {}\n", options.file, with_commas(steps),
             dump->head.identity.node, utc_text(dump->chunks.front().began_ms * 1000),
             human_bytes(static_cast<double>(bytes->size())));
  return exit_ok;
}

}  // namespace

void add_recorder_command(CLI::App& app, const global_options& global, int& code) {
  auto* recorder = app.add_subcommand("recorder", "The flight recorder of a node");
  recorder->require_subcommand(1);
  recorder->footer("Example:\n  cairn recorder save n2.dump --node n2\n");
  auto options = std::make_shared<recorder_options>();
  auto* save = recorder->add_subcommand(
      "save", "Fetch what a node's consensus was told last, for 'cairn replay'");
  save->add_option("FILE", options->file, "Where to put it; must not be there yet")->required();
  save->add_option("--node", options->node, "Of this node, whichever is asked");
  save->add_flag("--force", options->force, "Replace FILE if it is there");
  save->footer(
      "Records are not in it. How much a node keeps: cairnd --recorder-bytes.\n\n"
      "Examples:\n"
      "  cairn recorder save n2.dump --node n2\n"
      "  cairn replay n2.dump --show elections\n");
  save->callback([options, &global, &code] { code = run_save(*options, global); });
}

}  // namespace cairn::cli
