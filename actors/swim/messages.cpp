#include "actors/swim/messages.hpp"

#include <array>

namespace cairn::swim {
namespace {

bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= k_text_bytes_max;
}

std::string_view malformed_info(const claim& c) {
  if (!c.info) return c.state == member_state::alive ? "alive without information" : "";
  const auto& info = *c.info;
  if (info.node_id != c.node) return "information about another member";
  for (const auto* text : {&info.peer, &info.http, &info.grpc, &info.version, &info.zone}) {
    if (text->size() > k_text_bytes_max) return "text of a member is too long";
  }
  return {};
}

std::string_view malformed_claim(const claim& c) {
  if (!is_name(c.node)) return "name of a member is empty or too long";
  if (c.by.size() > k_text_bytes_max) return "name of an accuser is too long";
  if (c.state < member_state::alive || c.state > member_state::left) return "unknown state";
  if (c.incarnation >= k_incarnation_limit) return "incarnation out of range";
  return malformed_info(c);
}

}  // namespace

std::string_view name_of(const message_body& body) {
  constexpr std::array<std::string_view, std::variant_size_v<message_body>> names = {
      "ping", "ping-request", "ack", "nack", "sync", "gossip"};
  return names[body.index()];
}

std::string_view malformed(const message& m) {
  if (const auto* request = std::get_if<ping_request>(&m.body)) {
    if (!is_name(request->target)) return "name of a target is empty or too long";
  }
  for (const auto& c : m.claims) {
    const auto reason = malformed_claim(c);
    if (!reason.empty()) return reason;
  }
  return {};
}

}  // namespace cairn::swim
