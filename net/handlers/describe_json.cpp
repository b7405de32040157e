#include "net/handlers/describe_json.hpp"

#include "net/handlers/json_members.hpp"

namespace cairn::net {

namespace {

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
  append_or_null(out, log.leader);
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

}  // namespace cairn::net
