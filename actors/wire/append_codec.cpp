#include "actors/wire/append_codec.hpp"

#include "actors/wire/head.hpp"
#include "proto/append_stamp.hpp"
#include "proto/cairn/v1/peer.pb.h"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::wire {
namespace {

error in_item(int item, const error& e) {
  return {e.code, fmt::format("append {}: {}", item, e.detail)};
}

result<forwarded_append> decode_append(const v1::ForwardedAppend& from, body_reader& body) {
  if (from.record_count() == 0) return refused("record_count", 0);
  if (from.payload_bytes() == 0) return refused("payload_bytes", 0);
  if (record_offset(from.expected_offset()) >= raft::k_offset_limit) {
    return refused("expected_offset", from.expected_offset());
  }
  if (from.remaining_ms() > k_remaining_ms_max) {
    return refused("remaining_ms", from.remaining_ms());
  }
  auto payload = body.take(from.payload_bytes(), "payload");
  if (!payload) return payload.error();
  return forwarded_append{std::move(*payload), from.record_count(), from.has_expected_offset(),
                          record_offset(from.expected_offset()), from.remaining_ms()};
}

void put(v1::ForwardedOutcome* to, const actors::append_outcome& outcome) {
  to->set_position(static_cast<std::uint32_t>(outcome.id));
  to->set_code(static_cast<std::uint32_t>(outcome.code));
  to->set_detail(clean_text(outcome.detail));
  to->set_offset(outcome.offset.value());
  to->set_count(outcome.count);
  to->set_timestamp_ms(outcome.timestamp_ms);
  to->set_term(outcome.term.value());
  to->set_index(outcome.index.value());
  to->set_replayed(outcome.replayed);
  to->set_expected_seq(outcome.expected_seq);
}

// A number that we do not know must not be taken for "nothing was stored".
errc code_of(std::uint32_t number) {
  const auto code = static_cast<errc>(std::min<std::uint32_t>(number, 255));
  switch (code) {
    case errc::none:
    case errc::invalid_argument:
    case errc::too_large:
    case errc::not_found:
    case errc::already_exists:
    case errc::offset_not_written:
    case errc::offset_trimmed:
    case errc::expected_offset_missed:
    case errc::unsupported:
    case errc::overloaded:
    case errc::unavailable:
    case errc::disk_full:
    case errc::would_block:
    case errc::locked:
    case errc::outcome_unknown:
    case errc::key_reused:
    case errc::sequence_gap:
    case errc::producer_fenced:
    case errc::sequence_too_old:
    case errc::corruption:
    case errc::io_error:
    case errc::internal:
      return code;
  }
  return errc::outcome_unknown;
}

result<actors::append_outcome> decode_outcome(const v1::ForwardedOutcome& from) {
  if (from.position() >= k_items_max) return refused("position of an outcome", from.position());
  if (record_offset(from.offset()) >= raft::k_offset_limit) {
    return refused("offset of an outcome", from.offset());
  }
  if (term_id(from.term()) >= raft::k_term_limit) return refused("term of an outcome", from.term());
  if (log_index(from.index()) >= raft::k_index_limit) {
    return refused("index of an outcome", from.index());
  }
  if (from.timestamp_ms() < 0) {
    return error{errc::invalid_argument, "timestamp_ms of an outcome is negative"};
  }
  // One behind the highest number there is.
  if (from.expected_seq() > proto::k_sequence_limit) {
    return refused("expected_seq of an outcome", from.expected_seq());
  }
  actors::append_outcome outcome;
  outcome.id = from.position();
  outcome.code = code_of(from.code());
  outcome.detail = clean_text(from.detail());
  outcome.offset = record_offset(from.offset());
  outcome.count = from.count();
  outcome.timestamp_ms = from.timestamp_ms();
  outcome.term = term_id(from.term());
  outcome.index = log_index(from.index());
  outcome.replayed = from.replayed();
  outcome.expected_seq = from.expected_seq();
  return outcome;
}

status check_range(const v1::ForwardedOutcomes& from) {
  if (record_offset(from.next_offset()) >= raft::k_offset_limit) {
    return refused("next_offset", from.next_offset());
  }
  if (from.lowest_offset() > from.next_offset()) {
    return refused("lowest_offset", from.lowest_offset());
  }
  if (from.durable_on() > from.replicas()) return refused("durable_on", from.durable_on());
  return {};
}

}  // namespace

envelope_parts encode_appends(const forwarded_appends& appends) {
  CAIRN_CHECK(appends.items.size() <= k_items_max, "{} appends in a batch", appends.items.size());
  v1::ForwardedAppends head;
  body_writer body;
  head.set_incarnation(appends.incarnation);
  head.set_batch(appends.batch);
  head.mutable_items()->Reserve(static_cast<int>(appends.items.size()));
  for (const auto& item : appends.items) {
    auto* to = head.add_items();
    to->set_payload_bytes(item.payload.size());
    to->set_record_count(item.record_count);
    if (item.conditional) to->set_expected_offset(item.expected_offset.value());
    to->set_remaining_ms(std::min(item.remaining_ms, k_remaining_ms_max));
    body.add(item.payload);
  }
  CAIRN_CHECK(body.size_bytes() <= k_body_bytes_max, "{} bytes in a batch", body.size_bytes());
  return {peer_kind::append, peer_lane::bulk, head_bytes(head), body.finish()};
}

result<forwarded_appends> decode_appends(const shared_bytes& head, const shared_bytes& body) {
  if (auto sizes = check_sizes(head, body); !sizes) return sizes.error();
  v1::ForwardedAppends from;
  if (!parse_head(head, from)) return error{errc::invalid_argument, "head is no ForwardedAppends"};
  const auto count = static_cast<std::size_t>(from.items_size());
  if (count > k_items_max) return refused("appends of a batch", count);
  forwarded_appends appends{from.incarnation(), from.batch(), {}};
  appends.items.reserve(count);
  body_reader payloads(body);
  for (int i = 0; i < from.items_size(); ++i) {
    auto item = decode_append(from.items(i), payloads);
    if (!item) return in_item(i, item.error());
    appends.items.push_back(std::move(*item));
  }
  if (auto end = payloads.at_end(); !end) return end.error();
  return appends;
}

std::vector<envelope_parts> encode_outcomes(const forwarded_outcomes& outcomes) {
  constexpr std::size_t k_outcome_head_bytes = 80;  // its numbers at their longest
  v1::ForwardedOutcomes head;
  head.set_incarnation(outcomes.incarnation);
  head.set_batch(outcomes.batch);
  head.set_durable_on(outcomes.outcomes.durable_on);
  head.set_replicas(outcomes.outcomes.replicas);
  head.set_lowest_offset(outcomes.outcomes.range.lowest.value());
  head.set_next_offset(outcomes.outcomes.range.next.value());
  head.set_leader(outcomes.leader.value());
  std::vector<envelope_parts> out;
  std::size_t size_bytes = 0;
  const auto flush = [&] {
    out.push_back({peer_kind::append_outcomes, peer_lane::control, head_bytes(head), {}});
    head.clear_items();
    size_bytes = 0;
  };
  for (const auto& item : outcomes.outcomes.items) {
    CAIRN_CHECK(item.id < k_items_max, "outcome of item {}", item.id);
    put(head.add_items(), item);
    size_bytes += k_outcome_head_bytes + std::min(item.detail.size(), k_detail_bytes_max);
    if (size_bytes >= k_head_bytes_wanted) flush();
  }
  if (head.items_size() > 0 || out.empty()) flush();
  return out;
}

result<forwarded_outcomes> decode_outcomes(const shared_bytes& head, const shared_bytes& body) {
  if (auto sizes = check_sizes(head, body); !sizes) return sizes.error();
  if (!body.empty()) return refused("size of the body", body.size());
  v1::ForwardedOutcomes from;
  if (!parse_head(head, from)) return error{errc::invalid_argument, "head is no ForwardedOutcomes"};
  const auto count = static_cast<std::size_t>(from.items_size());
  if (count > k_items_max) return refused("outcomes of a message", count);
  if (auto range = check_range(from); !range) return range.error();
  forwarded_outcomes outcomes;
  outcomes.incarnation = from.incarnation();
  outcomes.batch = from.batch();
  outcomes.leader = raft::node_id(from.leader());
  outcomes.outcomes.items.reserve(count);
  for (const auto& one : from.items()) {
    auto outcome = decode_outcome(one);
    if (!outcome) return outcome.error();
    outcomes.outcomes.items.push_back(std::move(*outcome));
  }
  outcomes.outcomes.durable_on = from.durable_on();
  outcomes.outcomes.replicas = from.replicas();
  outcomes.outcomes.range = {record_offset(from.lowest_offset()),
                             record_offset(from.next_offset())};
  return outcomes;
}

}  // namespace cairn::wire
