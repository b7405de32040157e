// The table of what is committed and the overlay of what is not: by hand, and beside a naive list.

#include "actors/session_overlay.hpp"
#include "tests/unit/session/naive_sessions.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <rapidcheck.h>
#include <string>

namespace cairn::testing {
namespace {

using actors::entry_place;
using actors::session_limits;
using actors::session_overlay;
using actors::session_receipt;
using actors::session_table;
using actors::session_verdict;
using actors::stamped_append;

proto::append_stamp stamp_of(const proto::append_identity& who, std::uint64_t body) {
  return {.identity = who, .record_bytes = 10, .record_count = 1, .body_hash = body};
}

proto::append_identity key(std::uint64_t number) {
  return proto::identity_of_key(fmt::format("key-{}", number));
}

proto::append_identity producer(std::uint64_t number, std::uint64_t epoch, std::uint64_t seq) {
  return proto::identity_of_producer(fmt::format("producer-{}", number), epoch, seq);
}

stamped_append append_at(const proto::append_identity& who, std::uint64_t body, std::uint64_t index,
                         unix_ms time_ms) {
  return {who,
          {.body_hash = body,
           .offset = record_offset(10 * index),
           .count = 1,
           .timestamp_ms = time_ms,
           .term = term_id(1),
           .index = log_index(index)}};
}

void apply(session_table& table, std::uint64_t index, const stamped_append& append) {
  table.apply(log_index(index), {&append, 1});
}

}  // namespace

TEST_CASE("sessions: a stored key is answered with its first receipt, for its own body only") {
  session_table table;
  const session_overlay nothing;
  const auto first = append_at(key(1), 77, 5, 1000);
  apply(table, 5, first);
  const auto again = judge(table, nothing, stamp_of(key(1), 77), 1000);
  REQUIRE(again.verdict == session_verdict::replay);
  CHECK(*again.receipt == first.receipt);
  CHECK(judge(table, nothing, stamp_of(key(1), 78), 1000).verdict == session_verdict::key_reused);
  CHECK(judge(table, nothing, stamp_of(key(2), 77), 1000).verdict == session_verdict::append);
}

TEST_CASE(
    "sessions: a key is forgotten after a day of the log's time, also before an entry says so") {
  session_table table;
  const session_overlay nothing;
  const unix_ms day_ms = session_limits{}.key_age_ms_max;
  apply(table, 5, append_at(key(1), 77, 5, 1000));
  const auto judged = [&](unix_ms time_ms) {
    return judge(table, nothing, stamp_of(key(1), 77), time_ms).verdict;
  };
  CHECK(judged(1000 + day_ms - 1) == session_verdict::replay);
  CHECK(judged(1000 + day_ms) == session_verdict::append);
  apply(table, 6, append_at(key(2), 1, 6, 1000 + day_ms - 1));
  CHECK(table.key_count() == 2);
  apply(table, 7, append_at(key(1), 77, 7, 1000 + day_ms));
  CHECK(table.key_count() == 2);
  CHECK(table.find_key(key(1).hash, 1000 + day_ms)->index == log_index(7));
}

TEST_CASE("sessions: the oldest key makes room for a new one") {
  session_table table({.keys_max = 2});
  for (std::uint64_t i = 1; i <= 3; ++i)
    apply(table, i, append_at(key(i), 1, i, 1000));
  CHECK(table.key_count() == 2);
  CHECK(table.find_key(key(1).hash, 1000) == nullptr);
  CHECK(table.find_key(key(2).hash, 1000) != nullptr);
}

TEST_CASE("sessions: a producer's numbers go up by one, and its last appends are remembered") {
  session_table table({.receipts_max = 2});
  const session_overlay nothing;
  const auto verdict = [&](std::uint64_t epoch, std::uint64_t seq, std::uint64_t body) {
    return judge(table, nothing, stamp_of(producer(1, epoch, seq), body), 1000);
  };
  // A beginning is 0 or 1.
  CHECK(verdict(4, 0, 1).verdict == session_verdict::append);
  CHECK(verdict(4, 1, 1).verdict == session_verdict::append);
  CHECK(verdict(4, 2, 1).verdict == session_verdict::sequence_gap);
  for (std::uint64_t seq = 1; seq <= 3; ++seq)
    apply(table, seq, append_at(producer(1, 4, seq), 100 + seq, seq, 1000));
  CHECK(verdict(4, 4, 1).verdict == session_verdict::append);
  CHECK(verdict(4, 5, 1).verdict == session_verdict::sequence_gap);
  CHECK(verdict(4, 5, 1).expected_seq == 4);
  CHECK(verdict(4, 3, 103).verdict == session_verdict::replay);
  CHECK(verdict(4, 3, 103).receipt->index == log_index(3));
  CHECK(verdict(4, 3, 104).verdict == session_verdict::key_reused);
  CHECK(verdict(4, 1, 101).verdict == session_verdict::sequence_too_old);
  CHECK(verdict(4, 1, 101).expected_seq == 4);
  CHECK(verdict(3, 4, 1).verdict == session_verdict::producer_fenced);
  CHECK(verdict(5, 4, 1).verdict == session_verdict::sequence_gap);
  CHECK(verdict(5, 0, 1).verdict == session_verdict::append);
  apply(table, 4, append_at(producer(1, 5, 0), 1, 4, 1000));
  CHECK(verdict(4, 3, 103).verdict == session_verdict::producer_fenced);
  CHECK(verdict(5, 1, 1).verdict == session_verdict::append);
}

TEST_CASE("sessions: the producer that was not used for longest makes room for a new one") {
  session_table table({.producers_max = 2});
  apply(table, 1, append_at(producer(1, 0, 0), 1, 1, 1000));
  apply(table, 2, append_at(producer(2, 0, 0), 1, 2, 1000));
  apply(table, 3, append_at(producer(1, 0, 1), 1, 3, 1000));
  apply(table, 4, append_at(producer(3, 0, 0), 1, 4, 1000));
  CHECK(table.producer_count() == 2);
  CHECK(table.find_producer(producer(1, 0, 0).hash) != nullptr);
  CHECK(table.find_producer(producer(2, 0, 0).hash) == nullptr);
}

TEST_CASE("sessions: what is under way is waited for, and pipelined numbers follow it") {
  session_table table;
  session_overlay pending;
  pending.append(log_index(7),
                 {append_at(key(1), 77, 7, 1000), append_at(producer(1, 0, 1), 5, 7, 1000)});
  const auto same = judge(table, pending, stamp_of(key(1), 77), 1000);
  CHECK(same.verdict == session_verdict::wait);
  CHECK(same.same_under_way);
  CHECK(judge(table, pending, stamp_of(producer(1, 0, 1), 5), 1000).same_under_way);
  CHECK(judge(table, pending, stamp_of(producer(1, 0, 2), 6), 1000).verdict ==
        session_verdict::append);
  CHECK(judge(table, pending, stamp_of(producer(1, 0, 3), 6), 1000).expected_seq == 2);
  // Number 0 never came: that is for the table to say once 1 is committed.
  const auto before = judge(table, pending, stamp_of(producer(1, 0, 0), 4), 1000);
  CHECK(before.verdict == session_verdict::wait);
  CHECK_FALSE(before.same_under_way);
  SUBCASE("committed: the first receipt") {
    CHECK(pending.settle(log_index(7), table));
    CHECK(pending.empty());
    CHECK(table.applied() == log_index(7));
    CHECK(judge(table, pending, stamp_of(key(1), 77), 1000).verdict == session_verdict::replay);
  }
  SUBCASE("truncated: a new append") {
    pending.truncate_from(log_index(7));
    CHECK(judge(table, pending, stamp_of(key(1), 77), 1000).verdict == session_verdict::append);
    CHECK(judge(table, pending, stamp_of(producer(1, 0, 1), 5), 1000).verdict ==
          session_verdict::append);
  }
}

TEST_CASE("sessions: an entry that the table has seen is passed over") {
  session_table table;
  apply(table, 5, append_at(key(1), 77, 5, 1000));
  apply(table, 4, append_at(key(2), 1, 4, 1000));
  apply(table, 5, append_at(key(3), 1, 5, 1000));
  CHECK(table.key_count() == 1);
  table.advance(log_index(9));
  table.advance(log_index(8));
  CHECK(table.applied() == log_index(9));
}

TEST_CASE("sessions: stamps are read from an entry's payload, with the offsets of its appends") {
  proto::batch_encoder encoder;
  encoder.append(as_byte_span("one"), proto::value_kind::text);
  encoder.append(as_byte_span("two"), proto::value_kind::text);
  const auto two = encoder.finish();
  encoder.append(as_byte_span("three"), proto::value_kind::text);
  const auto one = encoder.finish();
  const auto a = encode_append_stamp(key(1), two);
  const auto b = encode_append_stamp(producer(2, 3, 4), one);
  const std::string both = std::string(a.text()) + std::string(b.text());
  const entry_place at{log_index(9), term_id(2), record_offset(100), 1234, 3};
  const auto found = actors::stamps_of(at, as_byte_span(both));
  REQUIRE(found.size() == 2);
  CHECK(found[0].identity == key(1));
  CHECK(found[0].receipt.offset == record_offset(100));
  CHECK(found[0].receipt.count == 2);
  CHECK(found[1].identity == producer(2, 3, 4));
  CHECK(found[1].receipt.offset == record_offset(102));
  CHECK(found[1].receipt.index == log_index(9));
  CHECK(found[1].receipt.term == term_id(2));
  CHECK(found[1].receipt.timestamp_ms == 1234);
  CHECK(actors::stamps_of(at, two.payload.span()).empty());
  // Stamps that do not fit their entry: no replica takes them.
  entry_place other = at;
  other.record_count = 4;
  CHECK(actors::stamps_of(other, as_byte_span(both)).empty());
  CHECK(actors::stamps_of(at, as_byte_span(both).first(both.size() - 1)).empty());
}

TEST_CASE("sessions: no damage to a state goes unnoticed") {
  session_table table;
  for (std::uint64_t i = 1; i <= 4; ++i) {
    apply(table, 2 * i, append_at(key(i), 1, 2 * i, 1000));
    apply(table, 2 * i + 1, append_at(producer(i % 2, 0, i), 1, 2 * i + 1, 1000));
  }
  const shared_bytes bytes = table.serialize();
  REQUIRE(session_table::parse(bytes.span()));
  std::string text(bytes.text());
  for (std::size_t i = 0; i < text.size(); ++i) {
    text[i] = static_cast<char>(text[i] ^ 4);
    const auto parsed = session_table::parse(as_byte_span(text));
    CHECK(parsed.code() == errc::corruption);
    CHECK(session_table::parse(as_byte_span(text).first(i)).code() == errc::corruption);
    text[i] = static_cast<char>(text[i] ^ 4);
  }
  CHECK(session_table::parse(bytes.span(), {.keys_max = 3}).code() == errc::corruption);
}

TEST_CASE("sessions: a full table fits a snapshot") {
  const session_limits usual;
  session_table table;
  std::uint64_t index = 0;
  for (std::uint64_t i = 0; i < usual.keys_max + 10; ++i) {
    ++index;
    apply(table, index, append_at(key(i), i, index, 1000));
  }
  for (std::uint64_t i = 0; i < usual.producers_max + 10; ++i) {
    for (std::uint64_t seq = 0; seq < usual.receipts_max + 1; ++seq) {
      ++index;
      apply(table, index, append_at(producer(i, 0, seq), i, index, 1000));
    }
  }
  const shared_bytes bytes = table.serialize();
  CHECK(bytes.size() <= actors::k_session_bytes_max);
  const auto back = session_table::parse(bytes.span());
  REQUIRE(back);
  CHECK(back->key_count() == usual.keys_max);
  CHECK(back->producer_count() == usual.producers_max);
  CHECK(back->serialize().text() == bytes.text());
}

// --- beside the naive list -----------------------------------------------------------------------

namespace {

struct both {
  session_limits limits{.keys_max = 4, .key_age_ms_max = 40, .producers_max = 2, .receipts_max = 2};
  session_table table{limits};
  session_overlay overlay;
  naive_sessions naive{limits, {}, {}};
  std::uint64_t committed = 0;
  unix_ms time_ms = 1000;

  [[nodiscard]] std::uint64_t last() const { return committed + naive.pending.size(); }

  [[nodiscard]] static proto::append_identity some_identity() {
    if (*rc::gen::inRange(0, 2) == 0) return key(*rc::gen::inRange<std::uint64_t>(0, 7));
    return producer(*rc::gen::inRange<std::uint64_t>(0, 3), *rc::gen::inRange<std::uint64_t>(0, 2),
                    *rc::gen::inRange<std::uint64_t>(0, 6));
  }

  /// An entry of whatever appends a leader would take now; sometimes of any.
  void add_entry() {
    time_ms += *rc::gen::inRange<unix_ms>(0, 20);
    const bool obedient = *rc::gen::inRange(0, 5) != 0;
    std::vector<stamped_append> appends;
    const auto wanted = *rc::gen::inRange<std::size_t>(0, 4);
    for (std::size_t i = 0; i < wanted; ++i) {
      const auto who = some_identity();
      const auto body = *rc::gen::inRange<std::uint64_t>(0, 2);
      if (obedient) {
        naive.pending.push_back(appends);
        const bool good =
            naive.judge(stamp_of(who, body), time_ms).verdict == session_verdict::append;
        naive.pending.pop_back();
        if (!good) continue;
      }
      appends.push_back(append_at(who, body, last() + 1, time_ms));
    }
    overlay.append(log_index(last() + 1), appends);
    naive.pending.push_back(std::move(appends));
  }

  void truncate() {
    const auto kept = *rc::gen::inRange<std::size_t>(0, naive.pending.size() + 1);
    naive.pending.resize(kept);
    overlay.truncate_from(log_index(last() + 1));
  }

  void commit() {
    const auto count = *rc::gen::inRange<std::size_t>(0, naive.pending.size() + 1);
    committed += count;
    overlay.settle(log_index(committed), table);
    const auto end = naive.pending.begin() + static_cast<std::ptrdiff_t>(count);
    naive.committed.insert(naive.committed.end(), naive.pending.begin(), end);
    naive.pending.erase(naive.pending.begin(), end);
  }

  void restart() {
    auto parsed = session_table::parse(table.serialize().span(), limits);
    RC_ASSERT(parsed.ok());
    RC_ASSERT(parsed->serialize().text() == table.serialize().text());
    table = std::move(*parsed);
    session_overlay fresh;
    for (std::size_t i = 0; i < naive.pending.size(); ++i)
      fresh.append(log_index(committed + 1 + i), naive.pending[i]);
    RC_ASSERT(fresh.entries() == overlay.entries());
    overlay = std::move(fresh);
  }

  void compare() const {
    RC_ASSERT(table.applied() == log_index(committed));
    for (std::uint64_t body = 0; body < 2; ++body) {
      for (std::uint64_t i = 0; i < 7; ++i)
        compare(stamp_of(key(i), body));
      for (std::uint64_t i = 0; i < 3 * 2 * 6; ++i)
        compare(stamp_of(producer(i % 3, i / 3 % 2, i / 6), body));
    }
  }
  void compare(const proto::append_stamp& stamp) const {
    for (const unix_ms later_ms : {0, 25, 50}) {
      const auto got = judge(table, overlay, stamp, time_ms + later_ms);
      const naive_sessions::answer seen{
          got.verdict, got.receipt == nullptr ? std::nullopt : std::optional(*got.receipt),
          got.expected_seq};
      RC_ASSERT(seen == naive.judge(stamp, time_ms + later_ms));
    }
  }
};

}  // namespace

TEST_CASE("sessions: after anything that can happen to a log, every judgement is the naive one") {
  CHECK(rc::check("as the naive list", [] {
    both b;
    const auto steps = *rc::gen::inRange(1, 40);
    for (int i = 0; i < steps; ++i) {
      switch (*rc::gen::inRange(0, 8)) {
        case 0:
          b.truncate();
          break;
        case 1:
        case 2:
        case 3:
          b.commit();
          break;
        case 4:
          b.restart();
          break;
        default:
          b.add_entry();
      }
    }
    b.compare();
  }));
}

}  // namespace cairn::testing
