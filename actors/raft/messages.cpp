#include "actors/raft/messages.hpp"

#include <array>
#include <optional>

namespace cairn::raft {
namespace {

bool in_range(const log_position& position) {
  return position.index < k_index_limit && position.term < k_term_limit &&
         (position.index.value() == 0) == (position.term.value() == 0);
}

std::string_view malformed_entries(const message& m, const append_request& body) {
  log_position before = body.prev;
  std::optional<record_offset> offset;  // where the next entry must begin
  for (const entry& e : body.entries) {
    if (e.index != before.index.next()) return "entries are not contiguous";
    if (e.term < before.term || e.term > m.term || e.term.value() == 0) {
      return "an entry's term is out of order";
    }
    if (e.kind < entry_kind::data || e.kind > entry_kind::control) return "unknown entry kind";
    if (e.kind == entry_kind::config && !decode_configuration(e.payload)) {
      return "a configuration does not decode";
    }
    if (e.kind != entry_kind::data && e.record_count != 0) return "records in an internal entry";
    if (e.base_offset >= k_offset_limit) return "offset out of range";
    if (offset && e.base_offset != *offset) return "offsets are not contiguous";
    offset = e.next_offset();
    before = e.position();
  }
  return {};
}

struct body_check {
  const message& m;

  std::string_view operator()(const vote_request& body) const {
    return in_range(body.last) && body.last.term <= m.term ? "" : "last entry out of range";
  }
  std::string_view operator()(const append_request& body) const {
    if (!in_range(body.prev) || body.prev.term > m.term) return "prev out of range";
    if (body.commit >= k_index_limit) return "commit out of range";
    return malformed_entries(m, body);
  }
  std::string_view operator()(const append_response& body) const {
    return body.index < k_index_limit && in_range(body.hint) ? "" : "index out of range";
  }
  std::string_view operator()(const heartbeat_request& body) const {
    return body.commit < k_index_limit && in_range(body.last) ? "" : "commit out of range";
  }
  std::string_view operator()(const commit_notice& body) const {
    return body.commit < k_index_limit ? "" : "commit out of range";
  }
  std::string_view operator()(const snapshot_request& body) const {
    if (!in_range(body.content.last) || body.content.last.index.value() == 0) {
      return "snapshot position out of range";
    }
    if (body.content.next_offset >= k_offset_limit) return "offset out of range";
    if (body.content.last.term > m.term) return "snapshot is of a later term";
    return validate(body.content.config).ok() ? "" : "snapshot configuration is not valid";
  }
  std::string_view operator()(const read_index_response& body) const {
    return body.index < k_index_limit ? "" : "read index out of range";
  }
  std::string_view operator()(const vote_response&) const { return {}; }
  std::string_view operator()(const heartbeat_response&) const { return {}; }
  std::string_view operator()(const timeout_now_request&) const { return {}; }
  std::string_view operator()(const read_index_request&) const { return {}; }
};

}  // namespace

std::string_view name_of(const message_body& body) {
  constexpr std::array<std::string_view, std::variant_size_v<message_body>> names = {
      "vote-request",      "vote-response",      "append-request",     "append-response",
      "heartbeat-request", "heartbeat-response", "commit-notice",      "snapshot-request",
      "timeout-now",       "read-index-request", "read-index-response"};
  return names[body.index()];
}

std::string_view malformed(const message& m) {
  if (m.from == k_nobody || m.from == m.to) return "sender is nobody or the receiver";
  if (m.term >= k_term_limit || m.term.value() == 0) return "term out of range";
  return std::visit(body_check{m}, m.body);
}

}  // namespace cairn::raft
