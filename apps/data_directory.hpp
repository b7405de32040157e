#pragma once
// A node's data directory: who owns it, and which node and cluster it belongs to.
//
//   DIR/lock             held while a node runs
//   DIR/meta.toml        node id and cluster id, written once
//   DIR/ports.json       where the running node listens
//   DIR/logs/default/    the log (storage)

#include "storage/base/result.hpp"
#include "storage/env.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace cairn::apps {

/// What a data directory is bound to for ever.
struct node_identity {
  std::string node_id;
  std::string cluster_id;  ///< 32 hexadecimal digits, random

  bool operator==(const node_identity&) const = default;
};

/// Where the node listens. 0: nowhere.
struct listening_ports {
  std::string http;
  std::string grpc;
  std::string peer;
  std::uint64_t process_id = 0;
};

class data_directory {
public:
  /// Makes the directory when missing, locks it and reads or, the first time, durably writes its
  /// identity. locked: another process has it (the detail names the directory);
  /// invalid_argument: it belongs to another node (the detail names both); corruption: meta.toml is
  /// not what we write; io_error, disk_full.
  [[nodiscard]] static result<data_directory> open(storage::env& env, const std::string& path,
                                                   const std::string& node_id);

  [[nodiscard]] const node_identity& identity() const { return identity_; }
  [[nodiscard]] std::string log_path(const std::string& log) const {
    return path_ + "/logs/" + log;
  }
  [[nodiscard]] const std::string& path() const { return path_; }

  /// Replaces ports.json. Not synced: it means nothing after a crash.
  [[nodiscard]] status write_ports(const listening_ports& ports) const;
  /// The node does not listen any more.
  void remove_ports() const;

private:
  data_directory(storage::env& env, std::string path, std::unique_ptr<storage::directory_lock> lock,
                 node_identity identity);

  storage::env* env_;
  std::string path_;
  std::unique_ptr<storage::directory_lock> lock_;
  node_identity identity_;
};

}  // namespace cairn::apps
