// Connections: order, pipelining, deadlines, caps, clients that leave, a gateway that stops.
#include "tests/unit/net/gateway_fixture.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <future>
#include <vector>

namespace cairn::test {
namespace {

using std::chrono::milliseconds;

std::string post(std::string_view body, std::string_view lines = {}) {
  return fmt::format(
      "POST {} HTTP/1.1\r\nHost: t\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n"
      "{}\r\n{}",
      k_records, body.size(), lines, body);
}

TEST_CASE("gateway: 1,000 pipelined requests are answered in order [22]") {
  gateway_fixture f;
  raw_client client = f.connect();
  std::string all;
  for (int i = 0; i < 1000; ++i)
    all += post(fmt::format("v{}", i));
  auto sending = std::async(std::launch::async, [&] { return client.send(all); });
  for (int i = 0; i < 1000; ++i) {
    const auto answer = client.receive();
    REQUIRE(answer.status == 201);
    REQUIRE(answer.header("location") == fmt::format("/v1/logs/default/records/{}", i));
  }
  CHECK(sending.get());
  CHECK(f.node.values().at(999) == "v999");
}

TEST_CASE("gateway: answers keep the order of the requests when the node answers in another") {
  gateway_fixture f;
  f.node.append_json({"0", "1", "2", "3"});
  f.node.hold();
  raw_client client = f.connect();
  std::string all;
  for (int i = 0; i < 4; ++i) {
    all += fmt::format("GET /v1/logs/default/records/{} HTTP/1.1\r\nHost: t\r\n\r\n", i);
  }
  client.send(all + "GET /livez HTTP/1.1\r\nHost: t\r\n\r\n");
  REQUIRE(f.node.wait_for_held(4));
  f.node.release_all(true);
  for (int i = 0; i < 4; ++i) {
    CHECK(client.receive().body.starts_with(fmt::format("{{\"offset\":{},", i)));
  }
  CHECK(client.receive().body == "{\"status\":\"ok\"}\n");
}

TEST_CASE("gateway: reading pauses at max_pipelined and goes on") {
  net::gateway_limits limits;
  limits.max_pipelined = 4;
  gateway_fixture f(limits);
  f.node.hold();
  raw_client client = f.connect();
  std::string all;
  for (int i = 0; i < 50; ++i)
    all += post("x");
  client.send(all);
  REQUIRE(f.node.wait_for_held(4));
  CHECK(f.is_alive());  // a round of the loop later there are still no more
  CHECK(f.node.append_count() == 4);
  f.node.release_all();
  for (int i = 0; i < 50; ++i)
    REQUIRE(client.receive().status == 201);
}

TEST_CASE("gateway: a head that comes too slowly is answered with 408 [23]") {
  net::gateway_limits limits;
  limits.header = milliseconds(50);
  gateway_fixture f(limits);
  raw_client client = f.connect();
  client.send("GET /livez HT");
  const auto late = client.receive();
  CHECK(late.status == 408);
  CHECK(late.body.find("head") != std::string::npos);
  CHECK(client.is_closed());
  CHECK(f.is_alive());
}

TEST_CASE(
    "gateway: the deadline of a head is a total, a byte now and then does not extend it [23]") {
  net::gateway_limits limits;
  limits.header = milliseconds(100);
  gateway_fixture f(limits);
  raw_client client = f.connect();
  client.send("GET /livez HTTP/1.1\r\nA: ");
  int drops = 0;
  for (; drops < 2000 && !client.has_input(milliseconds(5)); ++drops)
    client.send("a");
  CHECK(drops < 2000);
  CHECK(client.receive().status == 408);
  CHECK(f.is_alive());
}

TEST_CASE("gateway: a body that comes too slowly is answered with 408 and stores nothing [24]") {
  net::gateway_limits limits;
  limits.body = milliseconds(50);
  gateway_fixture f(limits);
  raw_client sized = f.connect();
  sized.send(fmt::format(
      "POST {} HTTP/1.1\r\nHost: t\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nabc",
      k_records));
  const auto late = sized.receive();
  CHECK(late.status == 408);
  CHECK(late.body.find("\"outcome\":\"rejected\"") != std::string::npos);
  CHECK(sized.is_closed());
  raw_client chunked = f.connect();
  chunked.send(
      fmt::format("POST {} HTTP/1.1\r\nHost: t\r\nContent-Type: text/plain\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                  k_records));
  CHECK(chunked.receive().status == 408);
  CHECK(f.node.append_count() == 0);
}

TEST_CASE("gateway: an idle connection is closed without a word") {
  net::gateway_limits limits;
  limits.idle = milliseconds(50);
  gateway_fixture f(limits);
  raw_client fresh = f.connect();
  CHECK(fresh.is_closed());
  raw_client used = f.connect();
  CHECK(used.get("/livez").status == 200);
  CHECK(used.is_closed());
}

TEST_CASE("gateway: a client that never reads is cut off at the write deadline [25]") {
  net::gateway_limits limits;
  limits.write = milliseconds(100);
  gateway_fixture f(limits);
  const std::string value = "\"" + std::string(100'000, 'x') + "\"";
  for (int i = 0; i < 150; ++i)
    f.node.append_json({value});
  raw_client client(f.server->port(), 4096);
  client.send(
      "GET /v1/logs/default/records?limit=1000&max_bytes=16777216 HTTP/1.1\r\nHost: t\r\n"
      "Accept: application/x-ndjson\r\n\r\n");
  // It counts as a timeout; only then is read what the kernel had taken.
  while (f.get("/metrics").body.find("cairn_http_refused_total{reason=\"timed-out\"} 1") ==
         std::string::npos) {
    std::this_thread::yield();
  }
  CHECK(client.read_all().size() < 15'000'000);
  CHECK(f.node.read_count() < 15);  // what nobody read was not asked of the node
}

TEST_CASE("gateway: what all connections hold together is bounded, in bodies and in answers") {
  net::gateway_limits limits;
  limits.max_held_bytes = 250'000;
  gateway_fixture f(limits);
  f.node.append_json({"\"" + std::string(200'000, 'x') + "\""});
  CHECK(f.post(k_records, "text/plain", std::string(300'000, 'x')).status == 429);
  CHECK(f.post(k_records, "text/plain", std::string(200'000, 'x')).status == 201);
  // The second request is answered first; its answer waits for its turn, and there is no room for
  // another.
  raw_client client = f.connect();
  const std::string get = "GET /v1/logs/default/records/0 HTTP/1.1\r\nHost: t\r\n\r\n";
  f.node.hold();
  client.send(get + get);
  REQUIRE(f.node.wait_for_held(2));
  f.node.release_all(true);
  const auto first = client.receive();
  const auto second = client.receive();
  CHECK(first.status + second.status == 200 + 429);
  CHECK(f.get("/v1/logs/default/records/0").status == 200);  // all was given back
  CHECK(f.post(k_records, "text/plain", std::string(200'000, 'x')).status == 201);
}

TEST_CASE("gateway: connections over the cap are refused, probes are still answered [26]") {
  net::gateway_limits limits;
  limits.max_connections = 50;
  limits.overflow_connections = 10;
  limits.overflow = milliseconds(300);
  gateway_fixture f(limits, 2);
  std::vector<raw_client> idle;
  for (int i = 0; i < 50; ++i) {
    idle.push_back(f.connect());
    REQUIRE(idle.back().get("/livez").status == 200);
  }
  const auto refused = f.get("/v1/logs");
  CHECK(refused.status == 503);
  CHECK(refused.header("retry-after") == "1");
  CHECK(refused.header("connection") == "close");
  CHECK(f.get("/livez").status == 200);
  CHECK(f.get("/readyz").status == 200);
  CHECK(f.get("/metrics").status == 200);
  std::size_t turned_away = 0;
  std::vector<raw_client> crowd;
  for (int i = 0; i < 1000; ++i)
    crowd.push_back(f.connect());
  for (raw_client& one : crowd) {
    // Within the overflow a silent connection is closed soon; beyond it, refused at once.
    const std::string said = one.read_all();
    if (said.starts_with("HTTP/1.1 503 ")) ++turned_away;
  }
  CHECK(turned_away >= 900);
  for (raw_client& one : idle)
    REQUIRE(one.get("/v1/logs").status == 200);
}

TEST_CASE("gateway: nothing is stored of a request whose sender leaves within the body [28]") {
  gateway_fixture f;
  const std::string begun = fmt::format(
      "POST {} HTTP/1.1\r\nHost: t\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nabc",
      k_records);
  raw_client reset = f.connect();
  reset.send(begun);
  reset.reset();
  raw_client ended = f.connect();
  ended.send(begun);
  ended.end_sending();
  CHECK(ended.receive().status == 400);
  CHECK(f.is_alive());
  CHECK(f.node.append_count() == 0);
}

TEST_CASE("gateway: a client may end its side before the answer comes") {
  gateway_fixture f;
  f.node.hold();
  raw_client client = f.connect();
  client.send(post("x"));
  client.end_sending();
  REQUIRE(f.node.wait_for_held(1));
  f.node.release_all();
  CHECK(client.receive().status == 201);
  CHECK(client.is_closed());
}

TEST_CASE("gateway: an append that is not confirmed in time has an unknown outcome [45]") {
  net::gateway_limits limits;
  limits.backend_grace = milliseconds(20);
  gateway_fixture f(limits);
  f.node.hold();
  const auto late = f.post(std::string(k_records) + "?timeout_ms=20", "text/plain", "x");
  CHECK(late.status == 504);
  CHECK(late.body.find("\"code\":\"outcome-unknown\"") != std::string::npos);
  CHECK(late.body.find("\"outcome\":\"unknown\"") != std::string::npos);
  CHECK(f.node.wait_for_cancelled(1));
  f.node.release_all();  // nobody waits for it any more
  CHECK(f.is_alive());
}

TEST_CASE("gateway: failures of the node become problems that say what happened [44]") {
  gateway_fixture f;
  struct failure_case {
    errc code;
    int status;
    std::string_view outcome;
    bool retry;
  };
  const std::vector<failure_case> cases{
      {errc::overloaded, 429, "rejected", true}, {errc::unavailable, 503, "rejected", true},
      {errc::disk_full, 503, "rejected", true},  {errc::outcome_unknown, 504, "unknown", false},
      {errc::too_large, 413, "rejected", false}, {errc::io_error, 500, "rejected", false},
      {errc::not_found, 404, "rejected", false},
  };
  for (const failure_case& c : cases) {
    CAPTURE(to_string(c.code));
    net::failure what{.code = c.code, .detail = "as the test says"};
    what.leader = "n2";
    what.retry_after_ms = 2500;
    f.node.fail_appends(what);
    const auto answer = f.post(k_records, "text/plain", "x");
    CHECK(answer.status == c.status);
    CHECK(answer.body.find(fmt::format("\"code\":\"{}\"", to_string(c.code))) != std::string::npos);
    CHECK(answer.body.find(fmt::format("\"outcome\":\"{}\"", c.outcome)) != std::string::npos);
    CHECK(answer.body.find("\"leader\":\"n2\"") != std::string::npos);
    CHECK(answer.header("retry-after") == (c.retry ? "3" : ""));
  }
}

TEST_CASE("gateway: HTTP/1.0 gets its answer and the connection closes unless it is to be kept") {
  gateway_fixture f;
  raw_client once = f.connect();
  const auto answer = once.ask("GET /livez HTTP/1.0\r\n\r\n");
  CHECK(answer.status == 200);
  CHECK(answer.header("connection") == "close");
  CHECK(once.is_closed());
  raw_client kept = f.connect();
  CHECK(kept.ask("GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").status == 200);
  CHECK(kept.get("/livez").status == 200);
  for (int i = 0; i < 3; ++i)
    f.node.append_json({"\"" + std::string(100'000, 'x') + "\""});
  raw_client streamed = f.connect();
  const auto lines =
      streamed.ask("GET /v1/logs/default/records HTTP/1.0\r\nAccept: application/x-ndjson\r\n\r\n");
  CHECK(lines.header("transfer-encoding").empty());
  CHECK(std::count(lines.body.begin(), lines.body.end(), '\n') == 3);
}

TEST_CASE("gateway: Connection: close is honoured and what comes behind is not carried out") {
  gateway_fixture f;
  raw_client client = f.connect();
  client.send(post("a", "Connection: close\r\n") + post("b"));
  CHECK(client.receive().header("connection") == "close");
  CHECK(client.is_closed());
  CHECK(f.is_alive());
  CHECK(f.node.values() == std::vector<std::string>{"a"});
}

TEST_CASE("gateway: large bodies arrive whole, with a length and in chunks") {
  gateway_fixture f;
  f.node.set_max_record_bytes(16 * 1024 * 1024);
  std::string body(3'000'000, 'x');
  for (std::size_t i = 0; i < body.size(); i += 997)
    body[i] = static_cast<char>('a' + i % 26);
  raw_client client = f.connect();
  CHECK(client.post(k_records, "text/plain", body).status == 201);
  client.send(
      fmt::format("POST {} HTTP/1.1\r\nHost: t\r\nContent-Type: text/plain\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n",
                  k_records));
  for (std::size_t at = 0; at < body.size(); at += 7777) {
    const std::string piece = body.substr(at, 7777);
    client.send(fmt::format("{:x}\r\n{}\r\n", piece.size(), piece));
  }
  CHECK(client.ask("0\r\n\r\n").status == 201);
  CHECK(f.node.values().at(0) == body);
  CHECK(f.node.values().at(1) == body);
  CHECK(client.get("/livez").status == 200);
}

TEST_CASE("gateway: a request may come in any pieces") {
  gateway_fixture f;
  raw_client client = f.connect();
  const std::string request = "\r\n" + post("hello");
  for (const char c : request)
    client.send(std::string_view(&c, 1));
  CHECK(client.receive().status == 201);
  CHECK(f.node.values() == std::vector<std::string>{"hello"});
}

TEST_CASE("gateway: stopping closes idle connections and lets running requests finish") {
  gateway_fixture f;  // one thread: it drains all of its connections in one go
  raw_client idle = f.connect();
  CHECK(idle.get("/livez").status == 200);
  raw_client busy = f.connect();
  f.node.hold();
  busy.send(post("x"));
  REQUIRE(f.node.wait_for_held(1));
  auto stopping = std::async(std::launch::async, [&] { f.server->stop(std::chrono::seconds(20)); });
  CHECK(idle.is_closed());
  f.node.release_all();
  const auto answer = busy.receive();
  CHECK(answer.status == 201);
  CHECK(answer.header("connection") == "close");
  busy.close();
  stopping.get();
}

TEST_CASE("gateway: stopping does not wait longer than its deadline") {
  gateway_fixture f;
  f.node.hold();
  raw_client busy = f.connect();
  busy.send(post("x"));
  REQUIRE(f.node.wait_for_held(1));
  f.server->stop(milliseconds(20));
  CHECK(busy.is_closed());
}

TEST_CASE("gateway: a port that is taken and an address that is none are refused by name") {
  gateway_fixture f;
  net::gateway_config config;
  config.registry = std::make_shared<prometheus::Registry>();
  config.port = f.server->port();
  const auto taken = net::gateway::start(config, f.node);
  REQUIRE(!taken.ok());
  CHECK(taken.error().code == errc::unavailable);
  CHECK(taken.error().detail.find(fmt::to_string(config.port)) != std::string::npos);
  config.address = "localhost";
  CHECK(net::gateway::start(config, f.node).code() == errc::invalid_argument);
}

}  // namespace
}  // namespace cairn::test
