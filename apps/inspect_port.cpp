#include "apps/inspect_port.hpp"

#include "actors/inspect/inspect_question.hpp"
#include "actors/inspect/inspect_type_ids.hpp"
#include "apps/port_failure.hpp"

#include <algorithm>

namespace cairn::apps {

namespace {

/// Codes cross the wire: one that this version does not know must not get through.
errc code_of(std::uint32_t number) {
  const auto code = static_cast<errc>(number);
  const bool known = number <= UINT8_MAX && to_string(code) != to_string(errc::internal);
  return known ? code : errc::internal;
}

}  // namespace

caf::message inspect_message(v1::InspectRequest question, std::chrono::milliseconds deadline) {
  question.set_id(0);
  question.set_forwarded(false);
  question.set_deadline_ms(static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(deadline.count(), 1, actors::k_inspect_deadline_ms_max)));
  return caf::make_message(
      actors::inspect_question{std::make_shared<const v1::InspectRequest>(std::move(question))});
}

net::outcome<net::inspect_answer> inspect_outcome(caf::message& response) {
  auto got = response_of<actors::inspect_reply>(response);
  if (auto* failure = std::get_if<net::failure>(&got)) return std::move(*failure);
  auto& reply = *std::get<actors::inspect_reply*>(got);
  if (reply.what->code() != 0) {
    return make_failure(code_of(reply.what->code()), reply.what->detail());
  }
  return net::inspect_answer{.what = reply.what, .body = reply.body};
}

}  // namespace cairn::apps
