#include "apps/node_config.hpp"

#include "apps/config_values.hpp"
#include "apps/node_options.hpp"
#include "apps/version.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <toml++/toml.h>

namespace cairn::apps {

namespace {

constexpr const char* k_about =
    "cairnd: a node of Cairn, an append-only log that can be used with curl.\n"
    "\n"
    "Each setting is a flag, an environment variable (--node-id is CAIRN_NODE_ID) and a key of "
    "the\n"
    "TOML file named by --config or CAIRN_CONFIG (node_id). A flag wins over a variable, that "
    "over\n"
    "the file.";

constexpr const char* k_footer =
    "Exit codes:\n"
    "  0  ended as asked (SIGTERM, SIGINT): everything acknowledged is on disk, files are closed\n"
    "  1  failed: data directory in use or damaged, port taken, a write to the disk failed\n"
    "  2  bad configuration: the flag, variable or key is named; also a --node-id that is not the\n"
    "     one of the data directory, and a node that its cluster does not let in\n"
    "A second SIGTERM or SIGINT ends the process at once; what was acknowledged is safe all the "
    "same.";

error bad(const std::string& where, const std::string& what) {
  return {errc::invalid_argument, fmt::format("{}: {}", where, what)};
}

/// Applies one setting, with its source in the complaint.
status apply(const node_option& option, node_config& config, const std::string& text,
             const std::string& where) {
  auto done = option.set(config, text);
  if (!done) return bad(where, done.error().detail);
  return {};
}

result<std::string> text_of(const toml::node& node, const std::string& where) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto number = node.value_exact<std::int64_t>()) return fmt::format("{}", *number);
  if (const auto flag = node.value_exact<bool>()) return std::string(*flag ? "true" : "false");
  return bad(where, "expected a string, a whole number, true or false");
}

status apply_file(const std::string& path, const config_sources& sources, node_config& config) {
  auto text = sources.file(path);
  if (!text) return bad("--config " + path, text.error().detail);
  toml::table table;
  try {
    table = toml::parse(*text, path);
  } catch (const toml::parse_error& e) {
    return bad(fmt::format("{}:{}", path, e.source().begin.line), std::string(e.description()));
  }
  for (const auto& [key, node] : table) {
    const auto where = fmt::format("{}: {}", path, std::string_view(key.str()));
    const auto& options = node_options();
    const auto option = std::find_if(options.begin(), options.end(), [&](const auto& known) {
      return known.key() == key.str() || known.name == key.str();
    });
    if (option == options.end()) return bad(where, "there is no such setting");
    auto value = text_of(node, where);
    if (!value) return value.error();
    if (auto done = apply(*option, config, *value, where); !done) return done;
  }
  return {};
}

/// What CLI11 found on the command line, by position in node_options().
struct given_flags {
  std::vector<std::string> values;
  std::string config_path;
};

void declare(CLI::App& app, given_flags& given) {
  const auto& options = node_options();
  given.values.resize(options.size());
  for (std::size_t i = 0; i < options.size(); ++i) {
    const auto& option = options[i];
    if (option.value.empty()) {
      app.add_flag_function(
          option.flag(), [&given, i](std::int64_t) { given.values[i] = "true"; }, option.help);
      continue;
    }
    auto help = option.help;
    if (!option.fallback.empty()) help += fmt::format(" [{}]", option.fallback);
    app.add_option(option.flag(), given.values[i], help)->type_name(option.value);
  }
  app.add_option("--config", given.config_path, "TOML file with any of these settings")
      ->type_name("FILE");
}

status check_together(const node_config& config) {
  if (config.bootstrap && (!config.join.empty() || config.wait_to_be_added)) {
    return bad("--bootstrap and --join", "a node either begins a cluster or joins one");
  }
  constexpr std::uint64_t k_heartbeats_min = 4;
  if (config.election_ms < k_heartbeats_min * config.heartbeat_ms) {
    return bad("--election-ms",
               fmt::format("{} is under {} times --heartbeat-ms, which is {}", config.election_ms,
                           k_heartbeats_min, config.heartbeat_ms));
  }
  if (config.advertise_host.empty() && is_wildcard(config.peer)) {
    return bad("--peer " + to_text(config.peer),
               "other nodes need an address that they can reach: add --advertise-host");
  }
  if (!config.advertise_host.empty() && config.peer.port == 0) {
    return bad("--peer " + to_text(config.peer), "with --advertise-host it needs a port");
  }
  return {};
}

}  // namespace

std::string advertised(const node_config& config, listen_address address) {
  if (!config.advertise_host.empty()) address.host = config.advertise_host;
  return to_text(address);
}

config_sources config_sources::of_process() {
  config_sources sources;
  sources.variable = [](const std::string& name) -> std::optional<std::string> {
    const auto* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
  sources.file = [](const std::string& path) -> result<std::string> {
    std::ifstream file(path, std::ios::binary);
    if (!file) return error{errc::not_found, "cannot read the file"};
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  };
  return sources;
}

result<command_line> read_command_line(const std::vector<std::string>& arguments,
                                       const config_sources& sources) {
  CLI::App app{k_about, "cairnd"};
  app.footer(k_footer);
  app.set_version_flag("--version", fmt::format("cairnd {}", k_version));
  given_flags given;
  declare(app, given);
  command_line line;
  try {
    auto reversed = arguments;
    std::reverse(reversed.begin(), reversed.end());
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    line.text = app.help();
    return line;
  } catch (const CLI::CallForVersion&) {
    line.text = fmt::format("cairnd {}\n", k_version);
    return line;
  } catch (const CLI::ParseError& e) {
    return error{errc::invalid_argument, e.what()};
  }
  auto path = given.config_path;
  if (path.empty()) path = sources.variable("CAIRN_CONFIG").value_or("");
  if (!path.empty()) {
    if (auto done = apply_file(path, sources, line.config); !done) return done.error();
  }
  const auto& options = node_options();
  for (const auto& option : options) {
    const auto value = sources.variable(option.variable());
    if (!value) continue;
    auto done = apply(option, line.config, *value, option.variable());
    if (!done) return done.error();
  }
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (app.count(options[i].flag()) == 0) continue;
    auto done = apply(options[i], line.config, given.values[i], options[i].flag());
    if (!done) return done.error();
  }
  if (auto done = check_together(line.config); !done) return done.error();
  return line;
}

}  // namespace cairn::apps
