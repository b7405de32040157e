#pragma once
// What members say to each other. Plain values; the wire form is the driver's
// (actors/wire/swim_codec.hpp). May be lost, doubled and reordered.

#include "actors/swim/types.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cairn::swim {

/// What somebody says about a member; travels on every message (SWIM 4.1).
struct claim {
  std::string node;
  member_state state = member_state::alive;
  std::uint64_t incarnation = 0;
  std::string by;  ///< who suspected it or gave it up; empty for alive
  info_ptr info;   ///< always with alive; may be missing otherwise
};

/// Answer me (SWIM 3.1).
struct ping {
  std::uint64_t sequence = 0;
};
/// Ping `target` for me (SWIM 3.1).
struct ping_request {
  std::uint64_t sequence = 0;
  std::string target;
};
/// To a ping, or to a ping_request whose target has answered.
struct ack {
  std::uint64_t sequence = 0;
};
/// To a ping_request: I am here, but the target has not answered me yet (Lifeguard IV-A).
struct nack {
  std::uint64_t sequence = 0;
};
/// The claims are all that the sender knows.
struct sync {
  bool want_answer = false;
};
/// Nothing but claims.
struct gossip {};

using message_body = std::variant<ping, ping_request, ack, nack, sync, gossip>;

struct message {
  message_body body;
  std::vector<claim> claims;
};

/// Stable lower-case name of the body, such as "ping-request".
[[nodiscard]] std::string_view name_of(const message_body& body);

/// Why no honest member can have sent this, or an empty text: names missing or too long,
/// incarnations beyond the limit, alive without information.
[[nodiscard]] std::string_view malformed(const message& m);

}  // namespace cairn::swim
