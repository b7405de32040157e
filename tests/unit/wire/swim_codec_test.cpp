#include "actors/wire/swim_codec.hpp"

#include "proto/cairn/v1/peer.pb.h"
#include "tests/support/peer_samples.hpp"
#include "tests/unit/wire/shown.hpp"

#include <doctest/doctest.h>
#include <google/protobuf/stubs/logging.h>
#include <rapidcheck.h>

namespace cairn::wire {
namespace {

using testing::shown;

shared_bytes bytes(std::string_view text) {
  return shared_bytes::copy_of(as_byte_span(text));
}

template <class Spoil>
std::string refusal(Spoil spoil) {
  v1::SwimMessage head;
  head.mutable_ping_request()->set_target("n2");
  auto* claim = head.add_claims();
  claim->set_node("n1");
  claim->set_state(1);
  claim->mutable_info();
  REQUIRE(decode_swim(bytes(head.SerializeAsString()), {}).ok());
  spoil(head, *claim);
  const auto m = decode_swim(bytes(head.SerializeAsString()), {});
  REQUIRE_FALSE(m.ok());
  CHECK(m.code() == errc::invalid_argument);
  return m.error().detail;
}

bool says(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("swim codec: what is sent is what arrives, on the control lane") {
  CHECK(rc::check("round trip", [](std::uint64_t seed) {
    const auto sent = testing::peer_samples(seed).swim_message();
    const auto parts = encode_swim(sent);
    RC_ASSERT(parts.lane == peer_lane::control);
    RC_ASSERT(parts.kind == peer_kind::swim);
    const auto arrived = decode_swim(parts.head, parts.body);
    RC_ASSERT(arrived.ok());
    RC_ASSERT(shown(*arrived) == shown(sent));
  }));
}

TEST_CASE("swim codec: messages that no honest member sends are refused (reliability F.4, 75)") {
  google::protobuf::SetLogHandler(nullptr);
  using head = v1::SwimMessage;
  using claim = v1::SwimClaim;
  CHECK(says(refusal([](head&, claim& c) { c.set_incarnation(~std::uint64_t{0}); }),
             "incarnation out of range"));
  CHECK(says(refusal([](head&, claim& c) { c.set_node(""); }), "name of a member is empty"));
  CHECK(
      says(refusal([](head&, claim& c) { c.set_node("a\nb"); }), "node 'a?b' is too long or not"));
  CHECK(says(refusal([](head&, claim& c) { c.set_by(std::string(256, 'x')); }), "accuser"));
  CHECK(says(refusal([](head&, claim& c) { c.clear_info(); }), "alive without information"));
  CHECK(says(refusal([](head&, claim& c) { c.mutable_info()->set_zone(std::string(300, 'z')); }),
             "too long"));
  CHECK(says(refusal([](head& h, claim&) { h.mutable_ping_request()->set_target("\xff"); }),
             "target '?'"));
  CHECK(says(refusal([](head& h, claim& c) {
               const claim one = c;
               for (std::size_t i = 0; i < k_claims_max; ++i)
                 *h.add_claims() = one;
             }),
             "claims of a message: 4097"));
  CHECK_FALSE(decode_swim(bytes("\xff"), {}).ok());
  CHECK_FALSE(decode_swim({}, bytes("x")).ok());
  CHECK_FALSE(decode_swim(bytes(std::string(64 * 1024, '\xff')), {}).ok());
  CHECK(decode_swim({}, {}).ok());  // says nothing
}

TEST_CASE("swim codec: what the future adds is passed over") {
  v1::SwimMessage head;
  auto* claim = head.add_claims();
  claim->set_node("n1");
  claim->set_state(9);
  *head.add_claims() = *claim;
  head.mutable_claims(1)->set_state(2);
  head.GetReflection()->MutableUnknownFields(&head)->AddVarint(77, 5);
  const auto m = decode_swim(bytes(head.SerializeAsString()), {});
  REQUIRE(m.ok());
  CHECK(std::holds_alternative<swim::gossip>(m->body));
  CHECK(m->claims.size() == 1);
}

TEST_CASE("swim codec: a list that does not fit a head is cut") {
  swim::message m{swim::sync{}, {}};
  const std::string text(swim::k_text_bytes_max, 't');
  for (std::size_t i = 0; i < k_claims_max + 10; ++i) {
    const auto node = std::to_string(i);
    m.claims.push_back({node, swim::member_state::alive, 1, "",
                        std::make_shared<const swim::member_info>(
                            swim::member_info{node, 1, text, text, text, text, text})});
  }
  const auto parts = encode_swim(m);
  CHECK(parts.head.size() <= k_head_bytes_max);
  const auto arrived = decode_swim(parts.head, parts.body);
  REQUIRE(arrived.ok());
  CHECK(arrived->claims.size() > 1000);
  CHECK(arrived->claims.size() < k_claims_max);
}

TEST_CASE("swim codec: texts cannot carry control characters into our answers") {
  v1::SwimMessage head;
  auto* claim = head.add_claims();
  claim->set_node("n1");
  claim->set_state(1);
  claim->mutable_info()->set_zone("z\xc3\xbc\n");
  const auto m = decode_swim(bytes(head.SerializeAsString()), {});
  REQUIRE(m.ok());
  CHECK(m->claims[0].info->zone == "z???");
}

}  // namespace cairn::wire
