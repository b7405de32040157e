#include "apps/cairn/commands.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace cairn::cli {

namespace {

namespace json = boost::json;

struct logs_options {
  std::string log = "default";
  std::string output = "table";
};

std::uint64_t number(const json::object& object, json::string_view name) {
  const auto* value = object.if_contains(name);
  json::error_code failure;
  const auto found = value == nullptr ? 0 : value->to_number<std::uint64_t>(failure);
  return failure ? 0 : found;
}

std::string text(const json::object& object, json::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return "-";
  return std::string(value->as_string().data(), value->as_string().size());
}

const json::array& array(const json::object& object, json::string_view name) {
  static const json::array k_empty;
  const auto* value = object.if_contains(name);
  return value == nullptr || !value->is_array() ? k_empty : value->as_array();
}

void print_list_head() {
  fmt::print("{:<24} {:>14} {:>14} {:>10} {:>9}  {}\n", "LOG", "LOWEST", "NEXT", "BYTES",
             "SEGMENTS", "LEADER");
}

void print_list_line(const json::object& log) {
  fmt::print("{:<24} {:>14} {:>14} {:>10} {:>9}  {}\n", text(log, "log"),
             number(log, "lowest_offset"), number(log, "next_offset"),
             human_bytes(static_cast<double>(number(log, "bytes"))), array(log, "segments").size(),
             text(log, "leader"));
}

void print_description(const json::object& log) {
  fmt::print("log             {}\n", text(log, "log"));
  fmt::print("lowest offset   {}\n", number(log, "lowest_offset"));
  fmt::print("next offset     {}\n", number(log, "next_offset"));
  fmt::print("bytes           {} ({})\n", number(log, "bytes"),
             human_bytes(static_cast<double>(number(log, "bytes"))));
  fmt::print("term, leader    {}, {}\n", number(log, "term"), text(log, "leader"));
  if (const auto* settings = log.if_contains("settings"); settings && settings->is_object()) {
    fmt::print("settings\n");
    for (const auto& [name, value] : settings->as_object()) {
      const auto shown = value.is_string() ? std::string(value.as_string().c_str())
                                           : std::to_string(number(settings->as_object(), name));
      fmt::print("  {:<20} {}\n", std::string_view(name.data(), name.size()), shown);
    }
  }
  fmt::print("replicas\n");
  for (const auto& replica : array(log, "replicas")) {
    if (!replica.is_object()) continue;
    const auto& one = replica.as_object();
    fmt::print("  {:<12} {:<8} {:<10} match {} lag {}\n", text(one, "node"), text(one, "role"),
               text(one, "state"), number(one, "match_offset"), number(one, "lag"));
  }
  fmt::print("segments\n");
  for (const auto& segment : array(log, "segments")) {
    if (!segment.is_object()) continue;
    const auto& one = segment.as_object();
    const auto* sealed = one.if_contains("sealed");
    fmt::print("  from {:>14} to {:>14} {:>10}  {}\n", number(one, "base_offset"),
               number(one, "next_offset"), human_bytes(static_cast<double>(number(one, "bytes"))),
               sealed != nullptr && sealed->is_bool() && sealed->as_bool() ? "sealed" : "active");
  }
}

// The logs in the answer to GET /v1/logs: an array, or an object with the array `logs`.
const json::array* logs_of(const json::value& answer) {
  if (answer.is_array()) return &answer.as_array();
  if (!answer.is_object()) return nullptr;
  const auto* logs = answer.as_object().if_contains("logs");
  return logs == nullptr || !logs->is_array() ? nullptr : &logs->as_array();
}

int print_answer(const std::string& answer, const logs_options& options, bool is_list) {
  if (options.output == "json") {
    fmt::print("{}\n", answer);
    return exit_ok;
  }
  json::error_code failure;
  const auto parsed = json::parse(answer, failure);
  const auto* logs = failure || !is_list ? nullptr : logs_of(parsed);
  if (failure || (is_list ? logs == nullptr : !parsed.is_object())) {
    print_error("the node's answer makes no sense: " + answer.substr(0, 200));
    return exit_failed;
  }
  if (!is_list) {
    print_description(parsed.as_object());
    return exit_ok;
  }
  print_list_head();
  for (const auto& log : *logs) {
    if (log.is_object()) print_list_line(log.as_object());
  }
  return exit_ok;
}

int run_logs(const logs_options& options, const global_options& global, bool is_list) {
  auto client = open_client(global);
  if (!client) return exit_usage;
  int code = exit_ok;
  const auto answer = ask_patiently(*client, global, code, [&]() -> result<std::string> {
    if (is_list) return client->get("/v1/logs");
    auto log = client->describe(options.log);
    if (!log) return log.error();
    return std::move(log->json);
  });
  return answer ? print_answer(*answer, options, is_list) : code;
}

void add_output(CLI::App& command, logs_options& options) {
  command.add_option("--output,-o", options.output, "table or json (as the node sends it)")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
}

}  // namespace

void add_logs_command(CLI::App& app, const global_options& global, int& code) {
  auto* logs = app.add_subcommand("logs", "Look at logs");
  logs->require_subcommand(1);
  logs->footer(
      "Examples:\n"
      "  cairn logs list\n"
      "  cairn logs describe default\n");
  auto options = std::make_shared<logs_options>();
  auto* describe =
      logs->add_subcommand("describe", "Offsets, size, segments and replicas of a log");
  describe->add_option("LOG", options->log, "The log")->capture_default_str();
  add_output(*describe, *options);
  describe->footer("Example:\n  cairn logs describe default -o json | jq .next_offset\n");
  describe->callback([options, &global, &code] { code = run_logs(*options, global, false); });
  auto* list = logs->add_subcommand("list", "All logs of the cluster");
  add_output(*list, *options);
  list->footer("Example:\n  cairn logs list -o json | jq -r '.logs[].log'\n");
  list->callback([options, &global, &code] { code = run_logs(*options, global, true); });
}

}  // namespace cairn::cli
