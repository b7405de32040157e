// Reading: a range, one record, proglog's GET /.
#include "net/handlers/event_stream.hpp"
#include "net/handlers/frame_cursor.hpp"
#include "net/handlers/handlers.hpp"
#include "net/handlers/range_stream.hpp"
#include "net/http/rfc3339.hpp"
#include "net/records/proglog_json.hpp"
#include "net/records/record_format.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace cairn::net {

namespace {

constexpr std::string_view k_bytes_type = "application/octet-stream";

std::optional<problem> take_consistency(exchange& x, query_reader& query) {
  const auto text = query.take("consistency");
  if (!text) return std::nullopt;
  if (*text != "linearizable") {
    return bad_argument(
        fmt::format("query parameter 'consistency' is '{}', not 'linearizable'", *text));
  }
  x.parameters.read.linearizable = true;
  return std::nullopt;
}

/// `from` or `from_time`, at most one of them.
std::optional<problem> take_start(exchange& x, query_reader& query) {
  read_request& read = x.parameters.read;
  const auto from = query.take("from");
  const auto from_time = query.take("from_time");
  if (from && from_time) {
    return bad_argument("query parameters 'from' and 'from_time' exclude each other");
  }
  if (from_time) {
    const auto time = parse_time(*from_time);
    if (!time) {
      return bad_argument(fmt::format(
          "query parameter 'from_time' is '{}', neither RFC 3339 nor epoch milliseconds",
          *from_time));
    }
    read.start = read_start::at_time;
    read.time_ms = *time;
  } else if (from && *from == "latest") {
    read.start = read_start::latest;
  } else if (from && *from != "earliest") {
    const auto offset = parse_exact_u64(*from);
    if (!offset) {
      return bad_argument(fmt::format(
          "query parameter 'from' is '{}', not an offset, 'earliest' or 'latest'", *from));
    }
    read.start = read_start::at_offset;
    read.offset = record_offset(*offset);
  }
  return std::nullopt;
}

/// Last-Event-ID goes before `from`: a browser that connects again sends both.
std::optional<problem> take_last_event(exchange& x, const request_head& head) {
  if (!head.last_event_id || head.last_event_id->empty()) return std::nullopt;
  const auto last = parse_exact_u64(*head.last_event_id);
  if (!last || *last == std::numeric_limits<std::uint64_t>::max()) {
    return bad_argument(
        fmt::format("the header Last-Event-ID is '{}', not an offset", *head.last_event_id));
  }
  x.parameters.read.start = read_start::at_offset;
  x.parameters.read.offset = record_offset(*last + 1);
  return std::nullopt;
}

std::optional<problem> take_amounts(exchange& x, query_reader& query) {
  std::uint64_t limit = k_read_limit_default;
  std::uint64_t max_bytes = k_read_bytes_default;
  std::uint64_t wait_ms = 0;
  if (auto wrong = query.take_number("limit", 1, k_read_limit_max, limit)) return wrong;
  if (auto wrong = query.take_number("max_bytes", 1, k_read_bytes_max, max_bytes)) return wrong;
  if (auto wrong = query.take_number("wait_ms", 0, k_read_wait_ms_max, wait_ms)) return wrong;
  x.parameters.read.max_records = static_cast<std::uint32_t>(limit);
  x.parameters.read.max_bytes = max_bytes;
  x.parameters.read.wait = std::chrono::milliseconds(wait_ms);
  return std::nullopt;
}

bool is_header_safe(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

void answer_record(exchange& x, const placed_record& placed) {
  if (x.route == route_id::proglog) {
    return x.answer(200, k_json_type, format_proglog_consumed(placed.offset, placed.record.value));
  }
  if (x.parameters.format == read_format::bytes) {
    const std::string_view type = content_type_of(placed.record);
    return x.answer(200, is_header_safe(type) ? type : k_bytes_type, as_text(placed.record.value));
  }
  thread_local record_formatter formatter;
  std::string text;
  formatter.append_json(text, placed.offset, placed.timestamp_ms, placed.record);
  text += '\n';
  x.answer(200, k_json_type, text);
}

void on_record(exchange& x, outcome<read_reply> got) {
  x.settled();
  if (auto* failed = std::get_if<failure>(&got)) {
    problem what = problem_of(*failed, x.parameters.log);
    what = std::move(what).with_fact("offset", x.parameters.read.offset.value());
    // proglog knows one answer for all that is out of range.
    if (x.route == route_id::proglog && what.status == 410) what.status = 404;
    return x.fail(what);
  }
  auto& reply = std::get<read_reply>(got);
  frame_cursor cursor;
  cursor.reset(std::move(reply.frames), x.parameters.read.offset);
  placed_record placed;
  if (cursor.next(placed)) return answer_record(x, placed);
  if (cursor.failed()) return x.fail(cursor.what());
  const std::uint64_t offset = x.parameters.read.offset.value();
  x.fail(problem_of({.code = errc::offset_not_written,
                     .detail = fmt::format("offset {} is not written yet", offset),
                     .bounds = reply.bounds},
                    x.parameters.log)
             .with_fact("offset", offset));
}

void read_one(exchange& x) {
  worker_context& context = x.context();
  read_request& read = x.parameters.read;
  read.log = x.parameters.log;
  read.start = read_start::at_offset;
  read.max_records = 1;
  read.max_bytes = 1;
  x.deadline = context.now + context.limits->read_deadline;
  exchange* const waiting = &x;
  x.pending = context.port->read(
      read, [waiting](outcome<read_reply> got) { on_record(*waiting, std::move(got)); });
}

}  // namespace

std::optional<problem> check_read_range(exchange& x, check_input& in) {
  constexpr std::array<std::string_view, 3> offers{k_json_type, "application/x-ndjson",
                                                   "text/event-stream"};
  constexpr std::array<read_format, 3> formats{read_format::json, read_format::ndjson,
                                               read_format::events};
  std::size_t chosen = 0;
  if (auto wrong = negotiate_or_refuse(in.head, offers, chosen)) return wrong;
  x.parameters.format = formats.at(chosen);
  x.parameters.read.log = x.parameters.log;
  if (auto wrong = take_start(x, in.query)) return wrong;
  if (auto wrong = take_consistency(x, in.query)) return wrong;
  if (x.parameters.format != read_format::events) return take_amounts(x, in.query);
  for (const std::string_view name : {"limit", "max_bytes", "wait_ms"}) {
    if (in.query.take(name)) {
      return bad_argument(fmt::format(
          "query parameter '{}' has no meaning for text/event-stream, which has no end", name));
    }
  }
  return take_last_event(x, in.head);
}

void run_read_range(exchange& x, const request_head&, std::string_view) {
  if (x.parameters.format == read_format::events) {
    auto stream = std::make_unique<event_stream>(x);
    event_stream& started = *stream;
    x.stream = std::move(stream);
    return started.start();
  }
  auto stream = std::make_unique<range_stream>(x);
  range_stream& started = *stream;
  x.stream = std::move(stream);
  started.start();
}

std::optional<problem> check_read_record(exchange& x, check_input& in) {
  constexpr std::array<std::string_view, 2> offers{k_json_type, k_bytes_type};
  const auto offset = parse_exact_u64(in.item);
  if (!offset) return bad_argument(fmt::format("'{}' in the path is not an offset", in.item));
  x.parameters.read.offset = record_offset(*offset);
  std::size_t chosen = 0;
  if (auto wrong = negotiate_or_refuse(in.head, offers, chosen)) return wrong;
  x.parameters.format = chosen == 0 ? read_format::json : read_format::bytes;
  return take_consistency(x, in.query);
}

void run_read_record(exchange& x, const request_head&, std::string_view) {
  read_one(x);
}

std::optional<problem> check_proglog_consume(exchange& x, check_input& in) {
  constexpr std::uint64_t k_body_bytes_max = 1024;
  std::size_t chosen = 0;
  if (auto wrong = negotiate_or_refuse(in.head, {&k_json_type, 1}, chosen)) return wrong;
  x.body_limit_bytes = k_body_bytes_max;
  std::uint64_t offset = 0;
  if (auto wrong =
          in.query.take_number("offset", 0, std::numeric_limits<std::uint64_t>::max(), offset)) {
    return wrong;
  }
  const bool in_query = in.query.take("offset").has_value();
  if (in_query == in.head.has_body()) {
    return bad_argument(in_query ? "the offset is given twice, in the query and in the body"
                                 : "the offset is missing: ?offset=N or a body {\"offset\":N}");
  }
  if (in_query) x.parameters.offset = record_offset(offset);
  return std::nullopt;
}

void run_proglog_consume(exchange& x, const request_head&, std::string_view body) {
  if (!x.parameters.offset) {
    const auto offset = parse_proglog_consume(body);
    if (!offset) return x.fail(bad_argument(offset.error().detail));
    x.parameters.offset = *offset;
  }
  x.parameters.read.offset = *x.parameters.offset;
  read_one(x);
}

}  // namespace cairn::net
