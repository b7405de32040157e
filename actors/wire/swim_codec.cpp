#include "actors/wire/swim_codec.hpp"

#include "actors/wire/head.hpp"
#include "proto/cairn/v1/peer.pb.h"

#include <algorithm>
#include <fmt/format.h>
#include <memory>

namespace cairn::wire {
namespace {

void put(v1::SwimMember* to, const swim::member_info& info) {
  to->set_number(info.number);
  to->set_peer(info.peer);
  to->set_http(info.http);
  to->set_grpc(info.grpc);
  to->set_version(info.version);
  to->set_zone(info.zone);
}

void put(v1::SwimClaim* to, const swim::claim& c) {
  to->set_node(c.node);
  to->set_state(static_cast<std::uint32_t>(c.state));
  to->set_incarnation(c.incarnation);
  to->set_by(c.by);
  if (c.info) put(to->mutable_info(), *c.info);
}

struct body_encoder {
  v1::SwimMessage& to;

  void operator()(const swim::ping& body) const { to.mutable_ping()->set_sequence(body.sequence); }
  void operator()(const swim::ping_request& body) const {
    to.mutable_ping_request()->set_sequence(body.sequence);
    to.mutable_ping_request()->set_target(body.target);
  }
  void operator()(const swim::ack& body) const { to.mutable_ack()->set_sequence(body.sequence); }
  void operator()(const swim::nack& body) const { to.mutable_nack()->set_sequence(body.sequence); }
  void operator()(const swim::sync& body) const {
    to.mutable_sync()->set_want_answer(body.want_answer);
  }
  void operator()(const swim::gossip&) const { to.mutable_gossip(); }
};

swim::message_body decode_body(const v1::SwimMessage& from) {
  switch (from.what_case()) {
    case v1::SwimMessage::kPing:
      return swim::ping{from.ping().sequence()};
    case v1::SwimMessage::kPingRequest:
      return swim::ping_request{from.ping_request().sequence(), from.ping_request().target()};
    case v1::SwimMessage::kAck:
      return swim::ack{from.ack().sequence()};
    case v1::SwimMessage::kNack:
      return swim::nack{from.nack().sequence()};
    case v1::SwimMessage::kSync:
      return swim::sync{from.sync().want_answer()};
    case v1::SwimMessage::kGossip:
    case v1::SwimMessage::WHAT_NOT_SET:
      break;
  }
  return swim::gossip{};
}

status check_name(std::string_view name, std::string_view what) {
  const auto printable = [](char c) { return c > ' ' && c <= '~'; };
  if (name.size() <= swim::k_text_bytes_max && std::all_of(name.begin(), name.end(), printable)) {
    return {};
  }
  return error{errc::invalid_argument,
               fmt::format("{} '{}' is too long or not printable", what,
                           clean_text(name.substr(0, swim::k_text_bytes_max)))};
}

result<swim::claim> decode_claim(const v1::SwimClaim& from) {
  if (auto name = check_name(from.node(), "node"); !name) return name.error();
  if (auto name = check_name(from.by(), "accuser"); !name) return name.error();
  swim::claim c{from.node(), static_cast<swim::member_state>(from.state()), from.incarnation(),
                from.by(), nullptr};
  if (!from.has_info()) return c;
  const auto& told = from.info();
  swim::member_info info{from.node(), told.number(), {}, {}, {}, {}, {}};
  const std::pair<const std::string*, std::string*> texts[] = {{&told.peer(), &info.peer},
                                                               {&told.http(), &info.http},
                                                               {&told.grpc(), &info.grpc},
                                                               {&told.version(), &info.version},
                                                               {&told.zone(), &info.zone}};
  for (const auto& [in, out] : texts)
    *out = clean_text(*in);
  c.info = std::make_shared<const swim::member_info>(std::move(info));
  return c;
}

bool known_state(std::uint32_t state) {
  return state >= static_cast<std::uint32_t>(swim::member_state::alive) &&
         state <= static_cast<std::uint32_t>(swim::member_state::left);
}

}  // namespace

envelope_parts encode_swim(const swim::message& m) {
  // Texts of a claim at their longest, and some for numbers and tags.
  constexpr std::size_t k_claim_bytes_max = 8 * (swim::k_text_bytes_max + 8);
  v1::SwimMessage head;
  std::visit(body_encoder{head}, m.body);
  std::size_t size = 0;
  for (const auto& c : m.claims) {
    if (head.claims_size() >= static_cast<int>(k_claims_max)) break;
    if (size + k_claim_bytes_max > k_head_bytes_max) break;
    auto* to = head.add_claims();
    put(to, c);
    size += to->ByteSizeLong() + 8;
  }
  return {peer_kind::swim, peer_lane::control, head_bytes(head), {}};
}

result<swim::message> decode_swim(const shared_bytes& head, const shared_bytes& body) {
  if (auto sizes = check_sizes(head, body); !sizes) return sizes.error();
  if (!body.empty()) return refused("size of the body", body.size());
  v1::SwimMessage from;
  if (!parse_head(head, from)) return error{errc::invalid_argument, "head is no SwimMessage"};
  if (from.claims_size() > static_cast<int>(k_claims_max)) {
    return refused("claims of a message", static_cast<std::uint64_t>(from.claims_size()));
  }
  if (auto name = check_name(from.ping_request().target(), "target"); !name) return name.error();
  swim::message m{decode_body(from), {}};
  m.claims.reserve(static_cast<std::size_t>(from.claims_size()));
  for (const auto& one : from.claims()) {
    if (!known_state(one.state())) continue;
    auto c = decode_claim(one);
    if (!c) return c.error();
    m.claims.push_back(std::move(*c));
  }
  const auto reason = swim::malformed(m);
  if (!reason.empty()) return error{errc::invalid_argument, std::string(reason)};
  return m;
}

}  // namespace cairn::wire
