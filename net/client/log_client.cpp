#include "net/client/log_client.hpp"

#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace cairn::net {

namespace {

namespace json = boost::json;

std::optional<json::object> parse_object(std::string_view text) {
  json::error_code failure;
  auto value = json::parse(json::string_view(text.data(), text.size()), failure);
  if (failure || !value.is_object()) return std::nullopt;
  return std::move(value.as_object());
}

std::string text_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(json::string_view(name.data(), name.size()));
  if (value == nullptr || !value->is_string()) return {};
  return std::string(value->as_string().data(), value->as_string().size());
}

std::optional<std::uint64_t> number_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(json::string_view(name.data(), name.size()));
  if (value == nullptr) return std::nullopt;
  json::error_code failure;
  const auto number = value->to_number<std::uint64_t>(failure);
  if (failure) return std::nullopt;
  return number;
}

bool is_unreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_unreserved(c)) {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string start_of(const read_from& from) {
  if (from.offset) return fmt::format("from={}", *from.offset);
  if (from.time) return fmt::format("from_time={}", escaped(*from.time));
  return from.latest ? "from=latest" : "from=earliest";
}

std::string records_target(const read_call& call) {
  auto target = fmt::format("/v1/logs/{}/records?{}&limit={}&max_bytes={}", escaped(call.log),
                            start_of(call.from), call.limit, call.max_bytes);
  if (call.wait_ms != 0) target += fmt::format("&wait_ms={}", call.wait_ms);
  if (call.linearizable) target += "&consistency=linearizable";
  return target;
}

http_request get_request(std::string target, std::string accept) {
  http_request request;
  request.target = std::move(target);
  request.fields = {{"Accept", std::move(accept)}};
  return request;
}

}  // namespace

std::string problem::sentence() const {
  std::string text = detail.empty() ? title : detail;
  if (text.empty()) text = "no reason given";
  fmt::format_to(std::back_inserter(text), " (HTTP {}", status);
  if (!code.empty()) text += ", " + code;
  if (lowest_offset && next_offset) {
    fmt::format_to(std::back_inserter(text), ", the log holds {} to {}", *lowest_offset,
                   *next_offset);
  } else if (next_offset) {
    fmt::format_to(std::back_inserter(text), ", next offset {}", *next_offset);
  }
  return text + ")";
}

problem to_problem(const http_answer& answer) {
  problem found;
  found.status = answer.status;
  found.next_offset = answer.next_offset;
  if (answer.retry_after_s) found.retry_after_ms = *answer.retry_after_s * 1000;
  const auto document = answer.content_type.find("json") == std::string::npos
                            ? std::nullopt
                            : parse_object(answer.body);
  if (!document) {
    constexpr std::size_t k_shown_bytes = 200;
    found.detail = fmt::format("the node answered {}", answer.body.substr(0, k_shown_bytes));
    found.outcome_unknown = answer.status >= 500;
    return found;
  }
  found.code = text_of(*document, "code");
  found.title = text_of(*document, "title");
  found.detail = text_of(*document, "detail");
  // Only what is said to be rejected is certain when the server is at fault.
  const auto outcome = text_of(*document, "outcome");
  found.outcome_unknown = outcome == "unknown" || (outcome.empty() && answer.status >= 500);
  if (const auto next = number_of(*document, "next_offset")) found.next_offset = next;
  found.lowest_offset = number_of(*document, "lowest_offset");
  found.expected_seq = number_of(*document, "expected_seq");
  if (const auto after = number_of(*document, "retry_after_ms")) {
    found.retry_after_ms = static_cast<std::uint32_t>(std::min<std::uint64_t>(*after, 60'000));
  }
  return found;
}

errc errc_of(std::string_view code) {
  constexpr std::array k_codes{errc::invalid_argument,
                               errc::too_large,
                               errc::not_found,
                               errc::already_exists,
                               errc::offset_not_written,
                               errc::offset_trimmed,
                               errc::expected_offset_missed,
                               errc::unsupported,
                               errc::overloaded,
                               errc::unavailable,
                               errc::disk_full,
                               errc::would_block,
                               errc::locked,
                               errc::outcome_unknown,
                               errc::key_reused,
                               errc::sequence_gap,
                               errc::producer_fenced,
                               errc::sequence_too_old,
                               errc::corruption,
                               errc::io_error};
  for (const auto one : k_codes) {
    if (to_string(one) == code) return one;
  }
  return errc::internal;
}

bool client_failure::may_pass() const {
  if (phase == client_phase::unreachable || phase == client_phase::lost) return true;
  if (!refused) return false;
  return refused->status == 429 || refused->status == 503 || refused->status == 504;
}

error log_client::refused(const http_answer& answer) {
  failure_ = {client_phase::none, to_problem(answer)};
  // A node may be cut off from the others; they may do better.
  const bool elsewhere = answer.status == 503 || answer.status == 504;
  if (elsewhere && http_.unanswered() == 0) http_.turn_to_next_server();
  return {errc_of(failure_.refused->code), failure_.refused->sentence()};
}

error log_client::broken(const error& why) {
  failure_ = {http_.phase(), std::nullopt};
  return why;
}

status log_client::send_append(const append_call& call) {
  http_request request;
  request.method = "POST";
  request.target = fmt::format("/v1/logs/{}/records", escaped(call.log));
  request.content_type = call.content_type;
  request.body = call.body;
  if (call.expected_offset) {
    request.fields.emplace_back("Cairn-Expected-Offset", std::to_string(*call.expected_offset));
  }
  if (!call.idempotency_key.empty()) {
    request.fields.emplace_back("Idempotency-Key", call.idempotency_key);
  }
  if (call.producer) {
    request.fields.emplace_back("Cairn-Producer-Id", call.producer->id);
    request.fields.emplace_back("Cairn-Producer-Epoch", std::to_string(call.producer->epoch));
    request.fields.emplace_back("Cairn-Producer-Seq", std::to_string(call.producer->seq));
  }
  if (call.key) request.fields.emplace_back("Cairn-Key", *call.key);
  if (auto sent = http_.send(request); !sent) return broken(sent.error());
  return {};
}

result<receipt> log_client::receive_append() {
  auto answer = http_.receive();
  if (!answer) return broken(answer.error());
  if (answer->status != 201) return refused(*answer);
  const auto document = parse_object(answer->body);
  const auto offset = document ? number_of(*document, "offset") : std::nullopt;
  const auto count = document ? number_of(*document, "count") : std::nullopt;
  if (!offset || !count) {
    // Stored, but nobody can say where.
    failure_ = {client_phase::garbled, std::nullopt};
    return error{errc::corruption, "the receipt has no offset and count: " + answer->body};
  }
  return receipt{*offset, *count, answer->replayed, std::move(answer->body)};
}

result<receipt> log_client::append(const append_call& call) {
  if (auto sent = send_append(call); !sent) return sent.error();
  return receive_append();
}

result<std::uint64_t> log_client::read(const read_call& call, const line_handler& handler) {
  std::uint64_t count = 0;
  const line_handler counted = [&](std::string_view line) {
    if (line.empty()) return true;
    ++count;
    return handler(line);
  };
  const auto request = get_request(records_target(call), "application/x-ndjson");
  const bool was_open = http_.connected();
  for (int attempt = 0;; ++attempt) {
    auto sent = http_.send(request);
    auto answer = sent ? http_.receive_lines(counted) : result<http_answer>(sent.error());
    if (answer && answer->status == 200) {
      end_seen_ = answer->next_offset;
      return count;
    }
    if (answer) return refused(*answer);
    // A connection that had been open may have been closed meanwhile; nothing was handed over yet.
    const bool again =
        attempt == 0 && was_open && count == 0 && http_.phase() == client_phase::lost;
    if (!again) return broken(answer.error());
  }
}

result<std::string> log_client::read_page_json(const read_call& call) {
  auto answer = http_.exchange(get_request(records_target(call), "application/json"));
  if (!answer) return broken(answer.error());
  if (answer->status != 200) return refused(*answer);
  return std::move(answer->body);
}

status log_client::follow(std::string_view log, const read_from& from,
                          const line_handler& handler) {
  bool stopped = false;
  const line_handler events = [&](std::string_view line) {
    constexpr std::string_view k_data = "data: ";
    if (!line.starts_with(k_data)) return true;
    stopped = !handler(line.substr(k_data.size()));
    return !stopped;
  };
  // A connection of its own: the stream has no end.
  http_.close();
  const auto target = fmt::format("/v1/logs/{}/records?{}", escaped(log), start_of(from));
  if (auto sent = http_.send(get_request(target, "text/event-stream")); !sent) {
    return broken(sent.error());
  }
  auto answer = http_.receive_lines(events);
  if (!answer) return broken(answer.error());
  if (answer->status != 200) return refused(*answer);
  if (stopped) return {};
  failure_ = {client_phase::lost, std::nullopt};
  return error{errc::unavailable, "the node ended the stream"};
}

result<log_summary> log_client::describe(std::string_view log) {
  auto text = get(fmt::format("/v1/logs/{}", escaped(log)));
  if (!text) return text.error();
  const auto document = parse_object(*text);
  const auto lowest = document ? number_of(*document, "lowest_offset") : std::nullopt;
  const auto next = document ? number_of(*document, "next_offset") : std::nullopt;
  if (!lowest || !next) {
    failure_ = {client_phase::garbled, std::nullopt};
    return error{errc::corruption, "the description of the log makes no sense: " + *text};
  }
  return log_summary{*lowest, *next, std::move(*text)};
}

result<std::size_t> log_client::learn_servers() {
  auto text = get("/v1/cluster");
  if (!text) {
    if (!failure_.refused) return text.error();
    return http_.options().servers.size();
  }
  const auto document = parse_object(*text);
  const auto* members = document ? document->if_contains("members") : nullptr;
  std::vector<server_address> found;
  if (members != nullptr && members->is_array()) {
    for (const auto& member : members->get_array()) {
      if (!member.is_object()) continue;
      // A node that listens on every address has not said which one leads to it.
      const auto servers = parse_servers(text_of(member.get_object(), "http"));
      if (servers && servers->front().host != "0.0.0.0" && servers->front().host != "::") {
        found.push_back(servers->front());
      }
    }
  }
  http_.add_servers(found);
  return http_.options().servers.size();
}

result<std::string> log_client::get(std::string target) {
  auto answer = http_.exchange(get_request(std::move(target), "application/json"));
  if (!answer) return broken(answer.error());
  if (answer->status != 200) return refused(*answer);
  return std::move(answer->body);
}

result<std::string> log_client::change(std::string_view method, std::string target,
                                       std::string_view body) {
  http_request request;
  request.method = method;
  request.target = std::move(target);
  request.fields.emplace_back("Accept", "application/json");
  if (!body.empty()) request.content_type = "application/json";
  request.body = body;
  auto answer = http_.exchange(request);
  if (!answer) return broken(answer.error());
  if (answer->status != 200 && answer->status != 201) return refused(*answer);
  return std::move(answer->body);
}

}  // namespace cairn::net
