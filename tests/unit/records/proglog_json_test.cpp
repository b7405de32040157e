#include "net/records/proglog_json.hpp"

#include "proto/log/v1/log.pb.h"
#include "proto/record_codec.hpp"

#include <doctest/doctest.h>
#include <string>

using namespace cairn;
using namespace cairn::net;

TEST_CASE("proglog produce: the value is stored as bytes, an offset has no effect") {
  for (const std::string_view body :
       {"{\"record\":{\"value\":\"Zm9v\"}}", "{\"record\":{\"offset\":9,\"value\":\"Zm9v\"}}\n"}) {
    const auto batch = parse_proglog_produce(body, 100);
    REQUIRE(batch.ok());
    CHECK(batch->record_count == 1);
    proto::batch_reader reader(batch->payload.span());
    proto::record_view record;
    REQUIRE(reader.next(record));
    CHECK(as_text(record.value) == "foo");
    CHECK(record.kind == proto::value_kind::bytes);
  }
}

TEST_CASE("proglog produce: bad input is named") {
  struct row {
    std::string_view body;
    std::string_view reason;
  };
  for (const auto& test : {
           row{"", "the body: there is no JSON text"},
           row{"[]", "the body: has the wrong type"},
           row{"{}", "record: is missing"},
           row{"{\"record\":1}", "record: has the wrong type"},
           row{"{\"record\":{}}", "record.value: is missing"},
           row{"{\"record\":{\"value\":1}}", "record.value: has the wrong type"},
           row{"{\"record\":{\"value\":\"a\"}}", "record.value: not canonical base64"},
           row{"{\"record\":{\"value\":\"\",\"value\":\"\"}}", "record.value: comes twice"},
           row{"{\"record\":{\"value\":\"\",\"x\":1}}", "record.x: unknown field"},
           row{"{\"record\":{\"value\":\"\",\"offset\":-1}}", "record.offset: not a whole number"},
           row{"{\"record\":{\"value\":\"\"},\"record\":{\"value\":\"\"}}", "record: comes twice"},
           row{"{\"record\":{\"value\":\"\"},\"y\":1}", "y: unknown field"},
           row{"{\"record\":{\"value\":\"\"}}{}", "the body: goes on after"},
           row{"{\"record\":{\"value\":\"\"}", "the body: not JSON"},
       }) {
    const auto body = test.body;
    const auto reason = test.reason;
    const auto batch = parse_proglog_produce(body, 100);
    REQUIRE_MESSAGE(!batch.ok(), body);
    CHECK(batch.code() == errc::invalid_argument);
    CHECK_MESSAGE(batch.error().detail.find(reason) == 0, body, " -> ", batch.error().detail);
  }
  CHECK(parse_proglog_produce("{\"record\":{\"value\":\"Zm9v\"}}", 3).ok());
  CHECK(parse_proglog_produce("{\"record\":{\"value\":\"Zm9v\"}}", 2).code() == errc::too_large);
}

TEST_CASE("proglog consume: takes exact offsets only") {
  CHECK(parse_proglog_consume("{\"offset\":0}").value() == record_offset(0));
  CHECK(parse_proglog_consume(" {\"offset\": 18446744073709551615 } ").value() ==
        record_offset(18446744073709551615U));
  for (const std::string_view body :
       {"", "{}", "{\"offset\":-1}", "{\"offset\":1.5}", "{\"offset\":1e3}", "{\"offset\":1e309}",
        "{\"offset\":18446744073709551616}", "{\"offset\":\"1\"}", "{\"offset\":null}",
        "{\"offset\":01}", "{\"offset\":1,\"offset\":1}", "{\"offset\":1,\"x\":1}",
        "{\"offset\":1}1", "5"}) {
    CHECK_MESSAGE(parse_proglog_consume(body).code() == errc::invalid_argument, body);
  }
}

TEST_CASE("proglog answers: as its server writes them") {
  CHECK(format_proglog_produced(record_offset(3)) == "{\"offset\":3}");
  CHECK(format_proglog_consumed(record_offset(3), as_byte_span("foo")) ==
        "{\"record\":{\"value\":\"Zm9v\",\"offset\":3}}");
}

TEST_CASE("proglog messages: have the field numbers of its clients") {
  proglog::v1::ConsumeResponse response;
  auto* record = response.mutable_record();
  record->set_value("v");
  record->set_offset(1);
  record->set_term(2);
  record->set_type(3);
  CHECK(response.SerializeAsString() == "\x12\x09\x0a\x01v\x10\x01\x18\x02\x20\x03");
  proglog::v1::GetServersResponse servers;
  auto* server = servers.add_servers();
  server->set_id("a");
  server->set_rpc_addr("b");
  server->set_is_leader(true);
  CHECK(servers.SerializeAsString() ==
        "\x0a\x08\x0a\x01"
        "a"
        "\x12\x01"
        "b"
        "\x18\x01");
  proglog::v1::ProduceRequest request;
  request.mutable_record();
  CHECK(request.SerializeAsString() == std::string("\x0a\x00", 2));
}
