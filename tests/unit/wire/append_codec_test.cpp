#include "actors/wire/append_codec.hpp"

#include "proto/cairn/v1/peer.pb.h"
#include "tests/support/peer_samples.hpp"
#include "tests/unit/wire/shown.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

namespace cairn::wire {
namespace {

using testing::shown;

shared_bytes bytes(std::string_view text) {
  return shared_bytes::copy_of(as_byte_span(text));
}

bool says(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

template <class Spoil>
std::string append_refusal(Spoil spoil) {
  v1::ForwardedAppends head;
  auto* item = head.add_items();
  item->set_payload_bytes(4);
  item->set_record_count(2);
  item->set_remaining_ms(100);
  REQUIRE(decode_appends(bytes(head.SerializeAsString()), bytes("aaaa")).ok());
  spoil(*item);
  const auto appends = decode_appends(bytes(head.SerializeAsString()), bytes("aaaa"));
  REQUIRE_FALSE(appends.ok());
  CHECK(appends.code() == errc::invalid_argument);
  return appends.error().detail;
}

template <class Spoil>
std::string outcome_refusal(Spoil spoil) {
  v1::ForwardedOutcomes head;
  head.add_items();
  REQUIRE(decode_outcomes(bytes(head.SerializeAsString()), {}).ok());
  spoil(head, *head.mutable_items(0));
  const auto outcomes = decode_outcomes(bytes(head.SerializeAsString()), {});
  REQUIRE_FALSE(outcomes.ok());
  CHECK(outcomes.code() == errc::invalid_argument);
  return outcomes.error().detail;
}

constexpr auto k_all_ones = ~std::uint64_t{0};

}  // namespace

TEST_CASE("append codec: appends arrive as they were sent") {
  CHECK(rc::check("round trip", [](std::uint64_t seed) {
    const auto sent = testing::peer_samples(seed).appends();
    const auto parts = encode_appends(sent);
    RC_ASSERT(parts.lane == peer_lane::bulk);
    const auto arrived = decode_appends(parts.head, parts.body);
    RC_ASSERT(arrived.ok());
    RC_ASSERT(shown(*arrived) == shown(sent));
  }));
}

TEST_CASE("append codec: outcomes arrive as they were sent") {
  CHECK(rc::check("round trip", [](std::uint64_t seed) {
    const auto sent = testing::peer_samples(seed).outcomes();
    const auto parts = encode_outcomes(sent);
    RC_ASSERT(parts.size() == 1U);
    RC_ASSERT(parts[0].lane == peer_lane::control);
    const auto arrived = decode_outcomes(parts[0].head, parts[0].body);
    RC_ASSERT(arrived.ok());
    RC_ASSERT(shown(*arrived) == shown(sent));
  }));
}

TEST_CASE("append codec: many outcomes with long details are spread over several messages") {
  forwarded_outcomes sent;
  sent.outcomes.items.resize(1000);
  for (std::size_t i = 0; i < sent.outcomes.items.size(); ++i) {
    sent.outcomes.items[i].id = i;
    sent.outcomes.items[i].detail = std::string(2 * k_detail_bytes_max, 'd');
  }
  std::size_t next = 0;
  const auto all = encode_outcomes(sent);
  CHECK(all.size() > 1);
  for (const auto& parts : all) {
    CHECK(parts.head.size() < 2 * k_head_bytes_wanted);
    const auto arrived = decode_outcomes(parts.head, parts.body);
    REQUIRE(arrived.ok());
    for (const auto& item : arrived->outcomes.items) {
      CHECK(item.id == next++);
      CHECK(item.detail.size() == k_detail_bytes_max);
    }
  }
  CHECK(next == 1000);
}

TEST_CASE("append codec: appends out of range are refused, with item and field named") {
  using item = v1::ForwardedAppend;
  CHECK(says(append_refusal([](item& i) { i.set_record_count(0); }), "append 0: record_count: 0"));
  CHECK(says(append_refusal([](item& i) { i.set_payload_bytes(0); }), "payload_bytes: 0"));
  CHECK(says(append_refusal([](item& i) { i.set_payload_bytes(5); }), "5 bytes of the body"));
  CHECK(says(append_refusal([](item& i) { i.set_payload_bytes(3); }), "belong to nothing"));
  CHECK(says(append_refusal([](item& i) { i.set_payload_bytes(k_all_ones); }), "4 are left"));
  CHECK(says(append_refusal([](item& i) { i.set_expected_offset(k_all_ones); }),
             "expected_offset: 18446744073709551615"));
  CHECK(says(append_refusal([](item& i) { i.set_remaining_ms(3'600'001); }), "remaining_ms"));
}

TEST_CASE("append codec: outcomes out of range are refused, with the field named") {
  using head = v1::ForwardedOutcomes;
  using item = v1::ForwardedOutcome;
  CHECK(says(outcome_refusal([](head&, item& i) { i.set_position(32768); }), "position"));
  CHECK(says(outcome_refusal([](head&, item& i) { i.set_offset(k_all_ones); }), "offset"));
  CHECK(says(outcome_refusal([](head&, item& i) { i.set_term(k_all_ones); }), "term"));
  CHECK(says(outcome_refusal([](head&, item& i) { i.set_index(k_all_ones); }), "index"));
  CHECK(says(outcome_refusal([](head&, item& i) { i.set_timestamp_ms(-1); }), "timestamp_ms"));
  CHECK(says(outcome_refusal([](head&, item& i) { i.set_expected_seq(k_all_ones); }),
             "expected_seq"));
  CHECK(says(outcome_refusal([](head& h, item&) { h.set_next_offset(k_all_ones); }), "next_"));
  CHECK(says(outcome_refusal([](head& h, item&) { h.set_lowest_offset(1); }), "lowest_offset"));
  CHECK(says(outcome_refusal([](head& h, item&) { h.set_durable_on(1); }), "durable_on"));
  CHECK_FALSE(decode_outcomes({}, bytes("x")).ok());
}

TEST_CASE("append codec: a code from the future means that nobody knows") {
  v1::ForwardedOutcomes head;
  for (const std::uint32_t code : {99U, 255U, 256U, ~0U})
    head.add_items()->set_code(code);
  const auto outcomes = decode_outcomes(bytes(head.SerializeAsString()), {});
  REQUIRE(outcomes.ok());
  for (const auto& item : outcomes->outcomes.items)
    CHECK(item.code == errc::outcome_unknown);
}

TEST_CASE("append codec: text from a peer cannot carry control characters into our log") {
  v1::ForwardedOutcomes head;
  head.add_items()->set_detail("a\n\x1b[2Jb\xff");
  const auto outcomes = decode_outcomes(bytes(head.SerializeAsString()), {});
  REQUIRE(outcomes.ok());
  CHECK(outcomes->outcomes.items[0].detail == "a??[2Jb?");
}

}  // namespace cairn::wire
