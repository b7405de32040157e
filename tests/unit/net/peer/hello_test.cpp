#include "net/peer/hello.hpp"

#include "net/peer/refusal_log.hpp"

#include <doctest/doctest.h>
#include <random>
#include <vector>

namespace cairn::net {
namespace {

peer_hello some_hello() {
  peer_hello x;
  x.lane = 1;
  x.incarnation = 0x1122334455667788;
  x.session = 42;
  x.capabilities = 4;
  x.node_id = "n1";
  x.data_id = "d1";
  x.cluster_id = "c1";
  x.address = "10.0.0.1:7000";
  x.transport = std::string("\0binary\xff", 8);
  return x;
}

TEST_CASE("hello: comes back as it went") {
  const auto x = some_hello();
  const auto bytes = encode_hello(peer_frame_type::welcome, x);
  const auto header = decode_header(bytes.substr(0, k_peer_header_bytes));
  REQUIRE(header.ok());
  CHECK(header->version == k_peer_version);
  CHECK(header->type == peer_frame_type::welcome);
  REQUIRE(header->body_bytes == bytes.size() - k_peer_header_bytes);
  const auto y = decode_hello(std::string_view(bytes).substr(k_peer_header_bytes));
  REQUIRE(y.ok());
  CHECK(y->lane == x.lane);
  CHECK(y->incarnation == x.incarnation);
  CHECK(y->session == x.session);
  CHECK(y->capabilities == x.capabilities);
  CHECK(y->node_id == x.node_id);
  CHECK(y->data_id == x.data_id);
  CHECK(y->cluster_id == x.cluster_id);
  CHECK(y->address == x.address);
  CHECK(y->transport == x.transport);
}

TEST_CASE("hello: every cut is refused, what a later version appends is not") {
  const auto bytes = encode_hello(peer_frame_type::hello, some_hello());
  const auto body = bytes.substr(k_peer_header_bytes);
  for (std::size_t size = 0; size < body.size(); ++size)
    CHECK(decode_hello(body.substr(0, size)).code() == errc::invalid_argument);
  CHECK(decode_hello(body + "more").ok());
  for (std::size_t size = 0; size < k_peer_header_bytes; ++size)
    CHECK_FALSE(decode_header(bytes.substr(0, size)).ok());
}

TEST_CASE("hello: fields that make no sense are refused") {
  const auto refused = [](auto change) {
    auto x = some_hello();
    change(x);
    const auto bytes = encode_hello(peer_frame_type::hello, x);
    return !decode_hello(std::string_view(bytes).substr(k_peer_header_bytes)).ok();
  };
  CHECK_FALSE(refused([](peer_hello&) {}));
  CHECK(refused([](peer_hello& x) { x.lane = 2; }));
  CHECK(refused([](peer_hello& x) { x.node_id.clear(); }));
  CHECK(refused([](peer_hello& x) { x.node_id = "n 1"; }));
  CHECK(refused([](peer_hello& x) { x.node_id = "n\n1"; }));
  CHECK(refused([](peer_hello& x) { x.node_id = std::string(129, 'n'); }));
  CHECK(refused([](peer_hello& x) { x.cluster_id = "\x01"; }));
  CHECK(refused([](peer_hello& x) { x.data_id = std::string("\0", 1); }));
  CHECK(refused([](peer_hello& x) { x.address = std::string(301, 'a'); }));
  CHECK(refused([](peer_hello& x) { x.transport = std::string(513, 't'); }));
}

TEST_CASE("hello: an observer has an id and a data id, and neither a cluster nor an address") {
  const auto taken = [](auto change) {
    auto x = some_hello();
    x.capabilities = k_peer_observer | 0x80000000;  // what a later version adds is passed over
    x.cluster_id.clear();
    x.address.clear();
    change(x);
    const auto bytes = encode_hello(peer_frame_type::hello, x);
    const auto y = decode_hello(std::string_view(bytes).substr(k_peer_header_bytes));
    return y.ok() && is_observer(*y);
  };
  CHECK(taken([](peer_hello&) {}));
  CHECK_FALSE(taken([](peer_hello& x) { x.cluster_id = "c1"; }));
  CHECK_FALSE(taken([](peer_hello& x) { x.address = "10.0.0.1:7000"; }));
  CHECK_FALSE(taken([](peer_hello& x) { x.data_id.clear(); }));
  CHECK_FALSE(taken([](peer_hello& x) { x.node_id.clear(); }));
  CHECK_FALSE(taken([](peer_hello& x) { x.capabilities = k_peer_takes_observers; }));
}

TEST_CASE("hello: a header with another magic, type or length is none; another version is one") {
  const auto good = encode_hello(peer_frame_type::hello, some_hello()).substr(0, 16);
  const auto with = [&](std::size_t at, char value) {
    auto x = good;
    x[at] = value;
    return decode_header(x);
  };
  CHECK_FALSE(with(0, 'X').ok());
  CHECK_FALSE(with(10, 0).ok());
  CHECK_FALSE(with(10, 4).ok());
  CHECK_FALSE(with(11, 1).ok());
  CHECK_FALSE(with(15, 1).ok());  // 16 MiB
  CHECK(with(8, 99)->version == 99);
  CHECK_FALSE(decode_header("GET / HTTP/1.1\r\n").ok());
}

TEST_CASE("hello: random bytes are decoded or refused, never more") {
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 80, '\0');
    for (auto& c : bytes)
      c = static_cast<char>(random() % 4 == 0 ? random() : random() % 3);
    (void)decode_hello(bytes).ok();
    (void)decode_refusal(bytes).ok();
    (void)decode_header(bytes).ok();
  }
}

TEST_CASE(
    "refusal: reason and code come back, long and unprintable reasons are made fit for a log") {
  const auto body_of = [](const peer_refusal_note& note) {
    return encode_refusal(note).substr(k_peer_header_bytes);
  };
  const auto back = decode_refusal(body_of({peer_refusal::wrong_cluster, "it is c2\n\x1b[31m"}));
  REQUIRE(back.ok());
  CHECK(back->why == peer_refusal::wrong_cluster);
  CHECK(back->reason == "it is c2??[31m");
  CHECK(decode_refusal(body_of({peer_refusal::policy, std::string(9999, 'r')}))->reason.size() ==
        400);
  auto unknown = body_of({peer_refusal::policy, "new"});
  unknown[0] = 99;
  CHECK(decode_refusal(unknown)->why == peer_refusal::policy);
}

TEST_CASE("refusal log: a line of each kind, then the rest is counted") {
  std::vector<std::string> lines;
  refusal_log log([&](std::string_view line) { lines.emplace_back(line); });
  refusal_log::time_point now{};
  for (int i = 0; i < 1000; ++i) {
    log.add(peer_refusal::not_a_peer, true, now, "garbage");
    log.add(peer_refusal::too_slow, true, now, "slow");
  }
  CHECK(lines == std::vector<std::string>{"garbage", "slow"});
  log.add(peer_refusal::too_slow, false, now, "the other way");
  CHECK(lines.size() == 3);
  now += std::chrono::seconds(10);
  log.add(peer_refusal::not_a_peer, true, now, "garbage");
  CHECK(lines.back() == "garbage (999 more like it since the last such line)");
}

}  // namespace
}  // namespace cairn::net
