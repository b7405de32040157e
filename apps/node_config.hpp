#pragma once
// What a node can be told: by flag, by environment variable, by a TOML file, in this order of
// precedence. One table (node_options.cpp) makes all three.

#include "actors/log_gate.hpp"
#include "actors/log_store.hpp"
#include "net/limits.hpp"
#include "storage/base/result.hpp"
#include "storage/segmented_log.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace cairn::apps {

/// An IP address and a port; port 0 lets the system pick one.
struct listen_address {
  std::string host;
  std::uint16_t port = 0;

  bool operator==(const listen_address&) const = default;
};

/// `127.0.0.1:8080` or `[::1]:8080`.
[[nodiscard]] std::string to_text(const listen_address& address);

struct node_config {
  std::string node_id = "n1";
  std::string data_dir = "./data";
  listen_address http{"127.0.0.1", 8080};
  listen_address grpc{"127.0.0.1", 9080};
  listen_address peer{"127.0.0.1", 7080};
  std::string advertise_host;  ///< IP address; empty: each listener's own
  std::string zone;
  bool bootstrap = false;
  std::vector<listen_address> join;  ///< peer addresses of members; empty: do not join
  bool wait_to_be_added = false;     ///< --join none
  bool leave = false;                ///< leave the cluster when ended by a signal
  std::uint64_t heartbeat_ms = 100;
  std::uint64_t election_ms = 500;

  std::uint32_t http_threads = 2;
  net::gateway_limits http_limits;
  std::uint32_t readers = 2;
  storage::log_config log;
  actors::retention_config retention;
  std::uint64_t retention_check_ms = 30'000;
  std::uint64_t max_record_bytes = k_mib_bytes;
  actors::log_limits limits;
  std::uint64_t recorder_bytes = 4 * k_mib_bytes;  ///< 0: nothing is recorded

  std::string log_level = "info";   ///< as parse_log_levels() reads it
  std::string log_format = "text";  ///< text or json
};

/// What others are told of an address that this node listens on.
[[nodiscard]] std::string advertised(const node_config& config, listen_address address);

/// What the command line asks for: to run with `config`, or to print `text` and end well.
struct command_line {
  node_config config;
  std::optional<std::string> text;
};

/// Where settings come from, besides the arguments; tests put their own here.
struct config_sources {
  /// The value of an environment variable, if it is set.
  std::function<std::optional<std::string>(const std::string& name)> variable;
  /// The whole text of a file. Fails with what the system says.
  std::function<result<std::string>(const std::string& path)> file;

  /// Those of the process.
  [[nodiscard]] static config_sources of_process();
};

/// Reads the settings. invalid_argument names the flag, variable or key and says what is wrong with
/// its value. `arguments` are without the program's name.
[[nodiscard]] result<command_line> read_command_line(const std::vector<std::string>& arguments,
                                                     const config_sources& sources);

}  // namespace cairn::apps
