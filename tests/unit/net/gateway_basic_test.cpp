// What works: appends, reads and the small resources, each over a real socket.
#include "tests/unit/net/gateway_fixture.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace cairn::test {
namespace {

TEST_CASE("gateway: an appended JSON text is answered with a receipt and read back byte for byte") {
  gateway_fixture f;
  raw_client client = f.connect();
  const auto made = client.post(k_records, "application/json", "{\"a\": 1.0}");
  CHECK(made.status == 201);
  CHECK(made.header("location") == "/v1/logs/default/records/0");
  CHECK(made.header("cairn-node") == "n1");
  CHECK(made.header("cairn-next-offset") == "1");
  CHECK(made.body ==
        "{\"log\":\"default\",\"offset\":0,\"count\":1,\"timestamp\":\"2023-11-14T22:13:20.000Z\","
        "\"term\":3,\"index\":1,\"durable_on\":1,\"replicas\":1}\n");
  const auto read = client.get("/v1/logs/default/records/0");
  CHECK(read.status == 200);
  CHECK(read.header("content-type") == "application/json");
  CHECK(read.body ==
        "{\"offset\":0,\"timestamp\":\"2023-11-14T22:13:20.000Z\",\"value\":{\"a\": 1.0}}\n");
}

TEST_CASE("gateway: the key and headers of a record are stored with it") {
  gateway_fixture f;
  const auto made =
      f.post(k_records, "text/plain", "hello", "Cairn-Key: k1\r\nCairn-Header-Colour: blue\r\n");
  CHECK(made.status == 201);
  CHECK(f.get("/v1/logs/default/records/0").body ==
        "{\"offset\":0,\"timestamp\":\"2023-11-14T22:13:20.000Z\",\"key\":\"k1\","
        "\"headers\":{\"Colour\":\"blue\"},\"value\":\"hello\"}\n");
}

TEST_CASE("gateway: octet-stream gives the bytes alone with the type they were sent with") {
  gateway_fixture f;
  const std::string bytes("\x00\x01\xff\r\n", 5);
  CHECK(f.post(k_records, "application/octet-stream", bytes).status == 201);
  const auto raw = f.get("/v1/logs/default/records/0", "Accept: application/octet-stream\r\n");
  CHECK(raw.status == 200);
  CHECK(raw.header("content-type") == "application/octet-stream");
  CHECK(raw.body == bytes);
  CHECK(f.post(k_records, "text/plain; charset=utf-8", "x").status == 201);
  const auto text = f.get("/v1/logs/default/records/1", "Accept: application/octet-stream\r\n");
  CHECK(text.header("content-type") == "text/plain; charset=utf-8");
}

TEST_CASE("gateway: NDJSON is one batch and comes back as it went in") {
  gateway_fixture f;
  const auto made = f.post(k_records, "application/x-ndjson", "{\"i\":0}\n{\"i\":1}\n{\"i\":2}\n");
  CHECK(made.status == 201);
  CHECK(made.body.find("\"offset\":0,\"count\":3") != std::string::npos);
  CHECK(f.node.append_count() == 1);
  const auto read = f.get("/v1/logs/default/records?from=1", "Accept: application/x-ndjson\r\n");
  CHECK(read.header("content-type") == "application/x-ndjson");
  CHECK(read.body ==
        "{\"offset\":1,\"timestamp\":\"2023-11-14T22:13:20.000Z\",\"value\":{\"i\":1}}\n"
        "{\"offset\":2,\"timestamp\":\"2023-11-14T22:13:20.000Z\",\"value\":{\"i\":2}}\n");
}

TEST_CASE("gateway: a range read cuts at limit and max_bytes but gives at least one record") {
  gateway_fixture f;
  f.node.append_json({"0", "1", "2", "3"});
  f.node.append_json({"4"});
  const auto two = f.get("/v1/logs/default/records?from=1&limit=2");
  CHECK(two.body ==
        "{\"log\":\"default\",\"records\":["
        "{\"offset\":1,\"timestamp\":\"2023-11-14T22:13:20.000Z\",\"value\":1},"
        "{\"offset\":2,\"timestamp\":\"2023-11-14T22:13:20.000Z\",\"value\":2}"
        "],\"next_offset\":3,\"end_offset\":5}\n");
  const auto one = f.get("/v1/logs/default/records?max_bytes=1");
  CHECK(one.body.find("\"next_offset\":1,\"end_offset\":5") != std::string::npos);
  const auto none = f.get("/v1/logs/default/records?from=5");
  CHECK(none.status == 200);
  CHECK(none.body == "{\"log\":\"default\",\"records\":[],\"next_offset\":5,\"end_offset\":5}\n");
  CHECK(f.get("/v1/logs/default/records?from=latest").body == none.body);
}

TEST_CASE("gateway: reading starts at a time, given as RFC 3339 or milliseconds") {
  gateway_fixture f;
  for (int i = 0; i < 5; ++i)
    f.node.append_json({fmt::to_string(i)});
  for (const std::string_view time :
       {"1700000000003", "2023-11-14T22:13:20.003Z", "2023-11-14T23:13:20.003+01:00"}) {
    const auto read = f.get(fmt::format("/v1/logs/default/records?from_time={}&limit=1", time));
    CHECK_MESSAGE(read.body.find("\"offset\":3,") != std::string::npos, time);
  }
}

TEST_CASE("gateway: a long range is streamed in chunks and complete") {
  gateway_fixture f;
  const std::string value = "\"" + std::string(1000, 'x') + "\"";
  for (int frame = 0; frame < 60; ++frame)
    f.node.append_json(std::vector(50, value));
  const auto read = f.get("/v1/logs/default/records?limit=10000&max_bytes=16777216",
                          "Accept: application/x-ndjson\r\n");
  CHECK(read.status == 200);
  CHECK(read.header("transfer-encoding") == "chunked");
  CHECK(std::count(read.body.begin(), read.body.end(), '\n') == 3000);
  CHECK(f.node.read_count() > 1);  // asked of the node in steps
  const auto json = f.get("/v1/logs/default/records?limit=10000&max_bytes=16777216");
  CHECK(json.body.ends_with("],\"next_offset\":3000,\"end_offset\":3000}\n"));
}

TEST_CASE("gateway: an expected offset that is missed stores nothing and names the next one") {
  gateway_fixture f;
  CHECK(f.post(k_records, "text/plain", "a", "Cairn-Expected-Offset: 0\r\n").status == 201);
  const auto missed = f.post(k_records, "text/plain", "b", "Cairn-Expected-Offset: 0\r\n");
  CHECK(missed.status == 412);
  CHECK(missed.header("content-type") == "application/problem+json");
  CHECK(missed.body.find("\"code\":\"expected-offset-missed\"") != std::string::npos);
  CHECK(missed.body.find("\"next_offset\":1") != std::string::npos);
  CHECK(missed.body.find("\"outcome\":\"rejected\"") != std::string::npos);
  CHECK(f.node.values().size() == 1);
}

TEST_CASE("gateway: proglog's first clients are served on the log default") {
  gateway_fixture f;
  const auto made =
      f.post("/", "application/x-www-form-urlencoded", "{\"record\":{\"value\":\"aGVsbG8=\"}}");
  CHECK(made.status == 200);
  CHECK(made.body.starts_with("{\"offset\":0}"));
  const auto by_query = f.get("/?offset=0");
  CHECK(by_query.status == 200);
  CHECK(by_query.body.starts_with("{\"record\":{\"value\":\"aGVsbG8=\",\"offset\":0}}"));
  const auto by_body =
      f.ask("GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 12\r\n\r\n{\"offset\":0}");
  CHECK(by_body.body == by_query.body);
  CHECK(f.get("/?offset=1").status == 404);
}

TEST_CASE("gateway: what the node says about itself comes as JSON") {
  gateway_fixture f;
  f.node.append_json({"1"});
  CHECK(f.get("/v1/logs/default").body ==
        "{\"log\":\"default\",\"settings\":{\"replication_factor\":1,\"segment_bytes\":0,"
        "\"segment_ms\":0,\"retention_bytes\":0,\"retention_ms\":0,\"max_record_bytes\":1048576,"
        "\"compression\":\"none\"},\"lowest_offset\":0,\"next_offset\":1,\"bytes\":0,\"term\":3,"
        "\"leader\":\"n1\",\"segments\":[{\"base_offset\":0,\"next_offset\":1,\"bytes\":4096,"
        "\"sealed\":false}],\"replicas\":[{\"node\":\"n1\",\"role\":\"voter\",\"state\":\"leader\","
        "\"match_offset\":1,\"lag\":0,\"healthy\":true}]}\n");
  CHECK(f.get("/v1/logs").body.starts_with("{\"logs\":[{\"log\":\"default\","));
  CHECK(f.get("/v1/cluster").body ==
        "{\"cluster_id\":\"c1\",\"node\":\"n1\",\"leader\":\"n1\",\"members\":[{\"id\":\"n1\","
        "\"state\":\"alive\","
        "\"http\":\"127.0.0.1:8080\",\"grpc\":\"\",\"peer\":\"127.0.0.1:7080\","
        "\"version\":\"0.1.0\",\"incarnation\":1,\"zone\":\"z1\",\"role\":\"voter\","
        "\"linked\":true,\"since\":\"2023-11-14T22:13:20.000Z\",\"by\":\"\"}]}\n");
  CHECK(f.get("/v1/actors").body ==
        "{\"node\":\"n1\",\"actors\":[{\"id\":7,\"kind\":\"log\",\"name\":\"default\",\"parent\":1,"
        "\"state\":\"idle\",\"mailbox\":0,\"processed\":12,\"restarts\":0,\"busy_us\":5}]}\n");
  CHECK(f.get("/v1/actors/7").body.find("\"events\":[\"started\",\"says \\\"hello\\\"\"]") !=
        std::string::npos);
  CHECK(f.get("/v1/actors/8").status == 404);
}

TEST_CASE("gateway: livez answers always, readyz names what is missing") {
  gateway_fixture f;
  CHECK(f.get("/livez").status == 200);
  CHECK(f.get("/readyz").status == 200);
  f.node.set_unready({"the log default is recovering", "the disk is full"});
  const auto unready = f.get("/readyz");
  CHECK(unready.status == 503);
  CHECK(unready.header("retry-after") == "1");
  CHECK(unready.body.find("\"reasons\":[\"the log default is recovering\",\"the disk is full\"]") !=
        std::string::npos);
  CHECK(f.get("/livez").status == 200);
}

TEST_CASE("gateway: metrics count requests by method, route and status") {
  gateway_fixture f;
  raw_client client = f.connect();
  CHECK(client.post(k_records, "text/plain", "a").status == 201);
  CHECK(client.get("/v1/logs/nope").status == 404);
  const auto metrics = client.get("/metrics");
  CHECK(metrics.status == 200);
  CHECK(metrics.header("content-type").starts_with("text/plain"));
  for (const std::string_view line :
       {"cairn_http_requests_total{method=\"POST\",route=\"/v1/logs/{log}/"
        "records\",status=\"201\"} 1",
        "cairn_http_requests_total{method=\"GET\",route=\"/v1/logs/{log}\",status=\"404\"} 1",
        "cairn_http_request_duration_seconds_count{route=\"/v1/logs/{log}/records\"} 1",
        "cairn_http_connections 1", "cairn_http_requests_in_flight 1",
        "# HELP cairn_http_bytes_total"}) {
    CHECK_MESSAGE(metrics.body.find(line) != std::string::npos, line);
  }
}

TEST_CASE("gateway: a trace that a client began is continued, none is invented") {
  gateway_fixture f;
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  const auto with = f.get("/livez", "traceparent: 00-" + trace + "-b7ad6b7169203331-01\r\n");
  const std::string back = with.header("traceparent");
  CHECK(back.substr(0, 36) == "00-" + trace + "-");
  CHECK(back.substr(36, 16) != "b7ad6b7169203331");
  CHECK(back.substr(52) == "-01");
  CHECK(f.get("/livez").headers.contains("traceparent") == false);
  CHECK(f.get("/livez", "traceparent: 00-zz\r\n").headers.contains("traceparent") == false);
}

TEST_CASE("gateway: HEAD is answered as GET without the body") {
  gateway_fixture f;
  f.node.append_json({"17"});
  raw_client client = f.connect();
  const auto whole = client.get("/v1/logs/default/records/0");
  client.send("HEAD /v1/logs/default/records/0 HTTP/1.1\r\nHost: t\r\n\r\n");
  const auto head = client.receive(true);
  CHECK(head.status == 200);
  CHECK(head.header("content-length") == fmt::to_string(whole.body.size()));
  CHECK(client.get("/livez").status == 200);  // nothing of a body is in the way
}

}  // namespace
}  // namespace cairn::test
