#include "apps/node_config.hpp"

#include "apps/config_values.hpp"
#include "apps/node_options.hpp"

#include <doctest/doctest.h>
#include <map>
#include <set>

namespace cairn::apps {
namespace {

struct fake_sources {
  std::map<std::string, std::string> variables;
  std::map<std::string, std::string> files;

  [[nodiscard]] result<command_line> read(const std::vector<std::string>& arguments) const {
    config_sources sources;
    sources.variable = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      if (found == variables.end()) return std::nullopt;
      return found->second;
    };
    sources.file = [this](const std::string& path) -> result<std::string> {
      const auto found = files.find(path);
      if (found == files.end()) return error{errc::not_found, "cannot read the file"};
      return found->second;
    };
    return read_command_line(arguments, sources);
  }

  /// The complaint about these arguments.
  [[nodiscard]] std::string complaint(const std::vector<std::string>& arguments) const {
    const auto line = read(arguments);
    REQUIRE_FALSE(line.ok());
    CHECK(line.code() == errc::invalid_argument);
    return line.error().detail;
  }
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("node config: without settings the documented defaults hold") {
  const auto line = fake_sources{}.read({});
  REQUIRE(line.ok());
  CHECK_FALSE(line->text.has_value());
  CHECK(line->config.node_id == "n1");
  CHECK(line->config.data_dir == "./data");
  CHECK(to_text(line->config.http) == "127.0.0.1:8080");
  CHECK(to_text(line->config.grpc) == "127.0.0.1:9080");
  CHECK(to_text(line->config.peer) == "127.0.0.1:7080");
}

TEST_CASE("node config: the default that the help shows is the one that holds") {
  for (const auto& option : node_options()) {
    if (option.fallback.empty()) continue;
    CAPTURE(option.name);
    node_config untouched;
    node_config set;
    REQUIRE(option.set(set, option.fallback).ok());
    CHECK(untouched.node_id == set.node_id);
    CHECK(untouched.http == set.http);
    CHECK(untouched.log.segment_bytes == set.log.segment_bytes);
    CHECK(untouched.log.prefill_bytes == set.log.prefill_bytes);
    CHECK(untouched.log.open_segments_max == set.log.open_segments_max);
    CHECK(untouched.retention_check_ms == set.retention_check_ms);
    CHECK(untouched.max_record_bytes == set.max_record_bytes);
    CHECK(untouched.http_threads == set.http_threads);
    CHECK(untouched.http_limits.max_connections == set.http_limits.max_connections);
    CHECK(untouched.limits.queued_bytes_max == set.limits.queued_bytes_max);
    CHECK(untouched.limits.queued_appends_max == set.limits.queued_appends_max);
    CHECK(untouched.limits.waiting_readers_max == set.limits.waiting_readers_max);
    CHECK(untouched.limits.cold_reads_max == set.limits.cold_reads_max);
  }
}

TEST_CASE("node config: a flag wins over a variable, and that over the file") {
  fake_sources sources;
  sources.files["/etc/c.toml"] = "node_id = \"file\"\nreaders = 5\nhttp = \"127.0.0.1:1\"\n";
  sources.variables["CAIRN_CONFIG"] = "/etc/c.toml";
  sources.variables["CAIRN_NODE_ID"] = "variable";
  sources.variables["CAIRN_HTTP"] = "127.0.0.1:2";
  const auto line = sources.read({"--http", "127.0.0.1:3"});
  REQUIRE(line.ok());
  CHECK(line->config.readers == 5);
  CHECK(line->config.node_id == "variable");
  CHECK(line->config.http.port == 3);
}

TEST_CASE("node config: every flag is a key of the file too, spelled either way") {
  fake_sources sources;
  sources.files["c"] = "segment-bytes = \"1MiB\"\nretention_ms = \"7d\"\nbootstrap = true\n";
  const auto line = sources.read({"--config", "c"});
  REQUIRE(line.ok());
  CHECK(line->config.log.segment_bytes == k_mib_bytes);
  CHECK(line->config.retention.ms == 7ULL * 86'400'000);
  CHECK(line->config.bootstrap);
}

TEST_CASE("node config: a complaint names the flag, variable or key") {
  fake_sources sources;
  CHECK(contains(sources.complaint({"--http", "localhost:80"}), "--http"));
  CHECK(contains(sources.complaint({"--nonsense"}), "--nonsense"));
  CHECK(contains(sources.complaint({"--node-id", "a/b"}), "--node-id"));
  CHECK(contains(sources.complaint({"--segment-bytes", "1"}), "--segment-bytes"));
  CHECK(contains(sources.complaint({"--recorder-bytes", "17MiB"}), "--recorder-bytes"));
  CHECK(contains(sources.complaint({"--recorder-bytes", "63KiB"}), "neither 0 nor at least 64KiB"));
  CHECK(contains(sources.complaint({"--config", "none"}), "none"));
  sources.variables["CAIRN_LOG_LEVEL"] = "loud";
  CHECK(contains(sources.complaint({}), "CAIRN_LOG_LEVEL"));
  sources.variables.clear();
  sources.files["c"] = "colour = 1\n";
  CHECK(contains(sources.complaint({"--config", "c"}), "colour"));
  sources.files["c"] = "readers = 1.5\n";
  CHECK(contains(sources.complaint({"--config", "c"}), "readers"));
  sources.files["c"] = "readers = \n";
  CHECK(contains(sources.complaint({"--config", "c"}), "c:1"));
}

TEST_CASE("node config: a node joins by addresses, or waits to be added") {
  const fake_sources sources;
  const auto line = sources.read({"--join", "10.0.0.1:7080,[::1]:7081"});
  REQUIRE(line.ok());
  REQUIRE(line->config.join.size() == 2);
  CHECK(to_text(line->config.join[1]) == "[::1]:7081");
  CHECK_FALSE(line->config.wait_to_be_added);
  CHECK(sources.read({"--join", "none"})->config.wait_to_be_added);
  for (const auto* bad : {"", "10.0.0.1", "10.0.0.1:7080,", "n1:7080", "10.0.0.1:0"}) {
    CAPTURE(bad);
    CHECK(contains(sources.complaint({std::string("--join=") + bad}), "--join"));
  }
  for (const auto* join : {"10.0.0.1:7080", "none"}) {
    const auto both = sources.complaint({"--bootstrap", "--join", join});
    CHECK(contains(both, "--bootstrap"));
    CHECK(contains(both, "--join"));
  }
}

TEST_CASE("node config: others are told an address that they can reach") {
  const fake_sources sources;
  CHECK(contains(sources.complaint({"--peer", "0.0.0.0:7080"}), "--advertise-host"));
  CHECK(contains(sources.complaint({"--peer", "[::]:7080"}), "--advertise-host"));
  CHECK(contains(sources.complaint({"--advertise-host", "0.0.0.0"}), "--advertise-host"));
  CHECK(contains(sources.complaint({"--advertise-host", "a host"}), "--advertise-host"));
  const auto line = sources.read({"--peer", "0.0.0.0:7080", "--advertise-host", "10.0.0.9"});
  REQUIRE(line.ok());
  CHECK(advertised(line->config, line->config.peer) == "10.0.0.9:7080");
  CHECK(advertised(node_config{}, {"127.0.0.1", 80}) == "127.0.0.1:80");
  const auto v6 = sources.read({"--advertise-host", "fd00::1"});
  REQUIRE(v6.ok());
  CHECK(advertised(v6->config, {"::", 80}) == "[fd00::1]:80");
}

TEST_CASE("node config: an election takes at least four heartbeats") {
  const fake_sources sources;
  const auto line = sources.read({"--heartbeat-ms", "20", "--election-ms", "1s"});
  REQUIRE(line.ok());
  CHECK(line->config.heartbeat_ms == 20);
  CHECK(line->config.election_ms == 1'000);
  CHECK(contains(sources.complaint({"--heartbeat-ms", "200"}), "--election-ms"));
  CHECK(contains(sources.complaint({"--heartbeat-ms", "1"}), "--heartbeat-ms"));
}

TEST_CASE("node config: help names every setting and the exit codes, and wins over the rest") {
  const auto line = fake_sources{}.read({"--help"});
  REQUIRE(line.ok());
  REQUIRE(line->text.has_value());
  for (const auto& option : node_options())
    CHECK(contains(*line->text, option.flag()));
  CHECK(contains(*line->text, "Exit codes"));
  CHECK(fake_sources{}.read({"--version"})->text.has_value());
}

TEST_CASE("node config: no two settings share a name") {
  std::set<std::string> names;
  for (const auto& option : node_options())
    CHECK(names.insert(option.variable()).second);
}

TEST_CASE("config values: sizes, durations, addresses and what is none") {
  CHECK(*parse_bytes("4096", 1, k_gib_bytes) == 4096);
  CHECK(*parse_bytes("3KiB", 1, k_gib_bytes) == 3072);
  CHECK_FALSE(parse_bytes("3KB", 1, k_gib_bytes).ok());
  CHECK_FALSE(parse_bytes("-1", 0, k_gib_bytes).ok());
  CHECK_FALSE(parse_bytes("18446744073709551615KiB", 0, ~0ULL).ok());
  CHECK(*parse_milliseconds("90s") == 90'000);
  CHECK(*parse_milliseconds("15") == 15);
  CHECK_FALSE(parse_milliseconds("s").ok());
  CHECK_FALSE(parse_milliseconds("").ok());
  CHECK(parse_address("[::1]:80")->host == "::1");
  CHECK(to_text(*parse_address("[::1]:80")) == "[::1]:80");
  CHECK(parse_address("127.0.0.1:0")->port == 0);
  for (const auto* text : {"", "80", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80",
                           "host:80", "127.0.0.1:8o"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_address(text).ok());
  }
}

}  // namespace
}  // namespace cairn::apps
