// GET /v1/recorder: what a node's consensus was told last, as bytes for `cairn replay`.
#include "net/handlers/inspect.hpp"

namespace cairn::net {

namespace {

constexpr std::string_view k_dump_type = "application/octet-stream";

}  // namespace

std::optional<problem> check_recorder(exchange& x, check_input& in) {
  if (auto wrong = take_scope(x, in.query)) return wrong;
  if (x.parameters.whole_cluster) {
    return bad_argument("a dump is of one node: name it with 'node', leave 'cluster' out");
  }
  return std::nullopt;
}

void run_recorder(exchange& x, const request_head&, std::string_view) {
  v1::InspectRequest question;
  question.mutable_recorder();
  question.set_node(x.parameters.node);
  x.deadline = x.context().now + 2 * k_inspect_deadline + x.context().limits->backend_grace;
  exchange* const waiting = &x;
  x.pending = x.context().port->inspect(
      std::move(question), k_inspect_deadline, [waiting](const outcome<inspect_answer>& got) {
        waiting->settled();
        if (const auto* failed = std::get_if<failure>(&got)) return waiting->fail(*failed);
        waiting->answer(200, k_dump_type, std::get<inspect_answer>(got).body.text());
      });
}

}  // namespace cairn::net
