#include "apps/data_directory.hpp"

#include "storage/base/units.hpp"
#include "storage/whole_file.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

namespace cairn::apps {

namespace {

constexpr const char* k_meta_name = "/meta.toml";
constexpr const char* k_ports_name = "/ports.json";
constexpr const char* k_ports_room_name = "/ports.json.next";
constexpr std::uint64_t k_ports_bytes_max = 1024;
constexpr std::uint64_t k_meta_bytes_max = 64 * k_kib_bytes;
constexpr std::int64_t k_meta_format = 2;
/// Before there were clusters: without data id and number.
constexpr std::int64_t k_meta_format_single = 1;

result<std::unique_ptr<storage::file>> open_or_create(storage::env& env, const std::string& path) {
  auto file = env.open(path, storage::open_mode::read_write);
  return file.code() == errc::not_found ? env.open(path, storage::open_mode::create)
                                        : std::move(file);
}

/// So that a node which starts on a full disk can say where it listens.
void keep_room_for_ports(storage::env& env, const std::string& directory) {
  const auto file = open_or_create(env, directory + k_ports_room_name);
  if (!file) return;
  const auto size = (*file)->size_bytes();
  // Without it write_ports() finds its room, or none.
  if (size && *size < k_ports_bytes_max) (void)(*file)->allocate(0, k_ports_bytes_max);
}

result<node_identity> parse_meta(const std::string& path, std::string_view text) {
  const auto damaged = [&](std::string_view what) {
    return error{errc::corruption, fmt::format("{}: {}", path, what)};
  };
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& e) {
    return damaged(e.description());
  }
  const auto format = table["format"].value<std::int64_t>();
  if (format != k_meta_format && format != k_meta_format_single) {
    return damaged(fmt::format("format is not {}: written by a newer version?", k_meta_format));
  }
  const auto text_at = [&](std::string_view key) {
    return table[key].value<std::string>().value_or(std::string());
  };
  node_identity identity{.node_id = text_at("node_id"),
                         .data_id = text_at("data_id"),
                         .cluster_id = text_at("cluster_id"),
                         .number = 0,
                         .fresh = true};
  const auto number = table["number"].value<std::int64_t>().value_or(0);
  if (identity.node_id.empty()) return damaged("node_id is missing");
  if (format == k_meta_format_single) {
    if (identity.cluster_id.empty()) return damaged("cluster_id is missing");
    identity.number = 1;
    return identity;
  }
  if (identity.data_id.empty()) return damaged("data_id is missing");
  if (number < 0 || (number > 0) == identity.cluster_id.empty()) {
    return damaged("number and cluster_id do not go together");
  }
  identity.number = static_cast<std::uint64_t>(number);
  identity.fresh = table["fresh"].value<bool>().value_or(false);
  return identity;
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

std::string random_id(storage::env& env) {
  return fmt::format("{:016x}{:016x}", env.random_u64(), env.random_u64());
}

status write_meta(storage::env& env, const std::string& path, const node_identity& identity) {
  auto text = fmt::format(
      "# Which node and cluster this directory belongs to. Written by the node; do not edit.\n"
      "format = {}\nnode_id = \"{}\"\ndata_id = \"{}\"\n",
      k_meta_format, identity.node_id, identity.data_id);
  if (identity.fresh) text += "fresh = true\n";
  if (identity.is_member()) {
    text += fmt::format("cluster_id = \"{}\"\nnumber = {}\n", identity.cluster_id, identity.number);
  }
  return storage::replace_whole_file(env, path + k_meta_name, as_byte_span(text));
}

result<node_identity> new_identity(storage::env& env, const std::string& path,
                                   const std::string& node_id) {
  const auto logs = has_logs(env, path);
  if (!logs) return logs.error();
  if (*logs) {
    return error{errc::corruption,
                 fmt::format("{}{} is missing although {}/logs holds logs: nobody can say to which "
                             "node and cluster they belong",
                             path, k_meta_name, path)};
  }
  return node_identity{
      .node_id = node_id, .data_id = random_id(env), .cluster_id = {}, .number = 0, .fresh = true};
}

struct found_identity {
  node_identity identity;
  bool on_disk = false;  // exactly so
};

result<found_identity> find_identity(storage::env& env, const std::string& path,
                                     const std::string& node_id) {
  const auto meta = path + k_meta_name;
  const auto text = storage::read_whole_file(env, meta, k_meta_bytes_max);
  if (!text && text.code() != errc::not_found) return text.error();
  auto identity = text ? parse_meta(meta, text->text()) : new_identity(env, path, node_id);
  if (!identity) return identity.error();
  found_identity found{.identity = *std::move(identity), .on_disk = text.ok()};
  if (found.identity.data_id.empty()) {
    found.identity.data_id = random_id(env);
    found.on_disk = false;
  }
  return found;
}

}  // namespace

result<data_directory> data_directory::open(storage::env& env, const std::string& path,
                                            const std::string& node_id, first_start how) {
  if (auto made = env.make_directories(path); !made) return made.error();
  auto lock = env.lock_directory(path);
  if (!lock) return lock.error();
  auto found = find_identity(env, path, node_id);
  if (!found) return found.error();
  auto& identity = found->identity;
  if (identity.node_id != node_id) {
    return error{errc::invalid_argument,
                 fmt::format("--node-id {}: the data in {} belongs to node {}", node_id, path,
                             identity.node_id)};
  }
  const bool alone = how == first_start::alone && !found->on_disk;
  if (!identity.is_member() && (how == first_start::bootstrap || alone)) {
    identity.cluster_id = random_id(env);
    identity.number = 1;
    found->on_disk = false;
  }
  if (!found->on_disk) {
    if (auto written = write_meta(env, path, identity); !written) return written.error();
  }
  keep_room_for_ports(env, path);
  return data_directory(env, path, std::move(*lock), std::move(identity));
}

status data_directory::bind(const std::string& cluster_id, std::uint64_t number) {
  CAIRN_CHECK(!identity_.is_member(), "the directory belongs to cluster {} already",
              identity_.cluster_id);
  CAIRN_CHECK(number != 0 && !cluster_id.empty(), "bound to nothing");
  auto bound = identity_;
  bound.cluster_id = cluster_id;
  bound.number = number;
  if (auto written = write_meta(*env_, path_, bound); !written) return written;
  identity_ = std::move(bound);
  return {};
}

data_directory::data_directory(storage::env& env, std::string path,
                               std::unique_ptr<storage::directory_lock> lock,
                               node_identity identity)
    : env_(&env), path_(std::move(path)), lock_(std::move(lock)), identity_(std::move(identity)) {}

status data_directory::log_begun() {
  if (!identity_.fresh) return {};
  auto begun = identity_;
  begun.fresh = false;
  if (auto written = write_meta(*env_, path_, begun); !written) return written;
  identity_ = std::move(begun);
  return {};
}

status data_directory::write_ports(const listening_ports& ports) const {
  // Addresses are digits, dots, colons and brackets: nothing that JSON would want escaped.
  const auto field = [](const std::string& address) {
    return address.empty() ? std::string("null") : "\"" + address + "\"";
  };
  const auto text =
      fmt::format("{{\"http\":{},\"grpc\":{},\"peer\":{},\"pid\":{}}}\n", field(ports.http),
                  field(ports.grpc), field(ports.peer), ports.process_id);
  CAIRN_CHECK(text.size() <= k_ports_bytes_max, "{} bytes of addresses", text.size());
  const auto room = path_ + k_ports_room_name;
  auto file = open_or_create(*env_, room);
  if (!file) return file.error();
  const byte_span bytes = as_byte_span(text);
  if (auto written = (*file)->pwrite({&bytes, 1}, 0); !written) return written;
  if (auto cut = (*file)->truncate(bytes.size()); !cut) return cut;
  if (auto renamed = env_->rename(room, path_ + k_ports_name); !renamed) return renamed;
  keep_room_for_ports(*env_, path_);  // whoever waits for a new one may remove this one
  return {};
}

void data_directory::remove_ports() const {
  const auto told = path_ + k_ports_name;
  if (!env_->rename(told, path_ + k_ports_room_name)) (void)env_->remove(told);
}

}  // namespace cairn::apps
