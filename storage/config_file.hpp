#pragma once
// The file "log.configs": the configurations of a log's Raft group, and what a driver keeps with
// the start of the log. docs/formats/log_configs.md.
//
// A configuration is written here, durably, before its entry goes into the log. So the file lists
// at least the configuration entries of the log, and whoever opens the log looks up those few
// instead of reading every frame. What is listed and not in the log (a crash between the two, a
// truncation) is dropped then.

#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/result.hpp"
#include "storage/env.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace cairn::storage {

/// A config entry, or what an install brought with it. Storage looks into none of the bytes.
struct stored_config {
  log_index index;
  term_id term;
  shared_bytes payload;
  shared_bytes state;  ///< of an install only: the driver's
};

inline constexpr std::uint64_t k_config_bytes_max = 256 * 1024;
inline constexpr std::uint64_t k_start_state_bytes_max = 8 * 1024 * 1024;
/// Older ones are forgotten.
inline constexpr std::size_t k_configs_max = 1024;

/// @pre `configs` ascend in index, then in term, and keep the limits above.
[[nodiscard]] std::vector<std::byte> encode_configs(const std::vector<stored_config>& configs);
/// corruption: not what encode_configs() makes; `path` is for the message.
[[nodiscard]] result<std::vector<stored_config>> decode_configs(const shared_bytes& bytes,
                                                                const std::string& path);

/// Reads the file. not_found, corruption, io_error.
[[nodiscard]] result<std::vector<stored_config>> read_config_file(env& env,
                                                                  const std::string& path);

/// Replaces the file, atomically; durable on return. disk_full: the old one stands. io_error: the
/// old or the new one does.
[[nodiscard]] status write_config_file(env& env, const std::string& path,
                                       const std::vector<stored_config>& configs);

}  // namespace cairn::storage
