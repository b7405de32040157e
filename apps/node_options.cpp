#include "apps/node_options.hpp"

#include "apps/config_values.hpp"
#include "apps/log_format.hpp"

#include <algorithm>
#include <cctype>
#include <limits>

namespace cairn::apps {

namespace {

using setter = std::function<status(node_config&, const std::string&)>;

constexpr std::uint64_t k_most = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t k_most_32 = std::numeric_limits<std::int32_t>::max();

/// Parses, then stores what came out through `to(config)`.
template <class Parse, class To>
setter parsed(Parse parse, To to) {
  return [=](node_config& config, const std::string& text) -> status {
    auto value = parse(text);
    if (!value) return value.error();
    auto& target = to(config);
    target = static_cast<std::remove_reference_t<decltype(target)>>(*value);
    return {};
  };
}

auto number(std::uint64_t least, std::uint64_t most) {
  return [=](const std::string& text) { return parse_number(text, least, most); };
}
auto bytes(std::uint64_t least, std::uint64_t most = k_most) {
  return [=](const std::string& text) { return parse_bytes(text, least, most); };
}
auto one_of(std::vector<std::string> words) {
  return [words = std::move(words)](const std::string& text) -> result<std::string> {
    if (std::find(words.begin(), words.end(), text) != words.end()) return text;
    std::string list;
    for (const auto& word : words)
      list += (list.empty() ? "" : ", ") + word;
    return error{errc::invalid_argument, "'" + text + "' is none of " + list};
  };
}
result<std::string> any_text(const std::string& text) {
  if (text.empty()) return error{errc::invalid_argument, "it must not be empty"};
  return text;
}

std::string changed(std::string text, char from, char to, bool upper) {
  for (auto& c : text) {
    if (c == from) c = to;
    if (upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return text;
}

/// `none`, or addresses with ports.
status set_join(node_config& config, const std::string& text) {
  config.join.clear();
  config.wait_to_be_added = text == "none";
  if (config.wait_to_be_added) return {};
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const auto end = std::min(text.find(',', begin), text.size());
    auto address = parse_address(text.substr(begin, end - begin));
    if (!address) return address.error();
    if (address->port == 0) {
      return error{errc::invalid_argument, "'" + text + "' has a port 0: nobody listens there"};
    }
    config.join.push_back(*std::move(address));
    begin = end + 1;
  }
  return {};
}

result<std::string> parse_host(const std::string& text) {
  // As an address it is parsed with a port; brackets only belong there.
  const bool v6 = text.find(':') != std::string::npos;
  auto address = parse_address((v6 ? "[" + text + "]" : text) + ":0");
  if (!address || is_wildcard(*address)) {
    return error{errc::invalid_argument,
                 "'" + text + "' is not an IP address that others can reach"};
  }
  return address->host;
}

auto time_between(std::uint64_t least_ms, std::uint64_t most_ms) {
  return [=](const std::string& text) -> result<std::uint64_t> {
    auto ms = parse_milliseconds(text);
    if (ms && (*ms < least_ms || *ms > most_ms)) {
      return error{errc::invalid_argument, "'" + text + "' is not from " +
                                               std::to_string(least_ms) + " to " +
                                               std::to_string(most_ms) + " ms"};
    }
    return ms;
  };
}

std::vector<node_option> cluster_options() {
  return {
      {"bootstrap", "", "false",
       "begin a new cluster of one; an empty directory does so without it, unless --join is given. "
       "Data that are there always win",
       parsed(
           parse_bool, [](node_config & c) -> auto& { return c.bootstrap; })},
      {"join", "ADDR:PORT[,...]", "",
       "join the cluster of which these are members, by their --peer addresses; asks them in turn "
       "until one lets this node in. 'none': wait for 'cairn cluster add'. Without effect once the "
       "node is a member",
       set_join},
      {"leave", "", "false",
       "leave the cluster when ended by a signal, for nodes that do not come back",
       parsed(
           parse_bool, [](node_config & c) -> auto& { return c.leave; })},
      {"zone", "NAME", "", "where this node stands; shown by 'cairn cluster members'",
       parsed(
           parse_node_id, [](node_config & c) -> auto& { return c.zone; })},
      {"heartbeat-ms", "TIME", "100", "a leader shows that it is there this often, when it is idle",
       parsed(
           time_between(10, 60'000), [](node_config & c) -> auto& { return c.heartbeat_ms; })},
      {"election-ms", "TIME", "500",
       "a leader that is silent for this long to twice as long is replaced; at least four "
       "heartbeats; the same on all nodes",
       parsed(
           time_between(40, 600'000), [](node_config & c) -> auto& { return c.election_ms; })},
  };
}

std::vector<node_option> identity_options() {
  return {
      {"node-id", "NAME", "n1", "name of this node; a data directory keeps the one it began with",
       parsed(
           parse_node_id, [](node_config & c) -> auto& { return c.node_id; })},
      {"data-dir", "DIR", "./data", "where everything is kept; made when missing",
       parsed(
           any_text, [](node_config & c) -> auto& { return c.data_dir; })},
      {"http", "ADDR:PORT", "127.0.0.1:8080", "HTTP gateway; port 0 picks one",
       parsed(
           parse_address, [](node_config & c) -> auto& { return c.http; })},
      {"grpc", "ADDR:PORT", "127.0.0.1:9080",
       "gRPC; checked and reserved, nothing listens there yet",
       parsed(
           parse_address, [](node_config & c) -> auto& { return c.grpc; })},
      {"peer", "ADDR:PORT", "127.0.0.1:7080", "other nodes; port 0 picks one",
       parsed(
           parse_address, [](node_config & c) -> auto& { return c.peer; })},
      {"advertise-host", "IP", "",
       "IP address under which clients and other nodes reach this one, if it is not the one in "
       "--http, --grpc and --peer",
       parsed(
           parse_host, [](node_config & c) -> auto& { return c.advertise_host; })},
  };
}

std::vector<node_option> log_options() {
  return {
      {"segment-bytes", "SIZE", "64MiB", "a segment takes records until this size",
       parsed(
           bytes(4 * k_kib_bytes, 4 * k_gib_bytes - 1),
           [](node_config & c) -> auto& { return c.log.segment_bytes; })},
      {"segment-ms", "TIME", "0", "... and for this long; 0 for ever",
       parsed(
           parse_milliseconds, [](node_config & c) -> auto& { return c.retention.segment_ms; })},
      {"prefill-bytes", "SIZE", "64MiB", "space is reserved ahead of the writes in steps of this",
       parsed(
           bytes(4 * k_kib_bytes, 4 * k_gib_bytes),
           [](node_config & c) -> auto& { return c.log.prefill_bytes; })},
      {"open-segments-max", "N", "64", "sealed segments that stay open for readers",
       parsed(
           number(1, 100'000), [](node_config & c) -> auto& { return c.log.open_segments_max; })},
      {"retention-bytes", "SIZE", "0", "the log is trimmed to this size; 0 keeps everything",
       parsed(
           bytes(0), [](node_config & c) -> auto& { return c.retention.bytes; })},
      {"retention-ms", "TIME", "0", "older segments are trimmed; 0 keeps everything",
       parsed(
           parse_milliseconds, [](node_config & c) -> auto& { return c.retention.ms; })},
      {"retention-check-ms", "TIME", "30s", "how often the two above are looked after",
       parsed(
           [](const std::string& text) -> result<std::uint64_t> {
             auto ms = parse_milliseconds(text);
             if (ms && *ms < 100) {
               return error{errc::invalid_argument, "it must be at least 100 ms"};
             }
             return ms;
           },
           [](node_config & c) -> auto& { return c.retention_check_ms; })},
      {"max-record-bytes", "SIZE", "1MiB", "larger records are refused",
       parsed(
           bytes(1, 16 * k_mib_bytes),
           [](node_config & c) -> auto& { return c.max_record_bytes; })},
  };
}

result<std::string> checked_log_levels(const std::string& text) {
  if (auto levels = parse_log_levels(text); !levels) return levels.error();
  return text;
}

std::vector<node_option> limit_options() {
  return {
      {"http-threads", "N", "2", "threads of the HTTP gateway",
       parsed(
           number(1, 64), [](node_config & c) -> auto& { return c.http_threads; })},
      {"max-connections", "N", "10000", "HTTP connections that are served at a time",
       parsed(
           number(1, 1'000'000),
           [](node_config & c) -> auto& { return c.http_limits.max_connections; })},
      {"readers", "N", "2", "threads for reads that wait for the disk",
       parsed(
           number(1, 64), [](node_config & c) -> auto& { return c.readers; })},
      {"queued-bytes-max", "SIZE", "64MiB",
       "appends that wait for the disk; beyond it 503 (a larger body goes alone)",
       parsed(
           bytes(k_mib_bytes), [](node_config & c) -> auto& { return c.limits.queued_bytes_max; })},
      {"queued-appends-max", "N", "32768", "the same, counted",
       parsed(
           number(1, k_most_32),
           [](node_config & c) -> auto& { return c.limits.queued_appends_max; })},
      {"waiting-readers-max", "N", "20000", "reads that wait for new records; beyond it 503",
       parsed(
           number(0, k_most_32),
           [](node_config & c) -> auto& { return c.limits.waiting_readers_max; })},
      {"cold-reads-max", "N", "256", "reads that wait for the disk; beyond it 503",
       parsed(
           number(1, k_most_32), [](node_config & c) -> auto& { return c.limits.cold_reads_max; })},
      {"recorder-bytes", "SIZE", "4MiB",
       "memory for the flight recorder: what this replica's consensus was told last, without "
       "records (cairn recorder save, cairn replay); 64KiB to 16MiB, 0 for none",
       [](node_config& config, const std::string& text) -> status {
         // A dump has to fit an envelope between nodes (peer_hub_limits::frame_bytes), and as many
         // as are asked for at once into memory.
         auto size = parse_bytes(text, 0, 16 * k_mib_bytes);
         if (!size) return size.error();
         if (*size != 0 && *size < 64 * k_kib_bytes) {
           return error{errc::invalid_argument, "'" + text + "' is neither 0 nor at least 64KiB"};
         }
         config.recorder_bytes = *size;
         return {};
       }},
      {"log-level", "LEVEL[,COMPONENT=LEVEL...]", "info",
       "trace, debug, info, warning, error, critical or off; for single components (" +
           component_names() + ") after it, as in info,raft=debug. See 'cairn log-level'",
       parsed(
           checked_log_levels, [](node_config & c) -> auto& { return c.log_level; })},
      {"log-format", "FORMAT", "text", "text or json, one line an event on standard error",
       parsed(
           one_of({"text", "json"}), [](node_config & c) -> auto& { return c.log_format; })},
  };
}

}  // namespace

std::string node_option::variable() const {
  return "CAIRN_" + changed(name, '-', '_', true);
}
std::string node_option::key() const {
  return changed(name, '-', '_', false);
}

const std::vector<node_option>& node_options() {
  static const std::vector<node_option> options = [] {
    std::vector<node_option> all;
    for (auto group : {identity_options(), cluster_options(), log_options(), limit_options()}) {
      all.insert(all.end(), group.begin(), group.end());
    }
    return all;
  }();
  return options;
}

}  // namespace cairn::apps
