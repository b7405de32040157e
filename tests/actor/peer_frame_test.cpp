#include "actors/peer_frame.hpp"

#include "actors/peer_envelope.hpp"
#include "tests/support/raw_peer.hpp"

#include <doctest/doctest.h>
#include <random>

namespace cairn::testing {
namespace {

using actors::frame_verdict;
using actors::peer_frame_filter;

constexpr std::uint16_t k_type = 200;

peer_frame_filter::config settings(std::string cluster = "c1") {
  peer_frame_filter::config x;
  x.handshake = "handshake";
  x.published = 7;
  x.message_data = 9;
  x.envelope_type = k_type;
  x.frame_bytes_max = 100'000;
  x.sender = "n2";
  x.own_cluster = [cluster] { return cluster; };
  return x;
}

raw_header greeting() {
  raw_header h;
  h.operation = 1;
  h.payload_bytes = 9;
  return h;
}

raw_header message(std::size_t payload) {
  raw_header h;
  h.payload_bytes = static_cast<std::uint32_t>(payload);
  h.data = 9;
  h.target = 7;
  return h;
}

raw_envelope envelope() {
  raw_envelope x;
  x.sender = "n2";
  return x;
}

/// A filter that has had its handshake.
peer_frame_filter greeted(peer_frame_filter::config config = settings()) {
  peer_frame_filter filter(std::move(config));
  REQUIRE(filter.judge_header(as_byte_span(greeting().bytes())) == frame_verdict::pass);
  REQUIRE(filter.judge_payload(as_byte_span("handshake")) == frame_verdict::pass);
  REQUIRE(filter.greeted());
  return filter;
}

frame_verdict judge(peer_frame_filter& filter, const raw_header& header) {
  return filter.judge_header(as_byte_span(header.bytes()));
}

frame_verdict judge(peer_frame_filter& filter, const std::string& payload) {
  const auto verdict = judge(filter, message(payload.size()));
  return verdict == frame_verdict::pass ? filter.judge_payload(as_byte_span(payload)) : verdict;
}

TEST_CASE("peer frame: nothing before the handshake, and only the right one") {
  for (int op = 0; op < 256; ++op) {
    for (const bool dialled : {false, true}) {
      auto config = settings();
      config.dialled = dialled;
      peer_frame_filter filter(std::move(config));
      auto header = greeting();
      header.operation = static_cast<std::uint8_t>(op);
      CHECK((judge(filter, header) == frame_verdict::pass) == (op == (dialled ? 0 : 1)));
    }
  }
  peer_frame_filter filter(settings());
  auto longer = greeting();
  longer.payload_bytes = 10;
  CHECK(judge(filter, longer) == frame_verdict::cut);
  CHECK(judge(filter, greeting()) == frame_verdict::pass);
  CHECK(filter.judge_payload(as_byte_span("handshakE")) == frame_verdict::cut);
  auto again = greeted();
  CHECK(judge(again, greeting()) == frame_verdict::cut);
}

TEST_CASE("peer frame: heartbeats pass, what CAF says by itself is swallowed, the rest cuts") {
  for (int op = 0; op < 256; ++op) {
    auto filter = greeted();
    raw_header header;
    header.operation = static_cast<std::uint8_t>(op);
    const auto verdict = judge(filter, header);
    switch (op) {
      case 6:
        CHECK(verdict == frame_verdict::pass);
        break;
      case 2:  // to no actor that is published
      case 4:
      case 5:
        CHECK(verdict == frame_verdict::swallow);
        break;
      default:
        CHECK(verdict == frame_verdict::cut);
        break;
    }
    // Whatever it is, 4 GiB of it are not.
    header.payload_bytes = UINT32_MAX;
    CHECK(judge(filter, header) == frame_verdict::cut);
  }
}

TEST_CASE(
    "peer frame: a message to another actor, with a name, a sender or as a request is dropped") {
  auto filter = greeted();
  const auto size = envelope().bytes(k_type).size();
  CHECK(judge(filter, message(size)) == frame_verdict::pass);
  auto x = message(size);
  x.target = 8;
  CHECK(judge(filter, x) == frame_verdict::swallow);
  x = message(size);
  x.target = 2;  // SpawnServ
  x.flags = 1;
  CHECK(judge(filter, x) == frame_verdict::swallow);
  x = message(size);
  x.source = 5;
  CHECK(judge(filter, x) == frame_verdict::swallow);
  x = message(size);
  x.data = 10;
  CHECK(judge(filter, x) == frame_verdict::swallow);
  x = message(size);
  x.padding = 1;
  CHECK(judge(filter, x) == frame_verdict::cut);
}

TEST_CASE("peer frame: lengths are allowed before anything is allocated for them") {
  auto filter = greeted();
  CHECK(judge(filter, message(100'000)) == frame_verdict::pass);
  CHECK(judge(filter, message(100'001)) == frame_verdict::cut);
  CHECK(filter.reason() == "a frame of 100001 bytes, at most 100000 may be");
  CHECK(judge(filter, message(15)) == frame_verdict::cut);
  CHECK(judge(filter, message(0)) == frame_verdict::cut);
  raw_header small;
  small.operation = 4;
  small.payload_bytes = 4097;
  CHECK(judge(filter, small) == frame_verdict::cut);
}

TEST_CASE("peer frame: only whole envelopes of the right sender pass") {
  auto filter = greeted();
  const auto good = envelope().bytes(k_type);
  CHECK(judge(filter, good) == frame_verdict::pass);
  CHECK(judge(filter, envelope().bytes(k_type + 1)) == frame_verdict::cut);
  CHECK(judge(filter, good + "x") == frame_verdict::cut);
  CHECK(judge(filter, good.substr(0, good.size() - 1)) == frame_verdict::cut);
  for (const std::size_t at : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12}) {  // forwarding to the lengths
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] + 100);
    CHECK(judge(filter, bad) == frame_verdict::cut);
  }
  auto x = envelope();
  x.sender = "n3";
  CHECK(judge(filter, x.bytes(k_type)) == frame_verdict::cut);
  CHECK(filter.reason() == "an envelope with another sender than node n2");
  x.sender.clear();
  CHECK(judge(filter, x.bytes(k_type)) == frame_verdict::cut);
  x = envelope();
  x.kind = 0;
  CHECK(judge(filter, x.bytes(k_type)) == frame_verdict::cut);
  x.kind = 64;
  CHECK(judge(filter, x.bytes(k_type)) == frame_verdict::cut);
}

TEST_CASE("peer frame: kinds of a later version are dropped and counted, not the rest of them") {
  std::size_t unknown = 0;
  std::size_t cuts = 0;
  auto config = settings();
  config.noted = [&](actors::frame_event what) {
    ++(what == actors::frame_event::cut ? cuts : unknown);
  };
  auto filter = greeted(std::move(config));
  for (int kind = 0; kind < 256; ++kind) {
    auto x = envelope();
    x.kind = static_cast<std::uint8_t>(kind);
    const auto verdict = judge(filter, x.bytes(k_type));
    const bool known = kind >= 1 && kind <= actors::k_peer_kind_last;
    if (known) {
      CHECK(verdict == frame_verdict::pass);
    } else {
      CHECK(verdict == (kind >= 1 && kind <= 63 ? frame_verdict::swallow : frame_verdict::cut));
    }
  }
  CHECK(unknown == 63 - actors::k_peer_kind_last);
  CHECK(cuts == 256 - 63);
  // Whatever it is about, it is of this sender and this cluster.
  auto x = envelope();
  x.kind = 63;
  x.sender = "n3";
  CHECK(judge(filter, x.bytes(k_type)) == frame_verdict::cut);
  x = envelope();
  x.kind = 63;
  x.cluster = "c2";
  CHECK(judge(filter, x.bytes(k_type)) == frame_verdict::cut);
}

TEST_CASE("peer frame: an observer may ask, in the name of no cluster, and nothing else") {
  for (const std::string ours : {"c1", ""}) {
    auto config = settings(ours);
    config.role = actors::peer_role::observer;
    auto filter = greeted(std::move(config));
    for (int kind = 0; kind < 256; ++kind) {
      auto x = envelope();
      x.cluster.clear();
      x.kind = static_cast<std::uint8_t>(kind);
      CHECK(judge(filter, x.bytes(k_type)) ==
            (x.kind == 7 ? frame_verdict::pass : frame_verdict::cut));
    }
    auto x = envelope();
    x.kind = 7;
    CHECK(judge(filter, x.bytes(k_type)) == frame_verdict::cut);
    CHECK(filter.reason() == "an envelope of a cluster, and is an observer");
  }
}

TEST_CASE("peer frame: an observer is told answers, whatever cluster the node belongs to") {
  for (const std::string theirs : {"c1", ""}) {
    auto config = settings("");
    config.role = actors::peer_role::observed;
    auto filter = greeted(std::move(config));
    for (int kind = 0; kind < 256; ++kind) {
      auto x = envelope();
      x.cluster = theirs;
      x.kind = static_cast<std::uint8_t>(kind);
      auto expected = frame_verdict::cut;
      if (kind == 8) expected = frame_verdict::pass;
      if (kind > actors::k_peer_kind_last && kind < 64) expected = frame_verdict::swallow;
      CHECK(judge(filter, x.bytes(k_type)) == expected);
    }
  }
}

TEST_CASE("peer frame: another cluster cuts; without a cluster only requests and answers pass") {
  auto filter = greeted();
  auto x = envelope();
  x.cluster = "c2";
  CHECK(judge(filter, x.bytes(k_type)) == frame_verdict::cut);
  for (const bool ours_known : {true, false}) {
    auto joining = greeted(settings(ours_known ? "c1" : ""));
    x.cluster = ours_known ? "" : "c1";
    for (std::uint8_t kind = 1; kind <= 6; ++kind) {
      x.kind = kind;
      CHECK(judge(joining, x.bytes(k_type)) ==
            (kind >= 5 ? frame_verdict::pass : frame_verdict::swallow));
    }
  }
}

TEST_CASE("peer frame: random bytes never pass as an envelope of somebody else") {
  std::mt19937 random(3);
  auto filter = greeted();
  const auto good = envelope().bytes(k_type);
  for (int i = 0; i < 20'000; ++i) {
    auto bytes = good;
    const auto changes = 1 + random() % 3;
    for (std::size_t n = 0; n < changes; ++n)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    bytes.resize(bytes.size() - random() % 5);
    const auto verdict = judge(filter, bytes);
    if (verdict == frame_verdict::pass) CHECK(bytes.find("n2") != std::string::npos);
  }
}

}  // namespace
}  // namespace cairn::testing
