// Logs, cluster and actors as the node describes them.
#include "net/handlers/describe_json.hpp"
#include "net/handlers/handlers.hpp"
#include "net/handlers/inspect.hpp"
#include "net/handlers/inspect_json.hpp"

#include <fmt/format.h>

namespace cairn::net {

namespace {

/// Remembers what is waited for, and for how long.
void wait_for(exchange& x, request_id pending) {
  x.pending = pending;
  x.deadline = x.context().now + x.context().limits->read_deadline;
}

/// Answers with what `append` makes of the value, or with the failure.
template <class T, class Append>
void answer_with(exchange& x, const outcome<T>& got, Append append) {
  x.settled();
  if (const auto* failed = std::get_if<failure>(&got)) return x.fail(*failed);
  std::string text;
  append(text, std::get<T>(got));
  text += '\n';
  x.answer(200, k_json_type, text);
}

}  // namespace

std::optional<problem> check_json_only(exchange&, check_input& in) {
  std::size_t chosen = 0;
  return negotiate_or_refuse(in.head, {&k_json_type, 1}, chosen);
}

void run_list_logs(exchange& x, const request_head&, std::string_view) {
  exchange* const waiting = &x;
  wait_for(x, x.context().port->list_logs([waiting](outcome<std::vector<log_description>> got) {
    answer_with(*waiting, got, [](std::string& out, const std::vector<log_description>& logs) {
      out += "{\"logs\":[";
      for (std::size_t i = 0; i < logs.size(); ++i) {
        if (i > 0) out += ',';
        append_json(out, logs[i]);
      }
      out += "]}";
    });
  }));
}

void run_describe_log(exchange& x, const request_head&, std::string_view) {
  exchange* const waiting = &x;
  wait_for(
      x, x.context().port->describe_log(x.parameters.log, [waiting](outcome<log_description> got) {
        answer_with(*waiting, got,
                    [](std::string& out, const log_description& log) { append_json(out, log); });
      }));
}

std::optional<problem> check_inspection(exchange& x, check_input& in) {
  if (auto wrong = check_json_only(x, in)) return wrong;
  return take_scope(x, in.query);
}

void run_describe_cluster(exchange& x, const request_head&, std::string_view) {
  v1::InspectRequest question;
  question.mutable_members();
  answer_inspection(x, std::move(question), append_members);
}

void run_describe_node(exchange& x, const request_head&, std::string_view) {
  v1::InspectRequest question;
  question.mutable_node_facts();
  answer_inspection(x, std::move(question), append_node_facts);
}

void run_describe_raft(exchange& x, const request_head&, std::string_view) {
  v1::InspectRequest question;
  question.mutable_raft();
  answer_inspection(x, std::move(question), append_raft);
}

std::optional<problem> check_actor(exchange& x, check_input& in) {
  const auto id = parse_exact_u64(in.item);
  if (!id || *id == 0) return bad_argument(fmt::format("'{}' in the path is no actor id", in.item));
  x.parameters.actor_id = *id;
  return check_inspection(x, in);
}

void run_list_actors(exchange& x, const request_head&, std::string_view) {
  v1::InspectRequest question;
  question.mutable_actors();
  answer_inspection(x, std::move(question), append_actors);
}

void run_describe_actor(exchange& x, const request_head&, std::string_view) {
  v1::InspectRequest question;
  question.mutable_actors()->set_actor(x.parameters.actor_id);
  answer_inspection(x, std::move(question), append_actor);
}

}  // namespace cairn::net
