// Appending: POST /v1/logs/{log}/records and proglog's POST /.
#include "net/handlers/append_identity.hpp"
#include "net/handlers/handlers.hpp"
#include "net/http/json_out.hpp"
#include "net/records/append_body.hpp"
#include "net/records/proglog_json.hpp"
#include "net/records/record_format.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

namespace cairn::net {

namespace {

constexpr std::string_view k_header_prefix = "Cairn-Header-";
constexpr std::string_view k_replayed_line = "Cairn-Replayed: true\r\n";

problem unsupported_media(std::string detail) {
  return make_problem(415, "unsupported-media-type", std::move(detail));
}

/// The Cairn-... headers of an append: known or a mistake. None is ignored.
std::optional<problem> check_cairn_fields(exchange& x, const request_head& head) {
  bool has_key = false;
  identity_fields identity;
  const bool one_record = holds_one_record(*x.parameters.content.format);
  for (const header_field& field : head.cairn_fields) {
    const bool is_key = iequals(field.name, "Cairn-Key");
    const bool is_header = field.name.size() > k_header_prefix.size() &&
                           iequals(field.name.substr(0, k_header_prefix.size()), k_header_prefix);
    if (is_key || is_header) {
      if (is_key && std::exchange(has_key, true)) {
        return bad_argument("the header Cairn-Key is given twice");
      }
      if (!one_record) {
        return bad_argument(
            fmt::format("the header {} is for one record, the body is a batch: say it in the body",
                        field.name));
      }
    } else if (iequals(field.name, "Cairn-Expected-Offset")) {
      const auto offset = parse_exact_u64(field.value);
      if (!offset || x.parameters.expected_offset) {
        return bad_argument(
            fmt::format("the header Cairn-Expected-Offset is '{}' or given twice, not one offset",
                        field.value));
      }
      x.parameters.expected_offset = record_offset(*offset);
    } else if (!identity.take(field)) {
      return bad_argument(fmt::format("unknown header {}", field.name));
    }
  }
  return identity.finish(x.parameters.identity);
}

std::optional<problem> check_encoding(const request_head& head) {
  if (head.content_encoding && !iequals(*head.content_encoding, "identity")) {
    return unsupported_media(
        fmt::format("the content coding '{}' is not supported", *head.content_encoding));
  }
  return std::nullopt;
}

void append_receipt_json(std::string& out, std::string_view log, const append_receipt& receipt) {
  // No part of it needs escaping: a log's name has no special characters.
  out += "{\"log\":\"";
  out += log;
  out += "\",\"offset\":";
  append_number(out, receipt.offset.value());
  out += ",\"count\":";
  append_number(out, receipt.count);
  out += ",\"timestamp\":\"";
  append_rfc3339(out, receipt.timestamp_ms);
  out += "\",\"term\":";
  append_number(out, receipt.term.value());
  out += ",\"index\":";
  append_number(out, receipt.index.value());
  out += ",\"durable_on\":";
  append_number(out, receipt.durable_on);
  out += ",\"replicas\":";
  append_number(out, receipt.replicas);
  out += "}\n";
}

void answer_receipt(exchange& x, const append_receipt& receipt) {
  thread_local std::string body;
  thread_local std::string lines;
  body.clear();
  append_receipt_json(body, x.parameters.log, receipt);
  lines.assign("Location: /v1/logs/").append(x.parameters.log).append("/records/");
  append_number(lines, receipt.offset.value());
  lines += "\r\n";
  if (receipt.replayed) lines += k_replayed_line;
  x.answer(201, k_json_type, body, lines);
}

void on_appended(exchange& x, const outcome<append_receipt>& got) {
  x.settled();
  if (const auto* failed = std::get_if<failure>(&got)) return x.fail(*failed);
  const auto& receipt = std::get<append_receipt>(got);
  if (x.route != route_id::proglog) return answer_receipt(x, receipt);
  x.answer(200, k_json_type, format_proglog_produced(receipt.offset),
           receipt.replayed ? k_replayed_line : std::string_view{});
}

void submit(exchange& x, encoded_batch batch) {
  worker_context& context = x.context();
  append_request request;
  request.log = x.parameters.log;
  request.batch = std::move(batch);
  if (x.parameters.identity) {
    request.batch.payload = proto::encode_append_stamp(
        *x.parameters.identity, {request.batch.payload, request.batch.record_count});
  }
  request.expected_offset = x.parameters.expected_offset;
  request.deadline = context.now + std::chrono::milliseconds(x.parameters.timeout_ms);
  // The node knows best what became of it; the gateway only speaks if the node does not.
  x.deadline = request.deadline + context.limits->backend_grace;
  exchange* const waiting = &x;
  x.pending = context.port->append(
      std::move(request), [waiting](outcome<append_receipt> got) { on_appended(*waiting, got); });
}

}  // namespace

std::optional<problem> check_append(exchange& x, check_input& in) {
  if (auto wrong = check_encoding(in.head)) return wrong;
  x.parameters.content = classify_content_type(in.head.content_type.value_or(std::string_view{}));
  if (!x.parameters.content.format) {
    return unsupported_media(std::move(x.parameters.content.detail));
  }
  if (auto wrong = check_cairn_fields(x, in.head)) return wrong;
  std::size_t chosen = 0;
  if (auto wrong = negotiate_or_refuse(in.head, {&k_json_type, 1}, chosen)) return wrong;
  if (auto wrong =
          in.query.take_number("timeout_ms", 1, k_append_timeout_ms_max, x.parameters.timeout_ms)) {
    return wrong;
  }
  x.body_limit_bytes = x.context().limits->body_bytes;
  if (holds_one_record(*x.parameters.content.format)) {
    // The record's exact size is judged once it is there; this much is too much in any case.
    constexpr std::uint64_t k_slack_bytes = 64;  // white space around a JSON text
    x.body_limit_bytes =
        std::min(x.body_limit_bytes, x.parameters.max_record_bytes + k_slack_bytes);
  }
  return std::nullopt;
}

void run_append(exchange& x, const request_head& head, std::string_view body) {
  thread_local std::vector<proto::header_view> record_headers;
  record_headers.clear();
  append_body_options options;
  options.content_type = head.content_type.value_or(std::string_view{});
  options.max_record_bytes = x.parameters.max_record_bytes;
  for (const header_field& field : head.cairn_fields) {
    if (iequals(field.name, "Cairn-Key")) {
      options.key = as_byte_span(field.value);
    } else if (iequals(field.name.substr(0, k_header_prefix.size()), k_header_prefix)) {
      record_headers.push_back(
          {field.name.substr(k_header_prefix.size()), as_byte_span(field.value)});
    }
  }
  options.headers = record_headers;
  auto batch = parse_append_body(body, options);
  if (!batch) return x.fail(failure{.code = batch.error().code, .detail = batch.error().detail});
  submit(x, std::move(*batch));
}

std::optional<problem> check_proglog_produce(exchange& x, check_input& in) {
  // proglog's clients send any content type, curl's default for one.
  if (auto wrong = check_encoding(in.head)) return wrong;
  std::size_t chosen = 0;
  if (auto wrong = negotiate_or_refuse(in.head, {&k_json_type, 1}, chosen)) return wrong;
  identity_fields identity;
  for (const header_field& field : in.head.cairn_fields) {
    if (!identity.take(field)) {
      return bad_argument(fmt::format(
          "the header {} is not for this path, use /v1/logs/{{log}}/records", field.name));
    }
  }
  if (auto wrong = identity.finish(x.parameters.identity)) return wrong;
  x.body_limit_bytes = std::min(x.context().limits->body_bytes,
                                x.parameters.max_record_bytes / 3 * 4 + std::uint64_t{1024});
  return std::nullopt;
}

void run_proglog_produce(exchange& x, const request_head&, std::string_view body) {
  auto batch = parse_proglog_produce(body, x.parameters.max_record_bytes);
  if (!batch) return x.fail(failure{.code = batch.error().code, .detail = batch.error().detail});
  submit(x, std::move(*batch));
}

}  // namespace cairn::net
