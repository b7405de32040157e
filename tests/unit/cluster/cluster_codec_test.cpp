// Codecs of what nodes say about their cluster: what goes in comes out, and bad input is named.
#include "proto/cairn/v1/cluster.pb.h"
#include "proto/cluster_requests.hpp"

#include <doctest/doctest.h>
#include <string>

using namespace cairn;
using namespace cairn::proto;

namespace {

cluster_member member(std::uint64_t number, const std::string& id) {
  return {.number = number,
          .node_id = id,
          .data_id = "data-" + id,
          .peer = "127.0.0.1:7080",
          .http = "127.0.0.1:8080",
          .grpc = "",
          .zone = "east"};
}

cluster_context context() {
  return {.cluster_id = "c0ffee", .next_number = 4, .members = {member(1, "n1"), member(3, "n3")}};
}

shared_bytes bytes_of(const google::protobuf::MessageLite& message) {
  return shared_bytes::copy_of(as_byte_span(message.SerializeAsString()));
}

bool says(const error& what, std::string_view text) {
  return what.detail.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("cluster context: what goes in comes out, and is found by number and by name") {
  const auto decoded = decode_cluster_context(encode(context()).span());
  REQUIRE(decoded.ok());
  CHECK(*decoded == context());
  CHECK(decoded->by_number(3)->node_id == "n3");
  CHECK(decoded->by_number(2) == nullptr);
  CHECK(decoded->by_node_id("n1")->number == 1);
  CHECK(decoded->by_node_id("n2") == nullptr);
}

TEST_CASE("cluster context: a field out of range is named") {
  const auto refused = [](auto change) {
    auto bad = context();
    change(bad);
    const auto decoded = decode_cluster_context(encode(bad).span());
    REQUIRE_FALSE(decoded.ok());
    CHECK(decoded.code() == errc::invalid_argument);
    return decoded.error();
  };
  CHECK(says(refused([](auto& c) { c.cluster_id.clear(); }), "cluster_id is missing"));
  CHECK(says(refused([](auto& c) { c.members[1].number = 1; }), "member n3: number 1"));
  CHECK(says(refused([](auto& c) { c.members[0].number = 0; }), "member n1: number 0"));
  CHECK(says(refused([](auto& c) { c.next_number = 3; }), "member n3: number 3"));
  CHECK(says(refused([](auto& c) { c.members[0].node_id.clear(); }), "node_id is missing"));
  CHECK(says(refused([](auto& c) { c.members[0].peer.clear(); }), "member n1: peer is missing"));
  CHECK(says(refused([](auto& c) { c.members[0].zone = "a\nb"; }), "zone has a control character"));
  CHECK(says(refused([](auto& c) { c.members[0].http.assign(200, 'x'); }), "http has 200 bytes"));
  CHECK(says(refused([](auto& c) {
               for (std::uint64_t i = 4; i < 200; ++i)
                 c.members.push_back(member(i, "n" + std::to_string(i)));
               c.next_number = 200;
             }),
             "members, at most 128"));
  CHECK_FALSE(decode_cluster_context(as_byte_span("\xff\xff")).ok());
}

TEST_CASE("cluster requests: what goes in comes out") {
  const auto through = [](const cluster_request& request) {
    auto decoded = decode_cluster_request(encode(request).span());
    REQUIRE(decoded.ok());
    CHECK(decoded->id == request.id);
    CHECK(decoded->forwarded == request.forwarded);
    CHECK(decoded->deadline_ms == request.deadline_ms);
    return *decoded;
  };
  const auto announce = through({.id = 7,
                                 .forwarded = true,
                                 .deadline_ms = 900,
                                 .ask = announce_request{member(0, "n4"), ""}});
  CHECK(std::get<announce_request>(announce.ask).node == member(0, "n4"));
  const auto remove = through({.id = 8, .ask = remove_request{"n2"}});
  CHECK(std::get<remove_request>(remove.ask).node_id == "n2");
  const auto transfer = through({.id = 9, .ask = transfer_request{"default", ""}});
  CHECK(std::get<transfer_request>(transfer.ask).log == "default");
  const auto invite = through({.id = 10, .ask = invite_request{"n4", "c0ffee", {"a:1", "b:2"}}});
  CHECK(std::get<invite_request>(invite.ask).peers == std::vector<std::string>{"a:1", "b:2"});
}

TEST_CASE("cluster requests: what is missing or too large is named") {
  CHECK(decode_cluster_request(bytes_of(cairn::v1::ClusterRequest()).span()).code() ==
        errc::unsupported);
  const auto refused = [](const cluster_request& request) {
    const auto decoded = decode_cluster_request(encode(request).span());
    REQUIRE_FALSE(decoded.ok());
    return decoded.error();
  };
  CHECK(says(refused({.ask = announce_request{member(0, ""), ""}}), "node_id is missing"));
  CHECK(says(refused({.ask = announce_request{member(4, "n4"), ""}}), "cluster_id is missing"));
  CHECK(says(refused({.ask = remove_request{}}), "node_id is missing"));
  CHECK(says(refused({.ask = transfer_request{"", "n1"}}), "log is missing"));
  CHECK(says(refused({.ask = invite_request{"n1", "c", {}}}), "0 peers, from 1 to 16"));
  CHECK(says(refused({.deadline_ms = 700'000, .ask = remove_request{"n1"}}), "deadline_ms"));
}

TEST_CASE("cluster answers: what goes in comes out, bad ones are refused") {
  const cluster_answer answer{.id = 3,
                              .code = errc::already_exists,
                              .detail = "taken",
                              .final = true,
                              .cluster_id = "c0ffee",
                              .number = 3,
                              .context = context(),
                              .leader = "n1"};
  const auto decoded = decode_cluster_answer(encode(answer).span());
  REQUIRE(decoded.ok());
  CHECK(decoded->id == 3);
  CHECK(decoded->code == errc::already_exists);
  CHECK(decoded->detail == "taken");
  CHECK(decoded->final);
  CHECK(decoded->number == 3);
  CHECK(decoded->context == context());
  CHECK(decoded->leader == "n1");
  cairn::v1::ClusterAnswer message;
  message.set_code(1000);
  CHECK_FALSE(decode_cluster_answer(bytes_of(message).span()).ok());
  message.set_code(1);
  message.mutable_context()->set_cluster_id("");
  CHECK_FALSE(decode_cluster_answer(bytes_of(message).span()).ok());
}
