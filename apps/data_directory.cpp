#include "apps/data_directory.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

namespace cairn::apps {

namespace {

constexpr const char* k_meta_name = "/meta.toml";
constexpr std::int64_t k_meta_format = 1;

status write_whole(storage::env& env, const std::string& directory, const std::string& path,
                   const std::string& text, bool durable) {
  const auto temporary = path + ".tmp";
  auto file = env.open(temporary, storage::open_mode::create);
  if (!file) return file.error();
  const byte_span bytes = as_byte_span(text);
  if (auto written = (*file)->pwrite({&bytes, 1}, 0); !written) return written;
  if (durable) {
    if (auto synced = (*file)->sync_data(); !synced) return synced;
  }
  if (auto renamed = env.rename(temporary, path); !renamed) return renamed;
  return durable ? env.sync_directory(directory) : status{};
}

result<std::string> read_whole(storage::env& env, const std::string& path) {
  auto file = env.open(path, storage::open_mode::read);
  if (!file) return file.error();
  const auto size = (*file)->size_bytes();
  if (!size) return size.error();
  constexpr std::uint64_t k_largest = 64 * 1024;
  if (*size > k_largest) return error{errc::corruption, path + ": it is far too large"};
  std::string text(*size, '\0');
  const auto read = (*file)->pread(std::as_writable_bytes(std::span(text)), 0);
  if (!read) return read.error();
  text.resize(*read);
  return text;
}

result<node_identity> parse_meta(const std::string& path, const std::string& text) {
  const auto damaged = [&](std::string_view what) {
    return error{errc::corruption, fmt::format("{}: {}", path, what)};
  };
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& e) {
    return damaged(e.description());
  }
  if (table["format"].value<std::int64_t>() != k_meta_format) {
    return damaged(fmt::format("format is not {}: written by a newer version?", k_meta_format));
  }
  auto node_id = table["node_id"].value<std::string>();
  auto cluster_id = table["cluster_id"].value<std::string>();
  if (!node_id || !cluster_id || node_id->empty() || cluster_id->empty()) {
    return damaged("node_id or cluster_id is missing");
  }
  return node_identity{.node_id = std::move(*node_id), .cluster_id = std::move(*cluster_id)};
}

/// A directory that holds a log but has lost its identity must not get a new one.
result<bool> has_logs(storage::env& env, const std::string& path) {
  auto entries = env.list(path + "/logs");
  if (!entries) {
    if (entries.code() == errc::not_found) return false;
    return entries.error();
  }
  return !entries->empty();
}

result<node_identity> first_start(storage::env& env, const std::string& path,
                                  const std::string& node_id) {
  const auto logs = has_logs(env, path);
  if (!logs) return logs.error();
  const auto meta = path + k_meta_name;
  if (*logs) {
    return error{errc::corruption,
                 fmt::format("{} is missing although {}/logs holds logs: nobody can say to which "
                             "node and cluster they belong",
                             meta, path)};
  }
  node_identity identity{
      .node_id = node_id,
      .cluster_id = fmt::format("{:016x}{:016x}", env.random_u64(), env.random_u64())};
  const auto text = fmt::format(
      "# Which node and cluster this directory belongs to. Written once; do not edit.\n"
      "format = {}\nnode_id = \"{}\"\ncluster_id = \"{}\"\n",
      k_meta_format, identity.node_id, identity.cluster_id);
  auto written = write_whole(env, path, meta, text, true);
  if (!written) return written.error();
  return identity;
}

}  // namespace

result<data_directory> data_directory::open(storage::env& env, const std::string& path,
                                            const std::string& node_id) {
  if (auto made = env.make_directories(path); !made) return made.error();
  auto lock = env.lock_directory(path);
  if (!lock) return lock.error();
  const auto meta = path + k_meta_name;
  const auto text = read_whole(env, meta);
  result<node_identity> identity = error{};
  if (text) {
    identity = parse_meta(meta, *text);
  } else if (text.code() == errc::not_found) {
    identity = first_start(env, path, node_id);
  } else {
    return text.error();
  }
  if (!identity) return identity.error();
  if (identity->node_id != node_id) {
    return error{errc::invalid_argument,
                 fmt::format("--node-id {}: the data in {} belongs to node {}", node_id, path,
                             identity->node_id)};
  }
  return data_directory(env, path, std::move(*lock), std::move(*identity));
}

data_directory::data_directory(storage::env& env, std::string path,
                               std::unique_ptr<storage::directory_lock> lock,
                               node_identity identity)
    : env_(&env), path_(std::move(path)), lock_(std::move(lock)), identity_(std::move(identity)) {}

status data_directory::write_ports(const listening_ports& ports) const {
  // Addresses are digits, dots, colons and brackets: nothing that JSON would want escaped.
  const auto field = [](const std::string& address) {
    return address.empty() ? std::string("null") : "\"" + address + "\"";
  };
  const auto text =
      fmt::format("{{\"http\":{},\"grpc\":{},\"peer\":{},\"pid\":{}}}\n", field(ports.http),
                  field(ports.grpc), field(ports.peer), ports.process_id);
  return write_whole(*env_, path_, path_ + "/ports.json", text, false);
}

void data_directory::remove_ports() const {
  (void)env_->remove(path_ + "/ports.json");
}

}  // namespace cairn::apps
