#pragma once
// A node's data directory: who owns it, and which node and cluster it belongs to.
//
//   DIR/lock             held while a node runs
//   DIR/meta.toml        node id, data id; cluster id and number once the node is a member
//   DIR/ports.json       where the running node listens; ports.json.next is room for the next one
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
  std::string data_id;       ///< of this directory: 32 hexadecimal digits, random
  std::string cluster_id;    ///< likewise; empty until the node is a member
  std::uint64_t number = 0;  ///< Raft's name of the node; 0 until it is a member
  /// Its log may still be empty. Later an empty one means that the disk has lost it, and a node
  /// that has lost what it acknowledged must not go on under its number.
  bool fresh = true;

  [[nodiscard]] bool is_member() const { return number != 0; }
  bool operator==(const node_identity&) const = default;
};

/// What a node does when its directory belongs to no cluster yet.
enum class first_start : std::uint8_t {
  alone,      ///< empty: a new cluster of one; else wait on for the cluster it was to join
  bootstrap,  ///< a new cluster of one, with a random id
  join,       ///< belongs to nobody until bind()
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
  /// identity; what is there wins over `how`. A directory of the time before there were clusters
  /// becomes that of number 1. locked: another process has it (the detail names the directory);
  /// invalid_argument: it belongs to another node (the detail names both); corruption: meta.toml is
  /// not what we write; io_error, disk_full.
  [[nodiscard]] static result<data_directory> open(storage::env& env, const std::string& path,
                                                   const std::string& node_id, first_start how);

  /// The node has become member `number` of a cluster. Durable on return.
  /// @pre identity() is not a member's. io_error, disk_full.
  [[nodiscard]] status bind(const std::string& cluster_id, std::uint64_t number);

  /// The log holds something from now on. Durable on return; later calls do nothing. io_error,
  /// disk_full.
  [[nodiscard]] status log_begun();

  [[nodiscard]] const node_identity& identity() const { return identity_; }
  [[nodiscard]] std::string log_path(const std::string& log) const {
    return path_ + "/logs/" + log;
  }
  [[nodiscard]] const std::string& path() const { return path_; }

  /// Replaces ports.json, also on a full disk: DIR/ports.json.next is kept ahead for it. Not
  /// synced: it means nothing after a crash. disk_full only if there never was room; io_error.
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
