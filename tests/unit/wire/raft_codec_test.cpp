#include "actors/wire/raft_codec.hpp"

#include "proto/cairn/v1/peer.pb.h"
#include "tests/support/peer_samples.hpp"
#include "tests/unit/wire/shown.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <google/protobuf/stubs/logging.h>
#include <rapidcheck.h>

namespace cairn::wire {
namespace {

using testing::shown;

shared_bytes bytes(std::string_view text) {
  return shared_bytes::copy_of(as_byte_span(text));
}

raft::message with_entries(std::size_t count, std::size_t payload_bytes) {
  raft::append_request append;
  append.prev = {log_index(9), term_id(2)};
  for (std::size_t i = 0; i < count; ++i) {
    raft::entry e;
    e.index = log_index(10 + i);
    e.term = term_id(2);
    e.record_count = 1;
    e.base_offset = record_offset(4 + i);
    e.payload = bytes(std::string(payload_bytes, 'a'));
    append.entries.push_back(std::move(e));
  }
  return {raft::node_id(1), raft::node_id(2), term_id(2), append};
}

// A batch with one append of one entry of four bytes, to be spoilt.
v1::RaftBatch one_entry() {
  const auto parts = encode_raft(std::vector{with_entries(1, 4)});
  v1::RaftBatch head;
  REQUIRE(head.ParseFromArray(parts[0].head.data(), static_cast<int>(parts[0].head.size())));
  return head;
}

std::string refusal(const v1::RaftBatch& head, std::string_view body = "aaaa") {
  const auto batch = decode_raft(bytes(head.SerializeAsString()), bytes(body));
  REQUIRE_FALSE(batch.ok());
  CHECK(batch.code() == errc::invalid_argument);
  return batch.error().detail;
}

bool says(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("raft codec: what is sent is what arrives, whatever the messages") {
  CHECK(rc::check("round trip", [](std::uint64_t seed) {
    const auto sent = testing::peer_samples(seed).messages();
    std::vector<std::string> before;
    std::vector<std::string> after;
    for (const auto& m : sent)
      before.push_back(shown(m));
    for (const auto& parts : encode_raft(sent)) {
      const auto batch = decode_raft(parts.head, parts.body);
      RC_ASSERT(batch.ok());
      RC_ASSERT(batch->unknown == 0U);
      for (const auto& m : batch->messages) {
        RC_ASSERT(lane_of(m) == parts.lane);
        after.push_back(shown(m));
      }
    }
    std::sort(before.begin(), before.end());
    std::sort(after.begin(), after.end());
    RC_ASSERT(before == after);
  }));
}

TEST_CASE("raft codec: appends travel on the bulk lane, everything small on the control lane") {
  // An append without entries, too: it asks whether those that went before it came in.
  std::vector<raft::message> messages = {with_entries(2, 3), with_entries(0, 0)};
  messages.push_back({raft::node_id(1), raft::node_id(2), term_id(2), raft::heartbeat_request{}});
  const auto parts = encode_raft(messages);
  REQUIRE(parts.size() == 2);
  CHECK(parts[0].lane == peer_lane::control);
  CHECK(parts[0].body.empty());
  CHECK(decode_raft(parts[0].head, parts[0].body)->messages.size() == 1);
  CHECK(parts[1].lane == peer_lane::bulk);
  CHECK(decode_raft(parts[1].head, parts[1].body)->messages.size() == 2);
  CHECK(parts[1].kind == peer_kind::raft);
}

TEST_CASE("raft codec: a single payload is not copied at all") {
  const auto sent = with_entries(1, 100);
  const auto parts = encode_raft(std::vector{sent});
  const auto& payload = std::get<raft::append_request>(sent.body).entries[0].payload;
  CHECK(parts[0].body.data() == payload.data());
  const auto batch = decode_raft(parts[0].head, parts[0].body);
  REQUIRE(batch.ok());
  const auto& entries = std::get<raft::append_request>(batch->messages[0].body).entries;
  CHECK(entries[0].payload.data() == parts[0].body.data());
}

TEST_CASE("raft codec: whoever keeps an entry keeps nothing else of the body with it") {
  const std::vector cases{std::vector{with_entries(2, 100)}, std::vector{with_entries(3, 0)},
                          std::vector{with_entries(1, 100), with_entries(1, 100)}};
  for (const auto& messages : cases) {
    const auto parts = encode_raft(messages);
    const auto bytes = parts[0].body.span();
    auto owner = std::make_shared<std::vector<std::byte>>(bytes.begin(), bytes.end());
    const std::weak_ptr<std::vector<std::byte>> alive = owner;
    const byte_span view(*owner);
    auto batch = decode_raft(parts[0].head, shared_bytes(std::move(owner), view));
    REQUIRE(batch.ok());
    CHECK(alive.expired());
    CHECK(batch->messages.size() == messages.size());
  }
}

TEST_CASE("raft codec: much is spread over several envelopes, none beyond the limits") {
  std::vector<raft::message> messages(6, with_entries(8, 64 * 1024));
  messages.push_back(with_entries(1, 5 * k_mib_bytes));
  messages.push_back(with_entries(16 * 1024 - 1, 0));
  std::size_t count = 0;
  std::size_t envelopes = 0;
  for (const auto& parts : encode_raft(messages)) {
    ++envelopes;
    const auto batch = decode_raft(parts.head, parts.body);
    REQUIRE(batch.ok());
    count += batch->messages.size();
    CHECK((batch->messages.size() == 1 || parts.body.size() <= k_body_bytes_wanted));
    CHECK((batch->messages.size() == 1 || parts.head.size() <= k_head_bytes_wanted));
  }
  CHECK(count == messages.size());
  CHECK(envelopes == 5);  // two of 512 KiB fit into one, the other two messages go alone
  CHECK(encode_raft({}).empty());
}

TEST_CASE("raft codec: a head that is no batch, or too large, is refused") {
  google::protobuf::SetLogHandler(nullptr);
  CHECK_FALSE(decode_raft(bytes("\xff\xff"), {}).ok());
  CHECK(says(decode_raft(bytes(std::string(k_head_bytes_max + 1, '\0')), {}).error().detail,
             "head of 2097153 bytes"));
  const std::string body(k_body_bytes_max + 1, 'x');
  CHECK(says(decode_raft({}, shared_bytes({}, as_byte_span(body))).error().detail, "body of"));
  const auto empty = decode_raft({}, {});
  CHECK((empty.ok() && empty->messages.empty()));
}

TEST_CASE("raft codec: lengths that do not fit the body are refused, with the message named") {
  auto head = one_entry();
  CHECK(says(refusal(head, "aaa"), "message 1 of 1 from replica 1: body_bytes: 4 bytes"));
  CHECK(says(refusal(head, "aaaaa"), "1 bytes of the body belong to nothing"));
  head.mutable_messages(0)->mutable_append_request()->mutable_entries(0)->set_payload_bytes(3);
  CHECK(says(refusal(head), "1 bytes of the body belong to nothing"));
  head.mutable_messages(0)->mutable_append_request()->mutable_entries(0)->set_payload_bytes(
      ~std::uint64_t{0});
  CHECK(says(refusal(head), "payload of an entry: 18446744073709551615 bytes"));
  head.mutable_messages(0)->set_body_bytes(~std::uint64_t{0});
  CHECK(says(refusal(head), "body_bytes"));
}

TEST_CASE("raft codec: fields out of range are refused (reliability F.4, 73)") {
  const auto spoilt = [](auto&& spoil) {
    auto head = one_entry();
    auto* append = head.mutable_messages(0)->mutable_append_request();
    spoil(head, *append, *append->mutable_entries(0));
    return refusal(head);
  };
  const auto all_ones = ~std::uint64_t{0};
  CHECK(says(spoilt([&](auto& h, auto&, auto&) { h.mutable_messages(0)->set_term(all_ones); }),
             "term out of range"));
  CHECK(says(spoilt([&](auto& h, auto&, auto&) { h.mutable_messages(0)->set_term(0); }),
             "term out of range"));
  CHECK(says(spoilt([&](auto& h, auto&, auto&) { h.set_from(0); }), "sender is nobody"));
  CHECK(says(spoilt([&](auto& h, auto&, auto&) { h.set_to(1); }), "sender is nobody"));
  CHECK(says(spoilt([&](auto&, auto& a, auto&) { a.set_commit(all_ones); }), "commit"));
  CHECK(says(spoilt([&](auto&, auto& a, auto&) { a.mutable_prev()->set_index(all_ones); }),
             "prev out of range"));
  CHECK(says(spoilt([](auto&, auto&, auto& e) { e.set_index(12); }), "not contiguous"));
  CHECK(says(spoilt([](auto&, auto&, auto& e) { e.set_term(1); }), "term is out of order"));
  CHECK(says(spoilt([](auto&, auto&, auto& e) { e.set_kind(0); }), "kind of an entry: 0"));
  CHECK(says(spoilt([](auto&, auto&, auto& e) { e.set_kind(257); }), "kind of an entry: 257"));
  CHECK(says(spoilt([](auto&, auto&, auto& e) { e.set_kind(3); }), "configuration"));
  CHECK(says(spoilt([](auto&, auto&, auto& e) { e.set_codec(256); }), "codec of an entry: 256"));
  CHECK(says(spoilt([](auto&, auto&, auto& e) { e.set_timestamp_ms(-1); }), "-1 is negative"));
}

TEST_CASE("raft codec: a kind of message from the future is passed over with its bytes") {
  auto head = one_entry();
  auto* future = head.add_messages();
  future->set_term(2);
  future->set_body_bytes(3);
  *head.add_messages() = head.messages(0);
  const auto batch = decode_raft(bytes(head.SerializeAsString()), bytes("aaaa???aaaa"));
  REQUIRE(batch.ok());
  CHECK(batch->unknown == 1);
  REQUIRE(batch->messages.size() == 2);
  CHECK(shown(batch->messages[0]) == shown(batch->messages[1]));
}

TEST_CASE("raft codec: unknown fields are ignored") {
  auto head = one_entry();
  head.GetReflection()->MutableUnknownFields(&head)->AddVarint(77, 5);
  auto* m = head.mutable_messages(0);
  m->GetReflection()->MutableUnknownFields(m)->AddLengthDelimited(78, "new");
  const auto batch = decode_raft(bytes(head.SerializeAsString()), bytes("aaaa"));
  REQUIRE(batch.ok());
  CHECK(batch->messages.size() == 1);
}

TEST_CASE("raft codec: too many small things in one head are refused") {
  v1::RaftBatch head;
  for (std::size_t i = 0; i <= k_items_max; ++i)
    head.add_messages();
  CHECK(says(refusal(head, ""), "32769 is out of range"));
}

}  // namespace cairn::wire
