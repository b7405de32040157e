// Who is in the cluster, and who leads: requests that change it.
#include "net/handlers/handlers.hpp"
#include "net/http/json_out.hpp"
#include "net/records/ascii.hpp"
#include "net/records/string_fields.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace cairn::net {

namespace {

constexpr std::uint64_t k_change_body_bytes = 4096;
constexpr std::size_t k_peer_bytes_max = 128;

bool is_node_id(std::string_view text) {
  const auto letter_or_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !text.empty() && text.size() <= 64 && letter_or_digit(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return letter_or_digit(c) || c == '.' || c == '_' || c == '-';
         });
}

error no_node_id(std::string_view field, std::string_view text) {
  return {
      errc::invalid_argument,
      fmt::format("{}: '{}' is no node id: 1-64 letters, digits, '.', '_' or '-', beginning with "
                  "a letter or digit",
                  field, text.substr(0, 80))};
}

std::optional<problem> check_change(exchange& x, check_input& in) {
  std::size_t chosen = 0;
  if (auto wrong = negotiate_or_refuse(in.head, {&k_json_type, 1}, chosen)) return wrong;
  return in.query.take_number("timeout_ms", 1, k_append_timeout_ms_max, x.parameters.timeout_ms);
}

std::optional<problem> check_change_with_body(exchange& x, check_input& in) {
  if (auto wrong = check_change(x, in)) return wrong;
  const auto type = in.head.content_type.value_or(std::string_view{});
  if (!iequals(type.substr(0, type.find(';')), k_json_type)) {
    return make_problem(
        415, "unsupported-media-type",
        fmt::format("the content type is '{}', understood is {}", type, k_json_type));
  }
  x.body_limit_bytes = k_change_body_bytes;
  return std::nullopt;
}

/// Answers with what `append` makes of a success.
template <class Append>
void submit(exchange& x, cluster_change change, Append append) {
  worker_context& context = x.context();
  change.deadline = context.now + std::chrono::milliseconds(x.parameters.timeout_ms);
  // The node knows best what became of it.
  x.deadline = change.deadline + context.limits->backend_grace;
  exchange* const waiting = &x;
  auto done = [waiting, append, change](const outcome<cluster_changed>& got) {
    waiting->settled();
    if (const auto* failed = std::get_if<failure>(&got)) return waiting->fail(*failed);
    const auto& now = std::get<cluster_changed>(got);
    std::string text;
    append(text, change, now);
    const bool made = change.what == cluster_change::action::add_member && now.changed;
    waiting->answer(made ? 201 : 200, k_json_type, text);
  };
  x.pending = context.port->change_cluster(std::move(change), std::move(done));
}

void append_member_changed(std::string& out, const cluster_change& change,
                           const cluster_changed& now) {
  const bool added = change.what == cluster_change::action::add_member;
  out += "{\"member\":";
  append_json_lossy(out, change.node);
  append_json_key(out, "change");
  append_json_lossy(out, !now.changed ? "none" : added ? "added" : "removed");
  append_json_key(out, "leader");
  append_json_lossy(out, now.leader);
  out += "}\n";
}

void append_leader_moved(std::string& out, const cluster_change& change,
                         const cluster_changed& now) {
  out += "{\"log\":";
  append_json_lossy(out, change.log);
  append_json_key(out, "leader");
  append_json_lossy(out, now.leader);
  append_json_key(out, "term");
  append_number(out, now.term.value());
  out += "}\n";
}

void refuse(exchange& x, const error& why) {
  x.fail(failure{.code = why.code, .detail = why.detail});
}

}  // namespace

std::optional<problem> check_add_member(exchange& x, check_input& in) {
  return check_change_with_body(x, in);
}

void run_add_member(exchange& x, const request_head&, std::string_view body) {
  constexpr std::array<std::string_view, 2> k_fields{"id", "peer"};
  auto fields = parse_string_fields(body, k_fields);
  if (!fields) return refuse(x, fields.error());
  auto& id = fields->front();
  auto& peer = fields->back();
  if (!is_node_id(id)) return refuse(x, no_node_id("id", id));
  if (peer.empty() || peer.size() > k_peer_bytes_max) {
    return refuse(x, {errc::invalid_argument, "peer: expected ADDRESS:PORT"});
  }
  submit(x,
         {.what = cluster_change::action::add_member,
          .node = std::move(id),
          .peer = std::move(peer),
          .deadline = {}},
         append_member_changed);
}

std::optional<problem> check_remove_member(exchange& x, check_input& in) {
  if (auto wrong = check_change(x, in)) return wrong;
  if (!is_node_id(in.item)) return bad_argument(no_node_id("the path", in.item).detail);
  x.parameters.member = in.item;
  return std::nullopt;
}

void run_remove_member(exchange& x, const request_head&, std::string_view) {
  submit(
      x,
      {.what = cluster_change::action::remove_member, .node = x.parameters.member, .deadline = {}},
      append_member_changed);
}

std::optional<problem> check_move_leader(exchange& x, check_input& in) {
  return check_change_with_body(x, in);
}

void run_move_leader(exchange& x, const request_head&, std::string_view body) {
  constexpr std::array<std::string_view, 1> k_fields{"node"};
  auto fields = parse_string_fields(body, k_fields);
  if (!fields) return refuse(x, fields.error());
  if (!is_node_id(fields->front())) return refuse(x, no_node_id("node", fields->front()));
  submit(x,
         {.what = cluster_change::action::move_leader,
          .node = std::move(fields->front()),
          .log = x.parameters.log,
          .deadline = {}},
         append_leader_moved);
}

}  // namespace cairn::net
