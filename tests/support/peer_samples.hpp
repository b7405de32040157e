#pragma once
// Random peer messages for property tests and fuzz seeds, made from a seeded generator.

#include "actors/wire/append_codec.hpp"
#include "actors/wire/raft_codec.hpp"
#include "actors/wire/swim_codec.hpp"
#include "tests/support/sim_random.hpp"

#include <string>
#include <vector>

namespace cairn::testing {

/// Well-formed messages between two replicas: of every kind, entries and snapshots included.
class peer_samples {
public:
  explicit peer_samples(std::uint64_t seed) : random_(seed) {}

  [[nodiscard]] raft::message message() {
    raft::message m{raft::node_id(3), raft::node_id(5), term_id(1 + number()), body()};
    // What a message says about terms must not be beyond its own.
    m.term = term_id((std::uint64_t{1} << 62U) - 1 - random_.below(3));
    return m;
  }

  [[nodiscard]] std::vector<raft::message> messages() {
    std::vector<raft::message> all(1 + random_.below(8));
    for (auto& m : all)
      m = message();
    return all;
  }

  [[nodiscard]] wire::forwarded_appends appends() {
    wire::forwarded_appends all{random_.next(), random_.next(), {}};
    all.items.resize(random_.below(6));
    for (auto& item : all.items) {
      item.payload = payload(1);
      item.record_count = 1 + static_cast<std::uint32_t>(random_.below(1000));
      item.conditional = flip();
      if (item.conditional) item.expected_offset = record_offset(number());
      item.remaining_ms = static_cast<std::uint32_t>(random_.below(wire::k_remaining_ms_max + 1));
    }
    return all;
  }

  [[nodiscard]] wire::forwarded_outcomes outcomes() {
    wire::forwarded_outcomes all;
    all.incarnation = random_.next();
    all.batch = random_.next();
    all.leader = raft::node_id(random_.below(4));
    all.outcomes.items.resize(random_.below(6));
    for (auto& item : all.outcomes.items) {
      item.id = random_.below(wire::k_items_max);
      item.code = flip() ? errc::none : errc::expected_offset_missed;
      item.detail = flip() ? "" : "next offset is 7";
      item.offset = record_offset(number());
      item.count = static_cast<std::uint32_t>(random_.below(5));
      item.timestamp_ms = static_cast<unix_ms>(number());
      item.term = term_id(number());
      item.index = log_index(number());
      item.replayed = flip();
      item.expected_seq = flip() ? 0 : number();
    }
    all.outcomes.replicas = static_cast<std::uint32_t>(random_.below(8));
    all.outcomes.durable_on =
        static_cast<std::uint32_t>(random_.below(all.outcomes.replicas + std::uint64_t{1}));
    all.outcomes.range.lowest = record_offset(number());
    all.outcomes.range.next = all.outcomes.range.lowest.plus(random_.below(100));
    return all;
  }

  [[nodiscard]] swim::message swim_message() {
    swim::message m{swim_body(), {}};
    m.claims.resize(random_.below(6));
    for (auto& c : m.claims) {
      c.node = name();
      c.state = static_cast<swim::member_state>(1 + random_.below(4));
      c.incarnation = number();
      if (flip()) c.by = name();
      if (c.state != swim::member_state::alive && flip()) continue;
      c.info = std::make_shared<const swim::member_info>(swim::member_info{
          c.node, number(), name() + ":7080", name(), flip() ? "" : name(), "0.1.0", name()});
    }
    return m;
  }

private:
  std::string name() { return "n" + std::to_string(random_.below(1000)); }
  swim::message_body swim_body() {
    switch (random_.below(6)) {
      case 0:
        return swim::ping{random_.next()};
      case 1:
        return swim::ping_request{random_.next(), name()};
      case 2:
        return swim::ack{random_.next()};
      case 3:
        return swim::nack{random_.next()};
      case 4:
        return swim::sync{flip()};
      default:
        return swim::gossip{};
    }
  }
  bool flip() { return random_.below(2) == 0; }
  // Small ones and ones near the limit of 2^62, as ten entries and a hundred offsets fit above.
  std::uint64_t number() {
    return flip() ? random_.below(300) : (std::uint64_t{1} << 62U) - 1000 + random_.below(300);
  }
  raft::log_position position() {
    if (random_.below(4) == 0) return {};
    return {log_index(1 + number()), term_id(1 + number())};
  }
  shared_bytes payload(std::size_t least_bytes) {
    std::string text(least_bytes + random_.below(40), 'x');
    for (char& c : text)
      c = static_cast<char>(random_.next());
    return shared_bytes::copy_of(as_byte_span(text));
  }
  raft::configuration configuration() {
    raft::configuration config;
    config.voters = {raft::node_id(1), raft::node_id(3), raft::node_id(5)};
    if (flip()) config.outgoing = {raft::node_id(1), raft::node_id(2)};
    if (flip()) config.learners = {raft::node_id(9)};
    config.context = payload(0);
    return config;
  }
  std::vector<raft::entry> entries(const raft::log_position& prev) {
    std::vector<raft::entry> all(random_.below(10));
    auto index = prev.index;
    auto term = prev.term.value() == 0 ? term_id(1) : prev.term;
    record_offset offset(number());
    for (auto& e : all) {
      index = index.next();
      term = term.plus(random_.below(2));
      e.index = index;
      e.term = term;
      e.kind = static_cast<raft::entry_kind>(1 + random_.below(4));
      e.codec = static_cast<std::uint8_t>(random_.next());
      if (e.kind == raft::entry_kind::data) {
        e.record_count = static_cast<std::uint32_t>(random_.below(10));
      }
      e.base_offset = offset;
      offset = e.next_offset();
      e.timestamp_ms = static_cast<unix_ms>(number());
      e.payload = e.kind == raft::entry_kind::config ? raft::encode(configuration()) : payload(0);
    }
    return all;
  }
  raft::message_body append() {
    const auto prev = position();
    return raft::append_request{prev, entries(prev), log_index(number())};
  }
  raft::message_body body() {
    switch (random_.below(11)) {
      case 0:
        return raft::vote_request{position(), flip(), flip()};
      case 1:
        return raft::vote_response{flip(), flip()};
      case 2:
      case 3:
        return append();
      case 4:
        return raft::append_response{flip(), log_index(number()), position()};
      case 5:
        return raft::heartbeat_request{log_index(number()), random_.next(), flip(), position()};
      case 6:
        return raft::heartbeat_response{random_.next()};
      case 7:
        return raft::commit_notice{log_index(number())};
      case 8:
        return raft::snapshot_request{{{log_index(1 + number()), term_id(1 + number())},
                                       record_offset(number()),
                                       configuration(),
                                       payload(0),
                                       static_cast<unix_ms>(number())}};
      case 9:
        return flip() ? raft::message_body(raft::timeout_now_request{})
                      : raft::message_body(raft::read_index_request{random_.next(),
                                                                    raft::read_id(random_.next())});
      default:
        return raft::read_index_response{random_.next(), raft::read_id(random_.next()), flip(),
                                         log_index(number())};
    }
  }

  sim_random random_;
};

}  // namespace cairn::testing
