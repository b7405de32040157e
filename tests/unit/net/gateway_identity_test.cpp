// Idempotency-Key and Cairn-Producer-...: what the gateway takes, refuses and passes on.
#include "proto/append_stamp.hpp"
#include "tests/unit/net/gateway_fixture.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace cairn::test {
namespace {

std::string key_line(std::string_view key) {
  return fmt::format("Idempotency-Key: {}\r\n", key);
}

std::string producer_lines(std::string_view id, std::string_view epoch, std::string_view seq) {
  return fmt::format(
      "Cairn-Producer-Id: {}\r\nCairn-Producer-Epoch: {}\r\nCairn-Producer-Seq: {}\r\n", id, epoch,
      seq);
}

bool says(const raw_response& answer, std::string_view text) {
  return answer.body.find(text) != std::string::npos;
}

proto::append_stamp last_stamp(const gateway_fixture& f) {
  const auto batch = f.node.last_append().batch;
  auto rest = batch.payload.span();
  const auto stamp = proto::next_stamp(rest);
  REQUIRE(stamp.ok());
  CHECK(rest.empty());
  CHECK(stamp->record_count == batch.record_count);
  return *stamp;
}

TEST_CASE("gateway: a retry with the same key and body gets the first answer") {
  gateway_fixture f;
  const auto first = f.post(k_records, "text/plain", "x", key_line("order-17"));
  CHECK(first.status == 201);
  CHECK(first.header("cairn-replayed").empty());
  CHECK(f.post(k_records, "text/plain", "other").status == 201);
  const auto again = f.post(k_records, "text/plain", "x", key_line("order-17"));
  CHECK(again.status == 201);
  CHECK(again.header("cairn-replayed") == "true");
  CHECK(again.header("location") == first.header("location"));
  CHECK(again.body == first.body);
  CHECK(f.node.values() == std::vector<std::string>{"x", "other"});
}

TEST_CASE("gateway: a key with another body is refused, whatever makes the body another one") {
  gateway_fixture f;
  REQUIRE(f.post(k_records, "text/plain", "x", key_line("k")).status == 201);
  const auto other = f.post(k_records, "text/plain", "y", key_line("k"));
  CHECK(other.status == 422);
  CHECK(says(other, "\"code\":\"key-reused\""));
  CHECK(says(other, "\"outcome\":\"rejected\""));
  // The records count: their type, keys and headers belong to them.
  CHECK(f.post(k_records, "application/octet-stream", "x", key_line("k")).status == 422);
  CHECK(f.post(k_records, "text/plain", "x", key_line("k") + "Cairn-Key: a\r\n").status == 422);
  CHECK(f.post(k_records, "text/plain", "x", key_line("k")).status == 201);
  CHECK(f.node.values().size() == 1);
}

TEST_CASE("gateway: a key in quotes is the key between them [42]") {
  gateway_fixture f;
  REQUIRE(f.post(k_records, "text/plain", "x", key_line("a-b")).status == 201);
  CHECK(last_stamp(f).identity == proto::identity_of_key("a-b"));
  CHECK(f.post(k_records, "text/plain", "x", key_line("\"a-b\"")).header("cairn-replayed") ==
        "true");
  CHECK(f.post(k_records, "text/plain", "x", key_line(R"("q\"b\\s")")).status == 201);
  CHECK(last_stamp(f).identity == proto::identity_of_key(R"(q"b\s)"));
  CHECK(f.node.values().size() == 2);
}

TEST_CASE("gateway: a malformed key is refused with a word on what is wrong") {
  gateway_fixture f;
  struct bad_key {
    std::string lines;
    std::string_view why;
  };
  const std::vector<bad_key> cases{
      {key_line(""), "is empty"},
      {key_line("\"\""), "is empty"},
      {key_line(std::string(256, 'k')), "256 characters, at most 255"},
      {key_line("a b"), "character 2 of the header Idempotency-Key"},
      {key_line("\"a b\""), "character 2 of the header Idempotency-Key"},
      {key_line("k\xc3\xa9"), "no visible ASCII"},
      {key_line("\"a"), "is not one quoted string"},
      {key_line("\""), "is not one quoted string"},
      {key_line("\"a\"b"), "is not one quoted string"},
      {key_line("\"a\";p=1"), "is not one quoted string"},
      {key_line("\"a\\n\""), "is not one quoted string"},
      {key_line("\"a\\"), "is not one quoted string"},
      {key_line("a") + key_line("a"), "is given twice"},
      {key_line("a") + producer_lines("p", "0", "0"), "exclude each other"},
      {key_line("a") + "Cairn-Producer-Seq: 1\r\n", "exclude each other"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.lines);
    const auto answer = f.post(k_records, "text/plain", "x", one.lines);
    CHECK(answer.status == 400);
    CHECK_MESSAGE(says(answer, one.why), answer.body);
    CHECK(says(answer, "\"outcome\":\"rejected\""));
  }
  CHECK(f.node.append_count() == 0);
  CHECK(f.post(k_records, "text/plain", "x", key_line(std::string(255, 'k'))).status == 201);
}

TEST_CASE("gateway: a producer's headers are complete, single and numbers") {
  gateway_fixture f;
  struct bad_producer {
    std::string lines;
    std::string_view why;
  };
  const std::vector<bad_producer> cases{
      {"Cairn-Producer-Id: p\r\n", "Cairn-Producer-Epoch is missing"},
      {"Cairn-Producer-Id: p\r\nCairn-Producer-Epoch: 0\r\n", "Cairn-Producer-Seq is missing"},
      {"Cairn-Producer-Seq: 1\r\nCairn-Producer-Epoch: 0\r\n", "Cairn-Producer-Id is missing"},
      {producer_lines("", "0", "0"), "Cairn-Producer-Id is empty"},
      {producer_lines("a b", "0", "0"), "character 2 of the header Cairn-Producer-Id"},
      {producer_lines(std::string(256, 'p'), "0", "0"), "at most 255"},
      {producer_lines("p", "-1", "0"), "Cairn-Producer-Epoch is '-1'"},
      {producer_lines("p", "0x1", "0"), "Cairn-Producer-Epoch is '0x1'"},
      {producer_lines("p", "0", "1.0"), "Cairn-Producer-Seq is '1.0'"},
      {producer_lines("p", "0", "9223372036854775808"), "from 0 to 9223372036854775807"},
      {producer_lines("p", "0", "0") + "Cairn-Producer-Seq: 0\r\n", "is given twice"},
      {producer_lines("p", "0", "0") + "Cairn-Producer-Id: p\r\n", "is given twice"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.lines);
    const auto answer = f.post(k_records, "text/plain", "x", one.lines);
    CHECK(answer.status == 400);
    CHECK_MESSAGE(says(answer, one.why), answer.body);
  }
  CHECK(f.node.append_count() == 0);
}

TEST_CASE("gateway: a producer's appends are stored once each and in order [42]") {
  gateway_fixture f;
  const auto send = [&](std::string_view epoch, std::string_view seq, std::string_view body) {
    return f.post(k_records, "text/plain", body, producer_lines("p", epoch, seq));
  };
  CHECK(send("0", "0", "a").status == 201);
  CHECK(last_stamp(f).identity == proto::identity_of_producer("p", 0, 0));
  CHECK(send("0", "0", "a").header("cairn-replayed") == "true");
  CHECK(send("0", "0", "b").status == 422);
  const auto gap = send("0", "2", "c");
  CHECK(gap.status == 409);
  CHECK(says(gap, "\"code\":\"sequence-gap\""));
  CHECK(says(gap, "\"expected_seq\":1"));
  CHECK(says(gap, "\"outcome\":\"rejected\""));
  for (int seq = 1; seq <= 6; ++seq)
    CHECK(send("0", std::to_string(seq), "n").status == 201);
  const auto old = send("0", "0", "a");
  CHECK(old.status == 409);
  CHECK(says(old, "\"code\":\"sequence-too-old\""));
  CHECK(says(old, "\"outcome\":\"unknown\""));
  CHECK(send("3", "0", "later").status == 201);
  const auto fenced = send("0", "7", "n");
  CHECK(fenced.status == 409);
  CHECK(says(fenced, "\"code\":\"producer-fenced\""));
  CHECK(says(fenced, "\"outcome\":\"unknown\""));
  CHECK(f.node.values().size() == 8);
}

TEST_CASE("gateway: a producer that the log does not know cannot tell what is stored") {
  gateway_fixture f;
  const auto answer = f.post(k_records, "text/plain", "x", producer_lines("new", "0", "7"));
  CHECK(answer.status == 409);
  CHECK(says(answer, "\"expected_seq\":0"));
  CHECK(says(answer, "\"outcome\":\"unknown\""));
}

TEST_CASE("gateway: proglog's path takes an identity, too, and ignores no header of ours") {
  gateway_fixture f;
  const std::string body = R"({"record":{"value":"YQ=="}})";
  CHECK(f.post("/", "application/json", body, key_line("k")).status == 200);
  const auto again = f.post("/", "application/json", body, key_line("k"));
  CHECK(again.status == 200);
  CHECK(again.header("cairn-replayed") == "true");
  CHECK(f.post("/", "application/json", body, "Cairn-Expected-Offset: 9\r\n").status == 400);
  CHECK(f.node.values().size() == 1);
}

TEST_CASE("gateway: an append without an identity has no stamp") {
  gateway_fixture f;
  CHECK(f.post(k_records, "text/plain", "x").status == 201);
  CHECK_FALSE(proto::is_stamped(f.node.last_append().batch.payload.span()));
}

}  // namespace
}  // namespace cairn::test
