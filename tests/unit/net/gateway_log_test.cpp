// What the gateway says about requests in the node's log, and what it never says.
#include "tests/support/log_capture.hpp"
#include "tests/unit/net/gateway_fixture.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <string>

namespace cairn::test {
namespace {

using testing::field_of;
using testing::log_capture;

constexpr auto k_gateway = log_component::gateway;
const std::string k_trace = "0af7651916cd43dd8448eb211c80319c";
const std::string k_traceparent = "traceparent: 00-" + k_trace + "-b7ad6b7169203331-01\r\n";

/// The only line whose message contains `part`.
log_record line_with(const log_capture& capture, std::string_view part) {
  log_record found;
  std::size_t count = 0;
  for (auto& line : capture.lines()) {
    if (line.message.find(part) == std::string::npos) continue;
    found = line;
    ++count;
  }
  CHECK_MESSAGE(count == 1, part);
  return found;
}

std::string request_id_in(const std::string& body) {
  const std::string_view key = R"("request_id":")";
  const auto at = body.find(key);
  return at == std::string::npos ? std::string() : body.substr(at + key.size(), 32);
}

TEST_CASE("gateway log: a request is told at debug, with its route, answer, time and id") {
  gateway_fixture f;
  const log_capture capture;
  set_log_level(k_gateway, log_level::debug);
  CHECK(f.post(k_records, "text/plain", "hello", k_traceparent).status == 201);
  CHECK(f.get("/livez").status == 200);
  const auto append = line_with(capture, "POST");
  CHECK(append.level == log_level::debug);
  CHECK(append.message == "POST /v1/logs/{log}/records was answered with 201");
  CHECK(field_of(append, "request_id") == k_trace);
  CHECK(field_of(append, "log") == "default");
  CHECK(field_of(append, "status") == "201");
  CHECK(field_of(append, "client") == "127.0.0.1");
  CHECK_FALSE(field_of(append, "took_us").empty());
  CHECK(field_of(line_with(capture, "/livez"), "request_id").size() == 32);  // made up
}

TEST_CASE("gateway log: at info, requests that work and clients' mistakes say nothing") {
  gateway_fixture f;
  const log_capture capture;
  CHECK(f.post(k_records, "text/plain", "hello").status == 201);
  CHECK(f.get("/v1/logs/default/records/17").status == 404);
  CHECK(f.post(k_records, "text/plain", "x", "Cairn-Expected-Offset: 9\r\n").status == 412);
  CHECK(f.get("/nothing").status == 404);
  f.node.set_unready({"no leader"});
  CHECK(f.get("/readyz").status == 503);  // probes ask often
  CHECK(capture.lines().empty());
}

TEST_CASE(
    "gateway log: a write that the node refuses is told, with what follows, and few of them") {
  gateway_fixture f;
  log_capture capture;
  f.node.fail_appends(net::failure{.code = errc::unavailable, .detail = "no leader is known"});
  raw_client client = f.connect();
  const auto refused = client.post(k_records, "text/plain", "x", k_traceparent);
  CHECK(refused.status == 503);
  CHECK(request_id_in(refused.body) == k_trace);
  for (int i = 0; i < 40; ++i)
    CHECK(client.post(k_records, "text/plain", "x").status == 503);
  const auto lines = capture.lines();
  REQUIRE(lines.size() == 5);
  CHECK(lines[0].level == log_level::warning);
  CHECK(
      lines[0].message ==
      "POST /v1/logs/{log}/records was answered with 503 Service Unavailable: no leader is known. "
      "Certainly nothing was stored; the client may try again.");
  CHECK(field_of(lines[0], "request_id") == k_trace);
  CHECK(field_of(lines[0], "code") == "unavailable");
  CHECK(field_of(lines[1], "request_id") != k_trace);
  capture.advance(10'000);
  tell_log_repeats();
  CHECK(capture.messages().back().ends_with("(36 more like it in the last 10 s)"));
}

TEST_CASE("gateway log: an unknown outcome is told as one") {
  gateway_fixture f;
  const log_capture capture;
  f.node.fail_appends(net::failure{.code = errc::outcome_unknown, .detail = "the lead was lost"});
  CHECK(f.post(k_records, "text/plain", "x").status == 504);
  CHECK(line_with(capture, "504").message.find("may or may not be stored") != std::string::npos);
}

TEST_CASE("gateway log: what is no HTTP is told without what it was, and few times") {
  gateway_fixture f;
  const log_capture capture;
  for (int i = 0; i < 20; ++i)
    CHECK(f.ask("GET / HTTP/1.1\r\nHost: a\r\nX-Secret: s3cr3t\x01\r\n\r\n").status == 400);
  CHECK(capture.count(k_gateway, log_level::info, "no HTTP was refused") == 5);
}

TEST_CASE("gateway log: nothing that a client put into its request is ever in a line") {
  gateway_fixture f;
  const log_capture capture;
  for (std::size_t i = 0; i < k_log_components; ++i)
    set_log_level(static_cast<log_component>(i), log_level::trace);
  const std::string s = "s3cr3t";
  const auto secret_lines = fmt::format(
      "Cairn-Key: {0}\r\nCairn-Header-Colour: {0}\r\nIdempotency-Key: {0}\r\n"
      "Authorization: Bearer {0}\r\nCookie: {0}\r\nX-{0}: {0}\r\n",
      s);
  const auto try_all = [&] {
    static_cast<void>(f.post(k_records, "text/plain", s, secret_lines));
    static_cast<void>(f.post(k_records, "application/json", "{" + s, secret_lines));
    static_cast<void>(f.post(k_records, s + "/" + s, s));
    static_cast<void>(f.post(k_records, "text/plain", s, "Cairn-Expected-Offset: " + s + "\r\n"));
    static_cast<void>(f.post(k_records, "text/plain", s, "traceparent: " + s + "\r\n"));
    static_cast<void>(f.get("/" + s));
    static_cast<void>(f.get("/v1/logs/" + s + "/records"));
    static_cast<void>(f.get("/v1/logs/default/records?" + s + "=" + s));
    static_cast<void>(f.get("/v1/logs/default/records?from=" + s));
    static_cast<void>(f.get(k_records, "Accept: " + s + "\r\n"));
    static_cast<void>(f.ask(s + " / HTTP/1.1\r\nHost: a\r\n\r\n"));
    static_cast<void>(f.ask("GET /" + s + "\x01 HTTP/1.1\r\nHost: " + s + "\r\n\r\n"));
    static_cast<void>(f.ask("GET / HTTP/1.1\r\nHost: a\r\n" + s + "\x01: " + s + "\r\n\r\n"));
    static_cast<void>(f.ask("GET / " + s + "\r\n\r\n"));
  };
  try_all();
  f.node.fail_appends(net::failure{.code = errc::unavailable, .detail = "no leader is known"});
  f.node.fail_reads(net::failure{.code = errc::io_error, .detail = "a read failed"});
  try_all();
  CHECK(capture.lines().size() > 20);
  for (const auto& line : capture.lines()) {
    CHECK_MESSAGE(line.message.find(s) == std::string::npos, line.message);
    for (const auto& field : line.fields)
      CHECK_MESSAGE(field.value.find(s) == std::string::npos, field.key);
  }
}

}  // namespace
}  // namespace cairn::test
