// The parts of net/http that need no socket.
#include "net/http/accept.hpp"
#include "net/http/header_scan.hpp"
#include "net/http/json_out.hpp"
#include "net/http/problem.hpp"
#include "net/http/query.hpp"
#include "net/http/rfc3339.hpp"
#include "net/http/router.hpp"
#include "net/http/status.hpp"
#include "net/http/trace_context.hpp"

#include <array>
#include <doctest/doctest.h>

namespace cairn::net {
namespace {

TEST_CASE("accept: the most specific range decides, then quality, then the order of offers") {
  constexpr std::array<std::string_view, 3> offers{"application/json", "application/x-ndjson",
                                                   "text/event-stream"};
  CHECK(negotiate("", offers) == 0);
  CHECK(negotiate("*/*", offers) == 0);
  CHECK(negotiate("text/*", offers) == 2);
  CHECK(negotiate("text/event-stream, */*;q=0.1", offers) == 2);
  CHECK(negotiate("application/*;q=0.5, application/json;q=0.1", offers) == 1);
  CHECK(negotiate("*/*, application/json;q=0", offers) == 1);
  CHECK(negotiate("APPLICATION/X-NDJSON", offers) == 1);
  CHECK(negotiate("application/json; charset=utf-8 ; q=0.3, text/event-stream;q=0.300", offers) ==
        0);
  CHECK(negotiate("text/html", offers) == std::nullopt);
  CHECK(negotiate("application/json;q=2", offers) == std::nullopt);
  CHECK(negotiate("application/json;q=0.0001", offers) == std::nullopt);
  CHECK(negotiate(",,;,", offers) == std::nullopt);
}

TEST_CASE("header_scan: finds the end of a head at every way of cutting it") {
  const gateway_limits limits;
  const std::string head = "GET / HTTP/1.1\r\nHost: t\r\nA: b\r\n\r\n";
  for (std::size_t cut = 0; cut < head.size(); ++cut) {
    header_scanner scanner(limits);
    CHECK(scanner.scan(std::string_view(head).substr(0, cut)) == header_scanner::state::need_more);
    CHECK(scanner.scan(head + "next") == header_scanner::state::complete);
    CHECK(scanner.head_bytes() == head.size());
  }
}

TEST_CASE("query: numbers are exact") {
  CHECK(parse_exact_u64("0") == 0U);
  CHECK(parse_exact_u64("18446744073709551615") == 18446744073709551615U);
  for (const std::string_view bad :
       {"", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "18446744073709551616"}) {
    CHECK_MESSAGE(parse_exact_u64(bad) == std::nullopt, bad);
  }
}

TEST_CASE("query: parameters are decoded, known and single") {
  query_reader query;
  REQUIRE_FALSE(query.parse("a=%41%26&b&c=1&").has_value());
  CHECK(query.take("a") == "A&");
  CHECK(query.take("b") == "");
  CHECK(query.take("x") == std::nullopt);
  CHECK(query.refuse_unknown()->detail == "unknown query parameter 'c'");
  CHECK(query.parse("a=1&%61=2")->detail == "query parameter 'a' is given twice");
  CHECK(query.parse("a=%f").has_value());
  CHECK(query.parse("a=%ff").has_value());
  CHECK(query.parse("a=%00").has_value());
  CHECK(query.parse("a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q").has_value());
}

TEST_CASE("rfc3339: times and milliseconds are read, everything else is not") {
  CHECK(parse_time("0") == 0);
  CHECK(parse_time("1970-01-01T00:00:00Z") == 0);
  CHECK(parse_time("1970-01-01T01:00:00.5+01:00") == 500);
  CHECK(parse_time("2024-02-29t12:30:15.123456z") == 1709209815123);
  CHECK(parse_time("1969-12-31T23:59:59Z") == -1000);
  for (const std::string_view bad :
       {"", "now", "2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z", "2023-01-01T24:00:00Z",
        "2023-01-01T00:60:00Z", "2023-01-01T00:00:00", "2023-01-01T00:00:00.Z", "2023-01-01",
        "2023-01-01T00:00:00+1:00", "2023-01-01T00:00:00Zx", "9223372036854775808"}) {
    CHECK_MESSAGE(parse_time(bad) == std::nullopt, bad);
  }
}

TEST_CASE("router: every route finds itself and nothing finds two") {
  for (const route& one : all_routes()) {
    std::string path(one.pattern);
    for (std::size_t at; (at = path.find('{')) != std::string::npos;) {
      path.replace(at, path.find('}') - at + 1, "x");
    }
    request_target target;
    REQUIRE_FALSE(parse_target(path, target).has_value());
    CHECK_MESSAGE(find_route(target).found == &one, path);
  }
}

TEST_CASE("trace_context: only well-formed parents are continued") {
  const std::string good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  CHECK(is_traceparent(good));
  CHECK(is_traceparent("01" + good.substr(2) + "-what"));
  for (const std::string& bad :
       {good.substr(1), good + "x", good + "-x", "ff" + good.substr(2),
        std::string("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
        std::string("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"),
        std::string("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), std::string()}) {
    CHECK_FALSE_MESSAGE(is_traceparent(bad), bad);
  }
}

TEST_CASE("json_out: strings are valid JSON whatever they hold") {
  std::string out;
  append_json_lossy(out, std::string_view("a\"\\\n\x01\0\xc3\xa9\xff\xed\xa0\x80", 12));
  CHECK(out ==
        "\"a\\\"\\\\\\n\\u0001\\u0000\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST_CASE("problem: every status that an error can have has its reason") {
  for (int code = 0; code <= 32; ++code) {
    const int status = status_of(static_cast<errc>(code));
    CHECK(status_in_slot(status_slot_of(status)) == status);
  }
  CHECK(reason_of(404) == "Not Found");
  CHECK(status_line_of(410) == "HTTP/1.1 410 Gone\r\n");
}

}  // namespace
}  // namespace cairn::net
