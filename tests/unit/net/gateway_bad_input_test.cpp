// What bad input gets. Each line is a request as it stands on the wire; numbers in brackets are
// lines of the list of bad inputs in the security bar. Whatever comes in, the next client is
// served.
#include "tests/unit/net/gateway_fixture.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <vector>

namespace cairn::test {
namespace {

struct bad_case {
  std::string_view name;
  std::string bytes;
  int status;
  bool closes;
  std::string_view detail;  ///< must occur in the answer
};

void check_case(const gateway_fixture& f, const bad_case& bad) {
  CAPTURE(bad.name);
  raw_client client = f.connect();
  const raw_response answer = client.ask(bad.bytes);
  CHECK(answer.status == bad.status);
  if (bad.status >= 400) {
    CHECK(answer.header("content-type") == "application/problem+json");
    CHECK(answer.header("cairn-node") == "n1");
    CHECK_MESSAGE(answer.body.find(bad.detail) != std::string::npos, answer.body);
  }
  CHECK((answer.header("connection") == "close") == bad.closes);
  if (bad.closes) {
    CHECK(client.is_closed());
  } else {
    CHECK(client.get("/livez").status == 200);
  }
  CHECK(f.is_alive());
}

std::string post(std::string_view lines, std::string_view body) {
  return fmt::format("POST {} HTTP/1.1\r\nHost: t\r\nContent-Type: text/plain\r\n{}\r\n{}",
                     k_records, lines, body);
}

std::string get(std::string_view target, std::string_view lines = {}) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: t\r\n{}\r\n", target, lines);
}

TEST_CASE("gateway: ambiguous lengths and codings are refused and end the connection [1-6]") {
  gateway_fixture f;
  const std::vector<bad_case> cases{
      {"[1] length and coding", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "abc"),
       400, true, "Transfer-Encoding"},
      {"[1] coding and length",
       post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "3\r\nabc\r\n0\r\n\r\n"), 400,
       true, "Content-Length"},
      {"[2] unknown coding", post("Transfer-Encoding: xchunked\r\n", ""), 501, true, "chunked"},
      {"[2] chunked not last", post("Transfer-Encoding: chunked, identity\r\n", ""), 501, true, ""},
      {"[2] gzip first", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501, true, ""},
      {"[2] twice in a list", post("Transfer-Encoding: chunked, chunked\r\n", ""), 501, true, ""},
      {"[2] two headers",
       post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, true,
       "Transfer-Encoding"},
      {"[3] coding in 1.0",
       fmt::format("POST {} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", k_records),
       400, true, "1.0"},
      {"[4] two lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), 400, true,
       "Content-Length"},
      {"[5] same length twice", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400,
       true, "Content-Length"},
      {"[5] list of lengths", post("Content-Length: 3, 3\r\n", "abc"), 400, true, "Content-Length"},
      {"[6] negative", post("Content-Length: -1\r\n", "abc"), 400, true, "Content-Length"},
      {"[6] sign", post("Content-Length: +3\r\n", "abc"), 400, true, "Content-Length"},
      {"[6] hexadecimal", post("Content-Length: 0x3\r\n", "abc"), 400, true, "Content-Length"},
      {"[6] 2^64", post("Content-Length: 18446744073709551616\r\n", "abc"), 400, true,
       "Content-Length"},
      {"[6] empty", post("Content-Length:\r\n", "abc"), 400, true, "Content-Length"},
  };
  for (const bad_case& bad : cases)
    check_case(f, bad);
  CHECK(f.node.append_count() == 0);
}

TEST_CASE("gateway: malformed chunks are refused and nothing is stored [9-10]") {
  gateway_fixture f;
  const auto chunked = [](std::string_view body) {
    return post("Transfer-Encoding: chunked\r\n", body);
  };
  const std::vector<bad_case> cases{
      {"[9] negative size", chunked("-1\r\nabc\r\n0\r\n\r\n"), 400, true, "chunk"},
      {"[9] 2^64", chunked("10000000000000000\r\nabc\r\n0\r\n\r\n"), 400, true, "chunk"},
      {"[9] 2^64-1", chunked("ffffffffffffffff\r\nabc\r\n0\r\n\r\n"), 413, true, "limit_bytes"},
      {"[9] no size", chunked("\r\nabc\r\n0\r\n\r\n"), 400, true, "chunk"},
      {"[9] no end", chunked("3\r\nabcd\r\n0\r\n\r\n"), 400, true, "chunk"},
      {"[9] bare LF", chunked("3\nabc\n0\n\n"), 400, true, ""},
      {"[10] long extension", chunked("3;a=" + std::string(65536, 'x') + "\r\nabc\r\n0\r\n\r\n"),
       400, true, ""},
      {"[10] endless trailers", chunked("3\r\nabc\r\n0\r\n" + std::string(65536, 'x')), 400, true,
       ""},
  };
  for (const bad_case& bad : cases)
    check_case(f, bad);
  CHECK(f.node.append_count() == 0);
}

TEST_CASE("gateway: trailers change nothing [11]") {
  gateway_fixture f;
  raw_client client = f.connect();
  const auto made = client.ask(
      post("Transfer-Encoding: chunked\r\n",
           "3;x=y\r\nabc\r\n0\r\nHost: evil\r\nCairn-Key: k\r\nAuthorization: x\r\n\r\n"));
  CHECK(made.status == 201);
  CHECK(client.get("/v1/logs/default/records/0").body.find("\"key\"") == std::string::npos);
}

TEST_CASE("gateway: heads that are not HTTP/1.1 to the letter are refused [12-15, 20]") {
  gateway_fixture f;
  const std::vector<bad_case> cases{
      {"[12] bare LF", "GET /livez HTTP/1.1\nHost: t\n\n", 400, true, "LF"},
      {"[12] bare LF in a field", "GET /livez HTTP/1.1\r\nHost: t\nA: b\r\n\r\n", 400, true, "LF"},
      {"[12] bare CR", "GET /livez HTTP/1.1\r\nHost: t\rA: b\r\n\r\n", 400, true, "CR"},
      {"[12] NUL", std::string("GET /livez HTTP/1.1\r\nHost: t\0\r\n\r\n", 34), 400, true, "0x00"},
      {"[12] control character", get("/livez", "A: \x01\r\n"), 400, true, "0x01"},
      {"[12] DEL", get("/livez", "A: \x7f\r\n"), 400, true, "0x7f"},
      {"[13] folded", get("/livez", "A: b\r\n c\r\n"), 400, true, "folded"},
      {"[13] folded with a tab", get("/livez", "A: b\r\n\tc\r\n"), 400, true, "folded"},
      {"[14] space before colon", get("/livez", "A : b\r\n"), 400, true, ""},
      {"[14] no colon", get("/livez", "Abc\r\n"), 400, true, ""},
      {"[14] no name", get("/livez", ": b\r\n"), 400, true, ""},
      {"[15] no Host", "GET /livez HTTP/1.1\r\n\r\n", 400, true, "Host"},
      {"[15] two Hosts", "GET /livez HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, true, "Host"},
      {"[15] Host with a space", "GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n", 400, true, "Host"},
      {"[15] Host with a slash", "GET /livez HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, true, "Host"},
      {"[20] HTTP/0.9", "GET /livez\r\n", 400, true, "version"},
      {"[20] nothing but a word", "hello\r\n", 400, true, ""},
      {"[20] HTTP/1.9", "GET /livez HTTP/1.9\r\nHost: t\r\n\r\n", 505, true, "HTTP/1.9"},
      {"[20] HTTP/2.0", "GET /livez HTTP/2.0\r\nHost: t\r\n\r\n", 505, true, "HTTP/2.0"},
      {"[20] preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, true, "HTTP/2.0"},
      {"[20] no digits", "GET /livez HTTP/x.y\r\nHost: t\r\n\r\n", 400, true, "version"},
      {"[29] TLS hello", std::string("\x16\x03\x01\x02\x00\x01\x00", 7), 400, true, "0x16"},
      {"two spaces", "GET  /livez HTTP/1.1\r\nHost: t\r\n\r\n", 400, true, ""},
      {"tab for a space", "GET\t/livez HTTP/1.1\r\nHost: t\r\n\r\n", 400, true, ""},
  };
  for (const bad_case& bad : cases)
    check_case(f, bad);
}

TEST_CASE("gateway: methods and paths that are not there are told apart [16, 19]") {
  gateway_fixture f;
  const auto method = [](std::string_view word, std::string_view target) {
    return fmt::format("{} {} HTTP/1.1\r\nHost: t\r\n\r\n", word, target);
  };
  const std::vector<bad_case> cases{
      {"[16] unknown method", method("BREW", "/livez"), 501, false, "BREW"},
      {"[16] methods have one case", method("get", "/livez"), 501, false, "get"},
      {"[16] 5,000 letters", method(std::string(5000, 'A'), "/livez"), 501, true, ""},
      {"[16] no token", method("G(T", "/livez"), 400, true, "method"},
      {"[16] known but wrong", method("POST", "/livez"), 405, false, "/livez"},
      {"[16] OPTIONS", method("OPTIONS", "/v1/logs"), 405, false, ""},
      {"[16] TRACE", method("TRACE", "/v1/logs"), 405, false, ""},
      {"path", get("/v2/logs"), 404, false, "/v2/logs"},
      {"deep path", get("/a/b/c/d/e/f/g/h/i/j/k"), 404, false, ""},
      {"trailing slash", get("/v1/logs/"), 404, false, ""},
      {"[19] NUL", get("/v1/logs/%00"), 400, false, "control"},
      {"[19] dot segments", get("/v1/logs/%2e%2e%2frecords"), 400, false, ""},
      {"[19] plain dot segments", get("/v1/../livez"), 400, false, "dot segment"},
      {"[19] escaped dot segment", get("/v1/%2E%2E/livez"), 400, false, "dot segment"},
      {"[19] empty segment", get("//livez"), 400, false, "empty segment"},
      {"[19] overlong UTF-8", get("/v1/logs/%c0%af"), 400, false, "UTF-8"},
      {"[19] surrogate", get("/v1/logs/%ed%a0%80"), 400, false, "UTF-8"},
      {"[19] raw byte", get("/v1/logs/\xff"), 400, true, "ASCII"},
      {"[19] half an escape", get("/v1/logs/%2"), 400, false, "escape"},
      {"[19] not hexadecimal", get("/v1/logs/%zz"), 400, false, "escape"},
      {"fragment", get("/livez#x"), 400, true, ""},
      {"authority form", method("CONNECT", "example.org:80"), 400, false, "target"},
  };
  for (const bad_case& bad : cases)
    check_case(f, bad);
  CHECK(f.ask(method("POST", "/livez")).header("allow") == "GET, HEAD");
  CHECK(f.ask(method("DELETE", "/v1/logs/default")).status == 501);
  CHECK(f.get("http://anything/livez").status == 200);  // RFC 9112, 3.2.2
}

TEST_CASE("gateway: URLs, heads and bodies over their limits are refused unread [7, 8, 17, 18]") {
  gateway_fixture f;
  f.node.set_max_record_bytes(1000);
  const std::string long_name(9 * 1024, 'a');
  std::string many_headers;
  for (int i = 0; i < 100; ++i)
    many_headers += fmt::format("A{}: b\r\n", i);
  const std::vector<bad_case> cases{
      {"[17] URL of 9 KiB", get("/" + long_name), 414, true, "limit_bytes\":8192"},
      {"[17] endless URL", "GET /" + std::string(64 * 1024, 'a'), 414, true, ""},
      {"[18] 101 headers", get("/livez", many_headers), 431, true, "100"},
      {"[18] headers of 18 KiB", get("/livez", "A: " + long_name + "\r\nB: " + long_name + "\r\n"),
       431, true, "limit_bytes\":16384"},
      {"[18] endless header", "GET / HTTP/1.1\r\nA: " + std::string(64 * 1024, 'a'), 431, true, ""},
      {"[7] announced over the body's limit", post("Content-Length: 16777217\r\n", ""), 413, true,
       "limit_bytes"},
      {"[7] announced over the record's limit", post("Content-Length: 1065\r\n", ""), 413, true,
       "limit_bytes"},
      {"[37] record over its limit", post("Content-Length: 1001\r\n", std::string(1001, 'x')), 413,
       false, "1000"},
      {"[8] chunk that is too large", post("Transfer-Encoding: chunked\r\n", "fffff\r\n"), 413,
       true, "limit_bytes"},
  };
  for (const bad_case& bad : cases)
    check_case(f, bad);
  CHECK(f.node.append_count() == 0);
  CHECK(f.ask(post("Content-Length: 1000\r\n", std::string(1000, 'x'))).status == 201);
  const std::string just_fits = "/" + std::string(8191, 'a');
  CHECK(f.get(just_fits).status == 404);
}

TEST_CASE("gateway: the total of chunks is bounded, whatever their number [8]") {
  gateway_fixture f;
  raw_client client = f.connect();
  client.send(
      fmt::format("POST {} HTTP/1.1\r\nHost: t\r\nContent-Type: application/x-ndjson\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n",
                  k_records));
  const std::string chunk = "100000\r\n" + std::string(0x100000, ' ') + "\r\n";
  for (int i = 0; i < 17; ++i) {
    if (!client.send(chunk)) break;
  }
  const auto answer = client.receive();
  CHECK(answer.status == 413);
  CHECK(answer.body.find("\"outcome\":\"rejected\"") != std::string::npos);
  CHECK(client.is_closed());
  CHECK(f.is_alive());
}

TEST_CASE("gateway: 100 Continue comes only after the head has passed [7, 27]") {
  gateway_fixture f;
  raw_client refused = f.connect();
  CHECK(refused.ask(post("Content-Length: 16777217\r\nExpect: 100-continue\r\n", "")).status ==
        413);
  CHECK(refused.continue_count() == 0);
  raw_client other = f.connect();
  CHECK(other.ask(post("Content-Length: 3\r\nExpect: 200-ok\r\n", "")).status == 417);
  raw_client accepted = f.connect();
  accepted.send(post("Content-Length: 3\r\nExpect: 100-continue\r\n", ""));
  REQUIRE(accepted.read_past("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  CHECK(accepted.ask("abc").status == 201);
}

TEST_CASE("gateway: an upgrade is ignored [21]") {
  gateway_fixture f;
  raw_client client = f.connect();
  CHECK(client.get("/livez", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n").status ==
        200);
  CHECK(client.get("/livez", "Connection: Upgrade\r\nUpgrade: websocket\r\n").status == 200);
}

TEST_CASE("gateway: queries are exact or refused by name [34, 39]") {
  gateway_fixture f;
  f.node.append_json({"1"});
  for (const std::string_view query : {"limit=0",
                                       "limit=-1",
                                       "limit=1.5",
                                       "limit=1e3",
                                       "limit=10001",
                                       "limit=",
                                       "limit=%31x",
                                       "limit=18446744073709551616",
                                       "max_bytes=0",
                                       "max_bytes=-1",
                                       "max_bytes=16777217",
                                       "max_bytes=9223372036854775808",
                                       "wait_ms=60001",
                                       "wait_ms=1e9",
                                       "from=-1",
                                       "from=1.5",
                                       "from=1e309",
                                       "from=\"1\"",
                                       "from=",
                                       "from=18446744073709551616",
                                       "from=Latest",
                                       "from_time=never",
                                       "from_time=2023-02-30T00:00:00Z",
                                       "from_time=-1",
                                       "limit=1&limit=1",
                                       "lim=1",
                                       "consistency=strong",
                                       "from=0&from_time=0"}) {
    const auto answer = f.get(fmt::format("{}?{}", k_records, query));
    const std::string name(query.substr(0, query.find('=')));
    CHECK_MESSAGE(answer.status == 400, query);
    CHECK_MESSAGE(answer.body.find("'" + name + "'") != std::string::npos, answer.body);
  }
  for (const std::string_view target :
       {"/v1/logs/default/records/-1", "/v1/logs/default/records/1.5",
        "/v1/logs/default/records/18446744073709551616", "/v1/logs/default/records/0?x=1",
        "/livez?x=1", "/?offset=1e3", "/?offset=-1", "/", "/v1/actors/0",
        "/v1/actors?cluster=yes"}) {
    CHECK_MESSAGE(f.get(target).status == 400, target);
  }
  CHECK(f.post(std::string(k_records) + "?timeout_ms=0", "text/plain", "x").status == 400);
  CHECK(f.post(std::string(k_records) + "?timeout_ms=60001", "text/plain", "x").status == 400);
  CHECK(f.get("/v1/logs/default/records/9007199254740993").status == 404);  // exact beyond 2^53
}

TEST_CASE("gateway: offsets out of range name the range [40]") {
  gateway_fixture f;
  for (int i = 0; i < 5; ++i)
    f.node.append_json({"1"});
  f.node.trim(record_offset(2));
  const auto beyond = f.get("/v1/logs/default/records/5");
  CHECK(beyond.status == 404);
  CHECK(beyond.body.find("\"code\":\"offset-not-written\"") != std::string::npos);
  CHECK(beyond.body.find("\"lowest_offset\":2,\"next_offset\":5,\"offset\":5") !=
        std::string::npos);
  const auto below = f.get("/v1/logs/default/records/1");
  CHECK(below.status == 410);
  CHECK(below.body.find("\"code\":\"offset-trimmed\"") != std::string::npos);
  CHECK(f.get("/v1/logs/default/records?from=6").status == 404);
  CHECK(f.get("/v1/logs/default/records?from=0").status == 410);
  CHECK(f.get("/v1/logs/default/records?from=5").status == 200);
  CHECK(f.get("/?offset=1").status == 404);
}

TEST_CASE(
    "gateway: names that are no logs are refused, logs that are not there are not found [41]") {
  gateway_fixture f;
  for (const std::string& name :
       {std::string("%2e"), std::string("_internal"), std::string("__internal"), std::string(".x"),
        std::string(129, 'a'), std::string("a%20b"), std::string("%d0%b0"), std::string("a%3fb")}) {
    const auto answer = f.get("/v1/logs/" + name + "/records");
    CHECK_MESSAGE(answer.status == 400, name);
  }
  CHECK(f.get("/v1/logs/nope/records").status == 404);
  CHECK(f.post("/v1/logs/nope/records", "text/plain", "x").status == 404);
  CHECK(f.get("/v1/logs/Default/records").status == 404);
  CHECK(f.get("/v1/logs//records").status == 400);
}

TEST_CASE("gateway: bodies that are not what they are announced as store nothing [31-38]") {
  gateway_fixture f;
  struct body_case {
    std::string_view type;
    std::string body;
    int status;
  };
  const std::string batch = "application/vnd.cairn.records+json";
  const std::vector<body_case> cases{
      {"application/json", std::string(100'000, '['), 400},
      {"application/json", "{\"a\":1,\"a\":2}", 400},
      {"application/json", "1 2", 400},
      {"application/json", "\xef\xbb\xbf{}", 400},
      {"application/json", "/* */ 1", 400},
      {"application/json", "NaN", 400},
      {"application/json", "", 400},
      {"application/json", "\"\xff\"", 400},
      {"application/json", "\"\\ud800\"", 400},
      {"application/x-ndjson", "1\n{\n3\n", 400},
      {"application/x-ndjson", "", 400},
      {batch, "{\"records\":[]}", 400},
      {batch, "{\"records\":[{\"value_base64\":\"*\"}]}", 400},
      {batch, "{\"records\":[{\"value\":1,\"extra\":2}]}", 400},
      {batch, "{}", 400},
      {"application/xml", "<a/>", 415},
      {"", "x", 415},
  };
  for (const body_case& bad : cases) {
    const auto answer = f.post(k_records, bad.type, bad.body);
    CHECK_MESSAGE(answer.status == bad.status, bad.type, " ", bad.body.substr(0, 40));
    CHECK(answer.body.find("\"outcome\":\"rejected\"") != std::string::npos);
  }
  CHECK(f.post(k_records, "application/x-ndjson", "1\n{\n3\n").body.find("line 2") !=
        std::string::npos);
  CHECK(f.post(k_records, "text/plain", "x", "Content-Encoding: gzip\r\n").status == 415);
  CHECK(f.ask(fmt::format("POST {} HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\nx", k_records))
            .status == 415);
  CHECK(f.node.append_count() == 0);
}

TEST_CASE("gateway: Accept that nobody can serve is not acceptable") {
  gateway_fixture f;
  f.node.append_json({"1"});
  CHECK(f.get(k_records, "Accept: text/html\r\n").status == 406);
  CHECK(f.get(k_records, "Accept: application/json;q=0\r\n").status == 406);
  CHECK(f.get("/v1/logs/default/records/0", "Accept: application/x-ndjson\r\n").status == 406);
  CHECK(f.get("/v1/logs", "Accept: text/plain\r\n").status == 406);
  CHECK(f.post(k_records, "text/plain", "x", "Accept: text/plain\r\n").status == 406);
  CHECK(f.node.append_count() == 0);
  const auto best =
      f.get(k_records, "Accept: application/json;q=0.5\r\nAccept: application/x-ndjson;q=0.9\r\n");
  CHECK(best.header("content-type") == "application/x-ndjson");
}

TEST_CASE("gateway: what comes later is refused, never ignored") {
  gateway_fixture f;
  CHECK(f.post(k_records, "text/plain", "x", "Cairn-Exepcted-Offset: 1\r\n").status == 400);
  CHECK(f.post(k_records, "text/plain", "x", "Cairn-Expected-Offset: -1\r\n").status == 400);
  CHECK(f.post(k_records, "application/x-ndjson", "1\n", "Cairn-Key: k\r\n").status == 400);
  for (const std::string_view request :
       {"PUT /v1/logs/a", "PATCH /v1/logs/default", "DELETE /v1/logs/default",
        "POST /v1/logs/default/trim", "GET /v1/logs/default/backup",
        "POST /v1/logs/default/restore", "GET /ui/"}) {
    CHECK_MESSAGE(f.ask(fmt::format("{} HTTP/1.1\r\nHost: t\r\n\r\n", request)).status == 501,
                  request);
  }
  CHECK(f.node.append_count() == 0);
}

TEST_CASE("gateway: a body where none belongs is refused") {
  gateway_fixture f;
  CHECK(f.ask("GET /livez HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc").status == 400);
  CHECK(f.ask("GET /livez HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n").status == 200);
}

}  // namespace
}  // namespace cairn::test
