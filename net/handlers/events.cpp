// GET /v1/events: what has happened on nodes, as it happens or as it is known now.
#include "net/handlers/handlers.hpp"
#include "net/handlers/inspect.hpp"
#include "net/handlers/json_members.hpp"
#include "net/handlers/node_event_stream.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cairn::net {

namespace {

/// Parameters of the exchange that only this route has.
std::optional<problem> take_kinds(query_reader& query, event_filter& filter) {
  const auto text = query.take("kind");
  if (!text) return std::nullopt;
  const auto& known = event_kinds();
  std::string_view rest = *text;
  do {
    const auto comma = std::min(rest.find(','), rest.size());
    const auto kind = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (std::find(known.begin(), known.end(), kind) == known.end()) {
      return bad_argument(fmt::format("query parameter 'kind' names '{}', none of {}", kind,
                                      fmt::join(known, ", ")));
    }
    filter.kinds.emplace(kind);
  } while (!rest.empty());
  return std::nullopt;
}

std::optional<problem> take_after(query_reader& query, const request_head& head,
                                  event_filter& filter) {
  // Last-Event-ID goes before `after`: a browser that connects again sends both.
  const auto after = query.take("after");
  const bool resumes = head.last_event_id && !head.last_event_id->empty();
  if (!resumes && !after) return std::nullopt;
  const auto text = resumes ? *head.last_event_id : *after;
  const auto positions = parse_positions(text);
  if (!positions || positions->empty()) {
    return bad_argument(
        fmt::format("{} is '{}', not an event's id such as 'n1:1f.7'",
                    resumes ? "the header Last-Event-ID" : "query parameter 'after'", text));
  }
  filter.after = *positions;
  return std::nullopt;
}

/// Whether the answer has no end, by ?follow= and what the client accepts.
std::optional<problem> take_follow(const check_input& in, bool& follows) {
  constexpr std::array<std::string_view, 2> offers{"text/event-stream", k_json_type};
  const auto follow = in.query.take("follow");
  if (follow && *follow != "true" && *follow != "false") {
    return bad_argument(
        fmt::format("query parameter 'follow' is '{}', neither 'true' nor 'false'", *follow));
  }
  std::size_t chosen = 0;
  if (follow && *follow == "false") {
    follows = false;
    return negotiate_or_refuse(in.head, {&offers[1], 1}, chosen);
  }
  if (follow) {
    follows = true;
    return negotiate_or_refuse(in.head, {&offers[0], 1}, chosen);
  }
  if (auto wrong = negotiate_or_refuse(in.head, offers, chosen)) return wrong;
  follows = chosen == 0;
  return std::nullopt;
}

void append_events(std::string& out, const v1::InspectAnswer& answer, const event_filter& filter) {
  const auto& page = answer.events();
  member(out, "node", answer.node());
  append_json_key(out, "events");
  out += '[';
  bool first = true;
  for (const auto& event : page.events()) {
    if (!filter.takes(event)) continue;
    if (!std::exchange(first, false)) out += ',';
    append_event(out, answer.node(), page.boot(), event);
  }
  out += ']';
  member(out, "next", to_text({{answer.node(), {page.boot(), page.next()}}}));
  member(out, "more", page.more());
}

}  // namespace

std::optional<problem> check_events(exchange& x, check_input& in) {
  auto filter = std::make_shared<event_filter>();
  if (auto wrong = take_follow(in, x.parameters.follows)) return wrong;
  if (auto wrong = take_scope(x, in.query)) return wrong;
  if (auto wrong = take_kinds(in.query, *filter)) return wrong;
  if (auto wrong = take_after(in.query, in.head, *filter)) return wrong;
  if (!x.parameters.follows && x.parameters.whole_cluster && !filter->after.empty()) {
    return bad_argument("query parameter 'after' needs one node: not together with 'cluster'");
  }
  x.parameters.events = std::move(filter);
  return std::nullopt;
}

void run_events(exchange& x, const request_head&, std::string_view) {
  if (x.parameters.follows) {
    auto stream = std::make_unique<node_event_stream>(x, *x.parameters.events);
    auto* const begun = stream.get();
    x.stream = std::move(stream);
    return begun->start();
  }
  v1::InspectRequest question;
  auto& events = *question.mutable_events();
  const auto& filter = *x.parameters.events;
  const auto& node = x.parameters.node.empty() ? x.context().node->node_id() : x.parameters.node;
  if (const auto at = filter.after.find(node); at != filter.after.end()) {
    events.set_after(at->second.id);
  }
  answer_inspection(x, std::move(question),
                    [filter](std::string& out, const v1::InspectAnswer& answer) {
                      append_events(out, answer, filter);
                    });
}

}  // namespace cairn::net
