#pragma once
// Messages as text, every field of them: two are the same if their texts are.

#include "actors/wire/append_codec.hpp"
#include "actors/wire/raft_codec.hpp"
#include "actors/wire/swim_codec.hpp"

#include <fmt/format.h>
#include <string>

namespace cairn::testing {

inline std::string shown(const raft::log_position& p) {
  return fmt::format("{}@{}", p.index.value(), p.term.value());
}

inline std::string shown(const raft::entry& e) {
  return fmt::format("[{} kind {} codec {} count {} base {} at {} '{}']", shown(e.position()),
                     static_cast<int>(e.kind), e.codec, e.record_count, e.base_offset.value(),
                     e.timestamp_ms, e.payload.text());
}

struct body_shown {
  std::string operator()(const raft::vote_request& b) const {
    return fmt::format("{} {} {}", shown(b.last), b.pre, b.transfer);
  }
  std::string operator()(const raft::vote_response& b) const {
    return fmt::format("{} {}", b.granted, b.pre);
  }
  std::string operator()(const raft::append_request& b) const {
    auto text = fmt::format("{} {}", shown(b.prev), b.commit.value());
    for (const auto& e : b.entries)
      text += shown(e);
    return text;
  }
  std::string operator()(const raft::append_response& b) const {
    return fmt::format("{} {} {}", b.accepted, b.index.value(), shown(b.hint));
  }
  std::string operator()(const raft::heartbeat_request& b) const {
    return fmt::format("{} {} {} {}", b.commit.value(), b.round, b.quiesce, shown(b.last));
  }
  std::string operator()(const raft::heartbeat_response& b) const {
    return fmt::format("{}", b.round);
  }
  std::string operator()(const raft::commit_notice& b) const {
    return fmt::format("{}", b.commit.value());
  }
  std::string operator()(const raft::snapshot_request& b) const {
    return fmt::format("{} {} '{}' '{}' {}", shown(b.content.last), b.content.next_offset.value(),
                       raft::encode(b.content.config).text(), b.content.state.text(),
                       b.content.last_timestamp_ms);
  }
  std::string operator()(const raft::timeout_now_request&) const { return {}; }
  std::string operator()(const raft::read_index_request& b) const {
    return fmt::format("{} {}", b.incarnation, b.id.value());
  }
  std::string operator()(const raft::read_index_response& b) const {
    return fmt::format("{} {} {} {}", b.incarnation, b.id.value(), b.ok, b.index.value());
  }
};

inline std::string shown(const raft::message& m) {
  return fmt::format("{} {} to {} in {}: {}", raft::name_of(m.body), m.from.value(), m.to.value(),
                     m.term.value(), std::visit(body_shown{}, m.body));
}

inline std::string shown(const wire::forwarded_appends& appends) {
  auto text = fmt::format("{} {}:", appends.incarnation, appends.batch);
  for (const auto& i : appends.items) {
    text += fmt::format(" [{} {} {} {} '{}']", i.record_count, i.conditional,
                        i.expected_offset.value(), i.remaining_ms, i.payload.text());
  }
  return text;
}

inline std::string shown(const actors::append_outcome& o) {
  return fmt::format("[{} {} '{}' {} {} {} {} {} {} {}]", o.id, to_string(o.code), o.detail,
                     o.offset.value(), o.count, o.timestamp_ms, o.term.value(), o.index.value(),
                     o.replayed, o.expected_seq);
}

inline std::string shown(const wire::forwarded_outcomes& all) {
  auto text =
      fmt::format("{} {} on {} of {} [{}, {}) leader {}:", all.incarnation, all.batch,
                  all.outcomes.durable_on, all.outcomes.replicas, all.outcomes.range.lowest.value(),
                  all.outcomes.range.next.value(), all.leader.value());
  for (const auto& item : all.outcomes.items)
    text += shown(item);
  return text;
}

struct swim_body_shown {
  std::string operator()(const swim::ping& b) const { return fmt::format("{}", b.sequence); }
  std::string operator()(const swim::ping_request& b) const {
    return fmt::format("{} {}", b.sequence, b.target);
  }
  std::string operator()(const swim::ack& b) const { return fmt::format("{}", b.sequence); }
  std::string operator()(const swim::nack& b) const { return fmt::format("{}", b.sequence); }
  std::string operator()(const swim::sync& b) const { return fmt::format("{}", b.want_answer); }
  std::string operator()(const swim::gossip&) const { return {}; }
};

inline std::string shown(const swim::message& m) {
  auto text = fmt::format("{} {}:", swim::name_of(m.body), std::visit(swim_body_shown{}, m.body));
  for (const auto& c : m.claims) {
    text += fmt::format(" [{} {} {} by '{}'", c.node, to_string(c.state), c.incarnation, c.by);
    if (c.info) {
      text += fmt::format(" {} {} {} {} {} {}", c.info->number, c.info->peer, c.info->http,
                          c.info->grpc, c.info->version, c.info->zone);
    }
    text += ']';
  }
  return text;
}

}  // namespace cairn::testing
