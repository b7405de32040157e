// Logs, cluster and actors as the node describes them.
#include "net/handlers/describe_json.hpp"
#include "net/handlers/handlers.hpp"
#include "net/http/json_out.hpp"

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

/// ?node= and ?cluster= ask other nodes, which there are none of yet.
std::optional<problem> check_scope(exchange& x, query_reader& query) {
  const auto node = query.take("node");
  if (node && *node != x.context().node->node_id()) {
    return make_problem(404, to_string(errc::not_found),
                        fmt::format("there is no node '{}'", *node));
  }
  const auto cluster = query.take("cluster");
  if (!cluster || *cluster == "false") return std::nullopt;
  if (*cluster != "true") {
    return bad_argument(
        fmt::format("query parameter 'cluster' is '{}', neither 'true' nor 'false'", *cluster));
  }
  return make_problem(501, to_string(errc::unsupported),
                      "cluster=true is not supported by this version");
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

void run_describe_cluster(exchange& x, const request_head&, std::string_view) {
  exchange* const waiting = &x;
  wait_for(x, x.context().port->describe_cluster([waiting](outcome<cluster_description> got) {
    answer_with(*waiting, got, [](std::string& out, const cluster_description& cluster) {
      append_json(out, cluster);
    });
  }));
}

std::optional<problem> check_actors(exchange& x, check_input& in) {
  if (auto wrong = check_json_only(x, in)) return wrong;
  if (x.route == route_id::actor) {
    const auto id = parse_exact_u64(in.item);
    if (!id || *id == 0)
      return bad_argument(fmt::format("'{}' in the path is no actor id", in.item));
    x.parameters.actor_id = *id;
  }
  return check_scope(x, in.query);
}

void run_list_actors(exchange& x, const request_head&, std::string_view) {
  exchange* const waiting = &x;
  wait_for(x, x.context().port->describe_actors(
                  0, [waiting](outcome<std::vector<actor_description>> got) {
                    answer_with(*waiting, got, [waiting](std::string& out, const auto& actors) {
                      out += "{\"node\":";
                      append_json_lossy(out, waiting->context().node->node_id());
                      out += ",\"actors\":[";
                      for (std::size_t i = 0; i < actors.size(); ++i) {
                        if (i > 0) out += ',';
                        append_json(out, actors[i], false);
                      }
                      out += "]}";
                    });
                  }));
}

void run_describe_actor(exchange& x, const request_head&, std::string_view) {
  exchange* const waiting = &x;
  wait_for(x, x.context().port->describe_actors(
                  x.parameters.actor_id, [waiting](outcome<std::vector<actor_description>> got) {
                    const auto* actors = std::get_if<std::vector<actor_description>>(&got);
                    if (actors != nullptr && actors->empty()) {
                      waiting->settled();
                      return waiting->fail(
                          failure{.code = errc::not_found, .detail = "there is no such actor"});
                    }
                    answer_with(*waiting, got, [](std::string& out, const auto& found) {
                      append_json(out, found.front(), true);
                    });
                  }));
}

}  // namespace cairn::net
