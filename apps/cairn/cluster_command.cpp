#include "apps/cairn/commands.hpp"
#include "apps/cairn/numbers.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>
#include <map>
#include <optional>

namespace cairn::cli {

namespace {

namespace json = boost::json;

struct cluster_options {
  std::string output = "table";
  std::string node;
  std::string peer;
  std::string log = "default";
  std::uint64_t wait_s = 10;
};

std::string text(const json::object& object, json::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string() || value->as_string().empty()) return "-";
  return std::string(value->as_string().data(), value->as_string().size());
}

std::string number(const json::object& object, json::string_view name) {
  const auto* value = object.if_contains(name);
  json::error_code failure;
  const auto found = value == nullptr ? 0 : value->to_number<std::uint64_t>(failure);
  return value == nullptr || failure ? "-" : with_commas(found);
}

const json::array& array(const json::object& object, json::string_view name) {
  static const json::array k_empty;
  const auto* value = object.if_contains(name);
  return value == nullptr || !value->is_array() ? k_empty : value->as_array();
}

std::optional<json::object> parse(const std::string& answer) {
  json::error_code failure;
  auto parsed = json::parse(answer, failure);
  if (!failure && parsed.is_object()) return std::move(parsed.as_object());
  print_error("the node's answer makes no sense: " + answer.substr(0, 200));
  return std::nullopt;
}

/// What a node is to the log, as `GET /v1/logs/{log}` says; without such an answer nothing.
std::map<std::string, json::object> replicas_of(const std::string& log_answer) {
  std::map<std::string, json::object> replicas;
  json::error_code failure;
  const auto parsed = json::parse(log_answer, failure);
  if (failure || !parsed.is_object()) return replicas;
  for (const auto& replica : array(parsed.as_object(), "replicas")) {
    if (replica.is_object()) replicas[text(replica.as_object(), "node")] = replica.as_object();
  }
  return replicas;
}

void print_members(const json::object& cluster,
                   const std::map<std::string, json::object>& replicas) {
  struct row {
    std::string node, state, role, lag, http, peer, zone;
  };
  std::vector<row> rows{{"NODE", "STATE", "ROLE", "LAG", "HTTP", "PEER", "ZONE"}};
  for (const auto& member : array(cluster, "members")) {
    if (!member.is_object()) continue;
    const auto& one = member.as_object();
    row line{text(one, "id"),   text(one, "state"), "-", "-", text(one, "http"),
             text(one, "peer"), text(one, "zone")};
    if (const auto found = replicas.find(line.node); found != replicas.end()) {
      const bool leads = text(found->second, "state") == "leader";
      line.role = leads ? "leader" : text(found->second, "role");
      line.lag = number(found->second, "lag");
    }
    rows.push_back(std::move(line));
  }
  std::size_t widths[6] = {};
  for (const auto& line : rows) {
    std::size_t i = 0;
    for (const auto* cell :
         {&line.node, &line.state, &line.role, &line.lag, &line.http, &line.peer})
      widths[i] = std::max(widths[i], cell->size()), ++i;
  }
  for (const auto& line : rows) {
    fmt::print("{:<{}}  {:<{}}  {:<{}}  {:>{}}  {:<{}}  {:<{}}  {}\n", line.node, widths[0],
               line.state, widths[1], line.role, widths[2], line.lag, widths[3], line.http,
               widths[4], line.peer, widths[5], line.zone);
  }
}

/// The log as its leader describes it, who alone knows how far the others are; else as the node
/// does that was asked; else nothing.
std::string log_as_leader_tells(net::log_client& client, const json::object& cluster,
                                const global_options& global) {
  const auto log = client.get("/v1/logs/default");
  if (!log) return {};
  json::error_code failure;
  const auto parsed = json::parse(*log, failure);
  if (failure || !parsed.is_object()) return {};
  const auto leader = text(parsed.as_object(), "leader");
  if (leader == text(cluster, "node")) return *log;
  for (const auto& member : array(cluster, "members")) {
    if (!member.is_object() || text(member.as_object(), "id") != leader) continue;
    auto options = global;
    options.servers = text(member.as_object(), "http");
    options.timeout_s = std::min(options.timeout_s, 2.0);
    client.http().close();
    const auto other = make_client(options);
    if (!other) break;
    if (const auto told = (*other)->get("/v1/logs/default")) return *told;
  }
  return *log;
}

int run_members(const cluster_options& options, const global_options& global) {
  auto client = open_client(global);
  if (!client) return exit_usage;
  int code = exit_ok;
  const auto answer =
      ask_patiently(*client, global, code, [&] { return client->get("/v1/cluster"); });
  if (!answer) return code;
  if (options.output == "json") {
    fmt::print("{}", *answer);
    return exit_ok;
  }
  const auto cluster = parse(*answer);
  if (!cluster) return exit_failed;
  print_members(*cluster, replicas_of(log_as_leader_tells(*client, *cluster, global)));
  return exit_ok;
}

/// Sends a change once: it is for the node to try until its time is over, and for people to try
/// again. Prints `done` when it was carried out.
int run_change(const cluster_options& options, const global_options& global,
               std::string_view method, const std::string& target, const std::string& body,
               const std::string& done) {
  auto with_time = global;
  with_time.timeout_s = std::max(with_time.timeout_s, static_cast<double>(options.wait_s) + 5);
  auto client = open_client(with_time);
  if (!client) return exit_usage;
  const auto timed = fmt::format("{}?timeout_ms={}", target, options.wait_s * 1000);
  retry_budget retries(global.retry_s);
  while (true) {
    const auto answer = client->change(method, timed, body);
    if (answer) {
      if (options.output == "json") {
        fmt::print("{}", *answer);
      } else if (!global.quiet) {
        fmt::print("{}\n", done);
      }
      return exit_ok;
    }
    const auto& failure = client->failure();
    if (failure.outcome_unknown()) {
      print_error(answer.error().detail);
      fmt::print(stderr,
                 "  It may or may not have happened. See 'cairn cluster members'; the command can "
                 "be given again.\n");
      return exit_unknown;
    }
    if (!retries.wait(failure)) return report_failure(*client, answer.error(), global);
  }
}

std::string members_target(const std::string& node) {
  return "/v1/cluster/members/" + node;
}

int run_remove(const cluster_options& options, const global_options& global) {
  return run_change(options, global, "DELETE", members_target(options.node), {},
                    fmt::format("{} is no member any more. Stop it if it runs; its data stay where "
                                "they are.",
                                options.node));
}

// With several servers named whoever answers first would go.
int run_leave(cluster_options options, const global_options& global) {
  const auto servers = net::parse_servers(global.servers);
  if (servers && servers->size() != 1) {
    print_error(fmt::format("--server names {} nodes, and the one that it names leaves: name one",
                            servers->size()));
    return exit_usage;
  }
  auto client = open_client(global);
  if (!client) return exit_usage;
  int code = exit_ok;
  const auto answer =
      ask_patiently(*client, global, code, [&] { return client->get("/v1/cluster"); });
  if (!answer) return code;
  const auto cluster = parse(*answer);
  if (!cluster) return exit_failed;
  options.node = text(*cluster, "node");
  client.reset();  // run_remove() has one of its own
  return run_remove(options, global);
}

int run_add(const cluster_options& options, const global_options& global) {
  const json::object body{{"id", options.node}, {"peer", options.peer}};
  return run_change(options, global, "POST", "/v1/cluster/members", json::serialize(body),
                    fmt::format("{} is a member: a learner, and a voter by itself once it has "
                                "caught up.",
                                options.node));
}

int run_transfer(const cluster_options& options, const global_options& global) {
  const json::object body{{"node", options.node}};
  return run_change(options, global, "POST", fmt::format("/v1/logs/{}/leader", options.log),
                    json::serialize(body), fmt::format("{} leads {}.", options.node, options.log));
}

/// A node id goes into a path as it is.
std::string check_node_id(const std::string& text) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
  };
  if (!text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), plain)) return {};
  return fmt::format("'{}' is no node id", text);
}

void add_output(CLI::App& command, cluster_options& options) {
  command.add_option("--output,-o", options.output, "table or json (as the node sends it)")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
}

void add_change_options(CLI::App& command, cluster_options& options) {
  add_output(command, options);
  command.add_option("--wait", options.wait_s, "Seconds until the change must be done")
      ->transform(whole_number(1, 60))
      ->capture_default_str();
}

void add_node(CLI::App& command, cluster_options& options, const char* help) {
  command.add_option("NODE", options.node, help)->required()->check(check_node_id);
}

}  // namespace

void add_cluster_command(CLI::App& app, const global_options& global, int& code) {
  auto* cluster = app.add_subcommand("cluster", "Look at the cluster's members, and change them");
  cluster->require_subcommand(1);
  cluster->footer(
      "Examples:\n"
      "  cairn cluster members\n"
      "  cairn cluster add n4 10.0.0.4:7080\n"
      "  cairn cluster transfer-leader n2\n");
  auto options = std::make_shared<cluster_options>();

  auto* members = cluster->add_subcommand("members", "Who is there, in which role, how far behind");
  add_output(*members, *options);
  members->footer("Example:\n  cairn cluster members -o json | jq -r '.members[].id'\n");
  members->callback([options, &global, &code] { code = run_members(*options, global); });

  auto* add = cluster->add_subcommand(
      "add", "Let in a node that was started with --join none, or that reaches nobody");
  add_node(*add, *options, "Its --node-id");
  add->add_option("PEER", options->peer, "Where it listens for other nodes, ADDRESS:PORT")
      ->required();
  add_change_options(*add, *options);
  add->footer("Example:\n  cairn cluster add n4 10.0.0.4:7080\n");
  add->callback([options, &global, &code] { code = run_add(*options, global); });

  auto* remove = cluster->add_subcommand(
      "remove", "Take a node out, whether it runs or not; it hands its lead over first");
  add_node(*remove, *options, "Its id");
  add_change_options(*remove, *options);
  remove->footer(
      "Example:\n  cairn cluster remove n2     # its disk is lost; start it anew with "
      "--join\n");
  remove->callback([options, &global, &code] { code = run_remove(*options, global); });

  auto* leave = cluster->add_subcommand("leave", "Take out the very node that --server names");
  add_change_options(*leave, *options);
  leave->footer("Example:\n  cairn --server http://127.0.0.1:8083 cluster leave\n");
  leave->callback([options, &global, &code] { code = run_leave(*options, global); });

  auto* transfer = cluster->add_subcommand("transfer-leader", "Let another voter lead a log");
  add_node(*transfer, *options, "Who is to lead");
  transfer->add_option("--log", options->log, "The log")->capture_default_str();
  add_change_options(*transfer, *options);
  transfer->footer("Example:\n  cairn cluster transfer-leader n2\n");
  transfer->callback([options, &global, &code] { code = run_transfer(*options, global); });
}

}  // namespace cairn::cli
