// Long polls and server-sent events.
#include "tests/unit/net/gateway_fixture.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <future>

namespace cairn::test {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view k_events = "Accept: text/event-stream\r\n";

std::string get(std::string_view target, std::string_view lines = {}) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: t\r\n{}\r\n", target, lines);
}

std::string event(int offset, std::string_view value) {
  return fmt::format(
      "id: {0}\ndata: {{\"offset\":{0},\"timestamp\":\"2023-11-14T22:13:20.{0:03}Z\","
      "\"value\":{1}}}\n\n",
      offset, value);
}

TEST_CASE("gateway: a long poll is answered when a record comes") {
  gateway_fixture f;
  f.node.append_json({"0"});
  raw_client client = f.connect();
  client.send(get("/v1/logs/default/records?from=1&wait_ms=60000"));
  REQUIRE(f.node.wait_for_waiting_reads(1));
  f.node.append_json({"17"});
  const auto answer = client.receive();
  CHECK(answer.status == 200);
  CHECK(answer.body.find("\"offset\":1,") != std::string::npos);
  CHECK(answer.body.find("\"next_offset\":2") != std::string::npos);
}

TEST_CASE("gateway: a long poll ends empty when its time is up") {
  gateway_fixture f;
  const auto answer = f.get("/v1/logs/default/records?wait_ms=20");
  CHECK(answer.status == 200);
  CHECK(answer.body == "{\"log\":\"default\",\"records\":[],\"next_offset\":0,\"end_offset\":0}\n");
}

TEST_CASE("gateway: who leaves a long poll or a stream is forgotten by the node") {
  gateway_fixture f;
  raw_client poll = f.connect();
  poll.send(get("/v1/logs/default/records?wait_ms=60000"));
  raw_client stream = f.connect();
  stream.send(get(k_records, k_events));
  REQUIRE(f.node.wait_for_waiting_reads(2));
  poll.close();
  CHECK(f.node.wait_for_cancelled(1));
  stream.reset();
  CHECK(f.node.wait_for_cancelled(2));
  CHECK(f.is_alive());
}

TEST_CASE("gateway: events begin at once, go on as records come and carry their offsets") {
  gateway_fixture f;
  f.node.append_json({"0"});
  raw_client client = f.connect();
  client.send(get(k_records, k_events));
  const auto head = client.receive(true);
  CHECK(head.status == 200);
  CHECK(head.header("content-type") == "text/event-stream");
  CHECK(head.header("cache-control") == "no-store");
  const auto first = client.read_past("\n\n");
  REQUIRE(first);
  CHECK(first->ends_with(event(0, "0")));
  REQUIRE(f.node.wait_for_waiting_reads(1));
  f.node.append_json({"{\"b\":1}"});
  const auto second = client.read_past("\n\n");
  REQUIRE(second);
  CHECK(second->ends_with(event(1, "{\"b\":1}")));
}

TEST_CASE("gateway: Last-Event-ID resumes after it, whatever from says") {
  gateway_fixture f;
  f.node.append_json({"0", "1", "2"});
  raw_client client = f.connect();
  client.send(get("/v1/logs/default/records?from=earliest",
                  std::string(k_events) + "Last-Event-ID: 1\r\n"));
  const auto first = client.read_past("\n\n");
  REQUIRE(first);
  CHECK(first->find("id: 2\n") != std::string::npos);
  CHECK(first->find("id: 1\n") == std::string::npos);
  CHECK(f.get(k_records, std::string(k_events) + "Last-Event-ID: x\r\n").status == 400);
  CHECK(
      f.get(k_records, std::string(k_events) + "Last-Event-ID: 18446744073709551615\r\n").status ==
      400);
}

TEST_CASE("gateway: an idle stream shows signs of life") {
  net::gateway_limits limits;
  limits.event_comment = milliseconds(10);
  gateway_fixture f(limits);
  raw_client client = f.connect();
  client.send(get("/v1/logs/default/records?from=latest", k_events));
  for (int i = 0; i < 3; ++i)
    CHECK(client.read_past(":\n\n").has_value());
}

TEST_CASE("gateway: a stream that cannot begin is answered with a problem") {
  gateway_fixture f;
  CHECK(f.get("/v1/logs/default/records?from=7", k_events).status == 404);
  CHECK(f.get("/v1/logs/default/records?limit=7", k_events).status == 400);
  CHECK(f.get("/v1/logs/default/records?wait_ms=7", k_events).status == 400);
}

TEST_CASE("gateway: a stream that fails ends with an error event") {
  gateway_fixture f;
  raw_client client = f.connect();
  client.send(get(k_records, k_events));
  REQUIRE(f.node.wait_for_waiting_reads(1));
  f.node.fail_reads(net::failure{.code = errc::unavailable, .detail = "fenced"});
  f.node.append_json({"0"});
  const auto last = client.read_past("0\r\n\r\n");
  REQUIRE(last);
  CHECK(last->find("event: error\ndata: {\"type\":\"urn:cairn:problem:unavailable\"") !=
        std::string::npos);
}

TEST_CASE("gateway: a slow reader of a stream holds nothing but a step of it") {
  gateway_fixture f;
  const std::string value = "\"" + std::string(100'000, 'x') + "\"";
  for (int i = 0; i < 300; ++i)
    f.node.append_json({value});
  raw_client client(f.server->port(), 65536);
  client.send(get(k_records, k_events));
  CHECK(client.read_past("id: 0\n").has_value());
  const std::size_t reads = f.node.read_count();
  CHECK(reads < 12);  // of 30 steps: the rest waits for the reader
  CHECK(client.read_past("id: 299\n").has_value());
}

TEST_CASE("gateway: HEAD of a stream is answered with its head alone") {
  gateway_fixture f;
  raw_client client = f.connect();
  client.send(fmt::format("HEAD {} HTTP/1.1\r\nHost: t\r\n{}\r\n", k_records, k_events));
  const auto head = client.receive(true);
  CHECK(head.status == 200);
  CHECK(head.header("content-type") == "text/event-stream");
  CHECK(client.get("/livez").status == 200);
}

TEST_CASE("gateway: stopping ends streams and long polls at once") {
  gateway_fixture f;
  raw_client stream = f.connect();
  stream.send(get(k_records, k_events));
  raw_client poll = f.connect();
  poll.send(get("/v1/logs/default/records?wait_ms=60000"));
  REQUIRE(f.node.wait_for_waiting_reads(2));
  auto stopping = std::async(std::launch::async, [&] { f.server->stop(std::chrono::seconds(20)); });
  CHECK(stream.read_past("0\r\n\r\n").has_value());
  CHECK(poll.receive().status == 503);
  stream.close();
  poll.close();
  stopping.get();
}

TEST_CASE("gateway: a read that breaks half-way breaks the connection, not the framing") {
  gateway_fixture f;
  const std::string value = "\"" + std::string(100'000, 'x') + "\"";
  for (int i = 0; i < 100; ++i)
    f.node.append_json({value});
  raw_client client(f.server->port(), 4096);
  client.send(get("/v1/logs/default/records?limit=1000&max_bytes=16777216",
                  "Accept: application/x-ndjson\r\n"));
  CHECK(client.read_past("\"offset\":0,").has_value());
  f.node.fail_reads(net::failure{.code = errc::io_error, .detail = "as the test says"});
  const std::string rest = client.read_all();
  CHECK_FALSE(rest.ends_with("0\r\n\r\n"));
  CHECK(f.is_alive());
}

}  // namespace
}  // namespace cairn::test
