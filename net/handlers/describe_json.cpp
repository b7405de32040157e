#include "net/handlers/describe_json.hpp"

#include "net/http/json_out.hpp"

#include <type_traits>

namespace cairn::net {

namespace {

void member(std::string& out, std::string_view name, std::string_view value) {
  append_json_key(out, name);
  append_json_lossy(out, value);
}

template <class T>
requires std::is_integral_v<T>
void member(std::string& out, std::string_view name, T value) {
  append_json_key(out, name);
  if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
  } else {
    append_number(out, value);
  }
}

void append_or_null(std::string& out, std::optional<std::uint64_t> value) {
  if (value) {
    append_number(out, *value);
  } else {
    out += "null";
  }
}

/// `"name":[` each, separated by commas `]`.
template <class Range, class Append>
void list_member(std::string& out, std::string_view name, const Range& range, Append append) {
  append_json_key(out, name);
  out += '[';
  bool first = true;
  for (const auto& element : range) {
    if (!std::exchange(first, false)) out += ',';
    append(element);
  }
  out += ']';
}

void append_settings(std::string& out, const log_settings& settings) {
  append_json_key(out, "settings");
  out += '{';
  member(out, "replication_factor", settings.replication_factor);
  member(out, "segment_bytes", settings.segment_bytes);
  member(out, "segment_ms", settings.segment_ms);
  member(out, "retention_bytes", settings.retention_bytes);
  member(out, "retention_ms", settings.retention_ms);
  member(out, "max_record_bytes", settings.max_record_bytes);
  member(out, "compression", settings.compression);
  out += '}';
}

}  // namespace

void append_json(std::string& out, const log_description& log) {
  out += '{';
  member(out, "log", log.log);
  append_settings(out, log.settings);
  member(out, "lowest_offset", log.bounds.lowest.value());
  member(out, "next_offset", log.bounds.next.value());
  member(out, "bytes", log.size_bytes);
  member(out, "term", log.term.value());
  append_json_key(out, "leader");
  if (log.leader.empty()) {
    out += "null";
  } else {
    append_json_lossy(out, log.leader);
  }
  list_member(out, "segments", log.segments, [&](const segment_info& segment) {
    out += '{';
    member(out, "base_offset", segment.base_offset.value());
    member(out, "next_offset", segment.next_offset.value());
    member(out, "bytes", segment.size_bytes);
    member(out, "sealed", segment.sealed);
    out += '}';
  });
  list_member(out, "replicas", log.replicas, [&](const replica_info& replica) {
    out += '{';
    member(out, "node", replica.node);
    member(out, "role", replica.role);
    member(out, "state", replica.state);
    append_json_key(out, "match_offset");
    append_or_null(
        out, replica.match_offset ? std::optional(replica.match_offset->value()) : std::nullopt);
    append_json_key(out, "lag");
    append_or_null(out, replica.lag);
    member(out, "healthy", replica.healthy);
    out += '}';
  });
  out += '}';
}

void append_json(std::string& out, const cluster_description& cluster) {
  out += '{';
  member(out, "cluster_id", cluster.cluster_id);
  member(out, "node", cluster.node);
  list_member(out, "members", cluster.members, [&](const member_info& one) {
    out += '{';
    member(out, "id", one.id);
    member(out, "state", one.state);
    member(out, "http", one.http);
    member(out, "grpc", one.grpc);
    member(out, "peer", one.peer);
    member(out, "version", one.version);
    member(out, "incarnation", one.incarnation);
    member(out, "zone", one.zone);
    out += '}';
  });
  out += '}';
}

void append_json(std::string& out, const actor_description& actor, bool events) {
  out += '{';
  member(out, "id", actor.id);
  member(out, "kind", actor.kind);
  member(out, "name", actor.name);
  append_json_key(out, "parent");
  if (actor.parent == 0) {
    out += "null";
  } else {
    append_number(out, actor.parent);
  }
  member(out, "state", actor.state);
  member(out, "mailbox", actor.mailbox);
  member(out, "processed", actor.processed);
  member(out, "restarts", actor.restarts);
  if (events) {
    list_member(out, "events", actor.events,
                [&](const std::string& event) { append_json_lossy(out, event); });
  }
  out += '}';
}

}  // namespace cairn::net
