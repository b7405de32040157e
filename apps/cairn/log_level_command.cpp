#include "apps/cairn/commands.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cctype>
#include <fmt/format.h>
#include <vector>

namespace cairn::cli {

namespace {

namespace json = boost::json;

struct log_level_options {
  std::string component;
  std::string level;
  std::string node;
  bool all_nodes = false;
  std::string output = "table";
};

/// What one node says, or why it says nothing.
struct node_levels {
  std::string node;
  const json::object* levels = nullptr;  ///< null: `trouble` says why
  std::string trouble;
};

std::string text(const json::object& object, json::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return "-";
  return std::string(value->as_string().data(), value->as_string().size());
}

node_levels levels_of(const json::object& one) {
  node_levels out;
  out.node = text(one, "node");
  if (const auto* levels = one.if_contains("levels"); levels != nullptr && levels->is_object()) {
    out.levels = &levels->as_object();
  } else if (const auto* failed = one.if_contains("error");
             failed != nullptr && failed->is_object()) {
    out.trouble = text(failed->as_object(), "detail");
  }
  return out;
}

/// Leaves only that component in what the node said. False if it is not there.
bool keep_component(json::object& answer, const std::string& component) {
  bool found = false;
  const auto keep_in = [&](json::object& one) {
    auto* levels = one.if_contains("levels");
    if (levels == nullptr || !levels->is_object()) return;
    json::object kept;
    if (const auto* level = levels->as_object().if_contains(component)) {
      kept[component] = *level;
      found = true;
    }
    *levels = std::move(kept);
  };
  if (auto* list = answer.if_contains("nodes"); list != nullptr && list->is_array()) {
    for (auto& one : list->as_array()) {
      if (one.is_object()) keep_in(one.as_object());
    }
  } else {
    keep_in(answer);
  }
  return found;
}

/// A row a component, a column a node. False if a node has not answered.
bool print_levels(const json::object& answer, const log_level_options& options, bool quiet) {
  std::vector<node_levels> nodes;
  if (const auto* list = answer.if_contains("nodes"); list != nullptr && list->is_array()) {
    for (const auto& one : list->as_array()) {
      if (one.is_object()) nodes.push_back(levels_of(one.as_object()));
    }
  } else {
    nodes.push_back(levels_of(answer));
  }
  bool complete = true;
  for (const auto& one : nodes) {
    if (one.levels != nullptr) continue;
    print_error(fmt::format("node {} does not say: {}", one.node, one.trouble));
    complete = false;
  }
  std::erase_if(nodes, [](const auto& one) { return one.levels == nullptr; });
  if (nodes.empty()) return false;
  constexpr std::size_t k_widest_level = 8;
  std::string row = fmt::format("{:<10}", "COMPONENT");
  for (const auto& one : nodes)
    row += fmt::format("  {:<{}}", one.node, std::max(k_widest_level, one.node.size()));
  fmt::print("{}\n", row.substr(0, row.find_last_not_of(' ') + 1));
  for (const auto& [component, level] : *nodes.front().levels) {
    row = fmt::format("{:<10}", std::string_view(component.data(), component.size()));
    for (const auto& one : nodes)
      row += fmt::format("  {:<{}}", text(*one.levels, component),
                         std::max(k_widest_level, one.node.size()));
    fmt::print("{}\n", row.substr(0, row.find_last_not_of(' ') + 1));
  }
  if (!quiet && !options.all_nodes && options.node.empty()) {
    std::fflush(stdout);
    fmt::print(stderr, "This is node {} alone; --node asks another one, --all-nodes all.\n",
               nodes.front().node);
  }
  return complete;
}

int run_log_level(const log_level_options& options, const global_options& global) {
  auto client = open_client(global);
  if (!client) return exit_usage;
  const std::string scope = options.all_nodes       ? "?cluster=true"
                            : !options.node.empty() ? "?node=" + options.node
                                                    : "";
  int code = exit_ok;
  const auto answer = ask_patiently(*client, global, code, [&] {
    if (options.level.empty()) return client->get("/v1/log-levels" + scope);
    return client->change("PUT", "/v1/log-levels/" + options.component + scope,
                          json::serialize(json::object{{"level", options.level}}));
  });
  if (!answer) return code;
  const bool one_component =
      options.level.empty() && !options.component.empty() && options.component != "all";
  if (options.output == "json" && !one_component) {
    fmt::print("{}", *answer);
    return exit_ok;
  }
  json::error_code failure;
  auto parsed = json::parse(*answer, failure);
  if (failure || !parsed.is_object()) {
    print_error("the node's answer makes no sense: " + answer->substr(0, 200));
    return exit_failed;
  }
  if (one_component && !keep_component(parsed.as_object(), options.component)) {
    print_error(fmt::format("no node names a level of '{}'; see cairn log-level --help",
                            options.component));
    return exit_failed;
  }
  if (options.output == "json") {
    fmt::print("{}\n", json::serialize(parsed));
    return exit_ok;
  }
  return print_levels(parsed.as_object(), options, global.quiet) ? exit_ok : exit_failed;
}

/// Goes into a path or a query as it is.
std::string check_word(const std::string& word) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
  };
  if (!word.empty() && word.size() <= 64 && std::all_of(word.begin(), word.end(), plain)) return {};
  return fmt::format("'{}' is no name", word);
}

}  // namespace

void add_log_level_command(CLI::App& app, const global_options& global, int& code) {
  auto options = std::make_shared<log_level_options>();
  auto* command = app.add_subcommand(
      "log-level", "Show how much nodes say in their own logs, or change it while they run");
  command
      ->add_option("COMPONENT", options->component,
                   "node, raft, log, storage, membership, cluster, peer, gateway, inspect, "
                   "or all; none: all levels are shown")
      ->check(check_word);
  command->add_option("LEVEL", options->level,
                      "trace, debug, info, warning, error, critical or off; none: the component's "
                      "level is shown");
  auto* node = command->add_option("--node", options->node, "Ask this node, through the server")
                   ->check(check_word);
  command->add_flag("--all-nodes", options->all_nodes, "Ask all members")->excludes(node);
  command->add_option("--output,-o", options->output, "table or json (as the node sends it)")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  command->footer(
      "A change lasts until the node ends; for good, see cairnd --log-level.\n"
      "Examples:\n"
      "  cairn log-level --all-nodes\n"
      "  cairn log-level raft                  # of the node that --server names\n"
      "  cairn log-level raft debug --node n2\n"
      "  cairn log-level all info --all-nodes\n");
  command->callback([options, &global, &code] { code = run_log_level(*options, global); });
}

}  // namespace cairn::cli
