#include "actors/wire/raft_codec.hpp"

#include "actors/raft/config.hpp"
#include "actors/wire/head.hpp"
#include "proto/cairn/v1/peer.pb.h"

#include <fmt/format.h>
#include <limits>
#include <string>

namespace cairn::wire {
namespace {

static_assert(raft::core_config{}.append_bytes_max / raft::k_entry_overhead_bytes < k_items_max);
static_assert(raft::core_config{}.entry_bytes_max <= k_body_bytes_max);

// ---- encoding

void put(v1::RaftPosition* to, const raft::log_position& position) {
  to->set_index(position.index.value());
  to->set_term(position.term.value());
}

void put(v1::RaftEntry* to, const raft::entry& e) {
  to->set_index(e.index.value());
  to->set_term(e.term.value());
  to->set_kind(static_cast<std::uint32_t>(e.kind));
  to->set_codec(e.codec);
  to->set_record_count(e.record_count);
  to->set_base_offset(e.base_offset.value());
  to->set_timestamp_ms(e.timestamp_ms);
  to->set_payload_bytes(e.payload.size());
}

// Writes one message's body into `to`, its payloads into `payloads`.
struct body_encoder {
  v1::RaftMessage& to;
  body_writer& payloads;

  void operator()(const raft::vote_request& body) const {
    auto* out = to.mutable_vote_request();
    put(out->mutable_last(), body.last);
    out->set_pre(body.pre);
    out->set_transfer(body.transfer);
  }
  void operator()(const raft::vote_response& body) const {
    auto* out = to.mutable_vote_response();
    out->set_granted(body.granted);
    out->set_pre(body.pre);
  }
  void operator()(const raft::append_request& body) const {
    auto* out = to.mutable_append_request();
    put(out->mutable_prev(), body.prev);
    out->set_commit(body.commit.value());
    out->mutable_entries()->Reserve(static_cast<int>(body.entries.size()));
    for (const auto& e : body.entries) {
      put(out->add_entries(), e);
      payloads.add(e.payload);
    }
  }
  void operator()(const raft::append_response& body) const {
    auto* out = to.mutable_append_response();
    out->set_accepted(body.accepted);
    out->set_index(body.index.value());
    put(out->mutable_hint(), body.hint);
  }
  void operator()(const raft::heartbeat_request& body) const {
    auto* out = to.mutable_heartbeat_request();
    out->set_commit(body.commit.value());
    out->set_round(body.round);
    out->set_quiesce(body.quiesce);
    put(out->mutable_last(), body.last);
  }
  void operator()(const raft::heartbeat_response& body) const {
    to.mutable_heartbeat_response()->set_round(body.round);
  }
  void operator()(const raft::commit_notice& body) const {
    to.mutable_commit_notice()->set_commit(body.commit.value());
  }
  void operator()(const raft::snapshot_request& body) const {
    auto* out = to.mutable_snapshot_request();
    put(out->mutable_last(), body.content.last);
    out->set_next_offset(body.content.next_offset.value());
    out->set_config(std::string(raft::encode(body.content.config).text()));
    out->set_state_bytes(body.content.state.size());
    out->set_last_timestamp_ms(body.content.last_timestamp_ms);
    payloads.add(body.content.state);
  }
  void operator()(const raft::timeout_now_request&) const { to.mutable_timeout_now_request(); }
  void operator()(const raft::read_index_request& body) const {
    auto* out = to.mutable_read_index_request();
    out->set_incarnation(body.incarnation);
    out->set_id(body.id.value());
  }
  void operator()(const raft::read_index_response& body) const {
    auto* out = to.mutable_read_index_response();
    out->set_incarnation(body.incarnation);
    out->set_id(body.id.value());
    out->set_ok(body.ok);
    out->set_index(body.index.value());
  }
};

// What a message takes of head, body and items at most.
struct message_cost {
  std::size_t head_bytes = 0;
  std::size_t body_bytes = 0;
  std::size_t items = 1;
};

message_cost cost_of(const raft::message& m) {
  // Every number of an entry at its longest, with tags; and of any message without entries.
  constexpr std::size_t k_entry_head_bytes = 72;
  constexpr std::size_t k_message_head_bytes = 96;
  message_cost cost{k_message_head_bytes, 0, 1};
  if (const auto* append = std::get_if<raft::append_request>(&m.body)) {
    cost.items += append->entries.size();
    cost.head_bytes += k_entry_head_bytes * append->entries.size();
    for (const auto& e : append->entries)
      cost.body_bytes += e.payload.size();
  } else if (const auto* install = std::get_if<raft::snapshot_request>(&m.body)) {
    cost.head_bytes += raft::k_config_context_bytes_max + 4 * 9 * raft::k_members_max;
    cost.body_bytes += install->content.state.size();
  }
  return cost;
}

// Collects the messages of one lane.
class lane_encoder {
public:
  lane_encoder(peer_lane lane, std::vector<envelope_parts>& out) : lane_(lane), out_(out) {}

  void add(const raft::message& m) {
    const auto cost = cost_of(m);
    if (head_.messages_size() > 0 && (head_bytes_ + cost.head_bytes > k_head_bytes_wanted ||
                                      body_.size_bytes() + cost.body_bytes > k_body_bytes_wanted ||
                                      items_ + cost.items > k_items_max)) {
      flush();
    }
    head_.set_from(m.from.value());
    head_.set_to(m.to.value());
    auto* to = head_.add_messages();
    to->set_term(m.term.value());
    to->set_body_bytes(cost.body_bytes);
    std::visit(body_encoder{*to, body_}, m.body);
    head_bytes_ += cost.head_bytes;
    items_ += cost.items;
  }

  void flush() {
    if (head_.messages_size() == 0) return;
    out_.push_back({peer_kind::raft, lane_, head_bytes(head_), body_.finish()});
    head_.Clear();
    head_bytes_ = 0;
    items_ = 0;
  }

private:
  peer_lane lane_;
  std::vector<envelope_parts>& out_;
  v1::RaftBatch head_;
  body_writer body_;
  std::size_t head_bytes_ = 0;
  std::size_t items_ = 0;
};

// ---- decoding

raft::log_position position(const v1::RaftPosition& from) {
  return {log_index(from.index()), term_id(from.term())};
}

result<raft::entry> decode_entry(const v1::RaftEntry& from, body_reader& body) {
  if (from.kind() < static_cast<std::uint32_t>(raft::entry_kind::data) ||
      from.kind() > static_cast<std::uint32_t>(raft::entry_kind::control)) {
    return refused("kind of an entry", from.kind());
  }
  if (from.codec() > std::numeric_limits<std::uint8_t>::max()) {
    return refused("codec of an entry", from.codec());
  }
  if (from.timestamp_ms() < 0) {
    return error{errc::invalid_argument,
                 fmt::format("timestamp_ms of an entry: {} is negative", from.timestamp_ms())};
  }
  auto payload = body.take(from.payload_bytes(), "payload of an entry");
  if (!payload) return payload.error();
  raft::entry e;
  e.index = log_index(from.index());
  e.term = term_id(from.term());
  e.kind = static_cast<raft::entry_kind>(from.kind());
  e.codec = static_cast<std::uint8_t>(from.codec());
  e.record_count = from.record_count();
  e.base_offset = record_offset(from.base_offset());
  e.timestamp_ms = from.timestamp_ms();
  e.payload = std::move(*payload);
  return e;
}

result<raft::message_body> decode_append(const v1::RaftAppendRequest& from, body_reader& body) {
  raft::append_request append;
  append.prev = position(from.prev());
  append.commit = log_index(from.commit());
  append.entries.reserve(static_cast<std::size_t>(from.entries_size()));
  for (const auto& one : from.entries()) {
    auto e = decode_entry(one, body);
    if (!e) return e.error();
    append.entries.push_back(std::move(*e));
  }
  return raft::message_body(std::move(append));
}

result<raft::message_body> decode_snapshot(const v1::RaftSnapshotRequest& from, body_reader& body) {
  auto config = raft::decode_configuration(shared_bytes::copy_of(as_byte_span(from.config())));
  if (!config) return config.error();
  auto state = body.take(from.state_bytes(), "state of a snapshot");
  if (!state) return state.error();
  return raft::message_body(
      raft::snapshot_request{{position(from.last()), record_offset(from.next_offset()),
                              std::move(*config), std::move(*state), from.last_timestamp_ms()}});
}

raft::message_body decode(const v1::RaftVoteRequest& from) {
  return raft::vote_request{position(from.last()), from.pre(), from.transfer()};
}
raft::message_body decode(const v1::RaftAppendResponse& from) {
  return raft::append_response{from.accepted(), log_index(from.index()), position(from.hint())};
}
raft::message_body decode(const v1::RaftHeartbeatRequest& from) {
  return raft::heartbeat_request{log_index(from.commit()), from.round(), from.quiesce(),
                                 position(from.last())};
}
raft::message_body decode(const v1::RaftReadIndexResponse& from) {
  return raft::read_index_response{from.incarnation(), raft::read_id(from.id()), from.ok(),
                                   log_index(from.index())};
}

// @pre the kind is known.
result<raft::message_body> decode_body(const v1::RaftMessage& from, body_reader& body) {
  switch (from.what_case()) {
    case v1::RaftMessage::kVoteRequest:
      return decode(from.vote_request());
    case v1::RaftMessage::kVoteResponse:
      return raft::message_body(
          raft::vote_response{from.vote_response().granted(), from.vote_response().pre()});
    case v1::RaftMessage::kAppendRequest:
      return decode_append(from.append_request(), body);
    case v1::RaftMessage::kAppendResponse:
      return decode(from.append_response());
    case v1::RaftMessage::kHeartbeatRequest:
      return decode(from.heartbeat_request());
    case v1::RaftMessage::kHeartbeatResponse:
      return raft::message_body(raft::heartbeat_response{from.heartbeat_response().round()});
    case v1::RaftMessage::kCommitNotice:
      return raft::message_body(raft::commit_notice{log_index(from.commit_notice().commit())});
    case v1::RaftMessage::kSnapshotRequest:
      return decode_snapshot(from.snapshot_request(), body);
    case v1::RaftMessage::kTimeoutNowRequest:
      return raft::message_body(raft::timeout_now_request{});
    case v1::RaftMessage::kReadIndexRequest:
      return raft::message_body(raft::read_index_request{
          from.read_index_request().incarnation(), raft::read_id(from.read_index_request().id())});
    case v1::RaftMessage::kReadIndexResponse:
      return decode(from.read_index_response());
    case v1::RaftMessage::WHAT_NOT_SET:
      break;
  }
  return error{errc::internal, "unknown kind of message"};
}

// One message, with the part of the body that is its own.
result<raft::message> decode_message(const v1::RaftMessage& from, const v1::RaftBatch& batch,
                                     body_reader body) {
  auto what = decode_body(from, body);
  if (!what) return what.error();
  if (auto end = body.at_end(); !end) return end.error();
  raft::message m{raft::node_id(batch.from()), raft::node_id(batch.to()), term_id(from.term()),
                  std::move(*what)};
  const auto reason = raft::malformed(m);
  if (!reason.empty()) {
    return error{errc::invalid_argument, fmt::format("{}: {}", raft::name_of(m.body), reason)};
  }
  return m;
}

std::size_t items_of(const v1::RaftBatch& head) {
  auto items = static_cast<std::size_t>(head.messages_size());
  for (const auto& m : head.messages()) {
    items += static_cast<std::size_t>(m.append_request().entries_size());
  }
  return items;
}

}  // namespace

peer_lane lane_of(const raft::message& m) {
  return std::holds_alternative<raft::append_request>(m.body) ||
                 std::holds_alternative<raft::snapshot_request>(m.body)
             ? peer_lane::bulk
             : peer_lane::control;
}

std::vector<envelope_parts> encode_raft(std::span<const raft::message> messages) {
  std::vector<envelope_parts> out;
  lane_encoder control(peer_lane::control, out);
  lane_encoder bulk(peer_lane::bulk, out);
  for (const auto& m : messages) {
    CAIRN_CHECK(m.to == messages.front().to && m.from == messages.front().from,
                "messages from {} to {} and from {} to {} in one batch",
                messages.front().from.value(), messages.front().to.value(), m.from.value(),
                m.to.value());
    if (lane_of(m) == peer_lane::control) control.add(m);
  }
  control.flush();
  for (const auto& m : messages) {
    if (lane_of(m) == peer_lane::bulk) bulk.add(m);
  }
  bulk.flush();
  return out;
}

result<raft_batch> decode_raft(const shared_bytes& head, const shared_bytes& body) {
  if (auto sizes = check_sizes(head, body); !sizes) return sizes.error();
  v1::RaftBatch from;
  if (!parse_head(head, from)) return error{errc::invalid_argument, "head is no RaftBatch"};
  if (items_of(from) > k_items_max)
    return refused("messages and entries of a batch", items_of(from));
  raft_batch batch{raft::node_id(from.from()), raft::node_id(from.to()), {}, 0};
  batch.messages.reserve(static_cast<std::size_t>(from.messages_size()));
  body_reader payloads(body);
  for (int i = 0; i < from.messages_size(); ++i) {
    const auto& one = from.messages(i);
    const auto named = [&](const error& e) {
      return error{e.code, fmt::format("message {} of {} from replica {}: {}", i + 1,
                                       from.messages_size(), from.from(), e.detail)};
    };
    auto own = payloads.part(one.body_bytes(), "body_bytes");
    if (!own) return named(own.error());
    if (one.what_case() == v1::RaftMessage::WHAT_NOT_SET) {
      ++batch.unknown;
      continue;
    }
    auto m = decode_message(one, from, std::move(*own));
    if (!m) return named(m.error());
    batch.messages.push_back(std::move(*m));
  }
  if (auto end = payloads.at_end(); !end) return end.error();
  return batch;
}

}  // namespace cairn::wire
