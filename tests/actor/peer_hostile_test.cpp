// What a peer may do that has said a right hello and then turns out to be broken or hostile, and
// what strangers may do at the port.

#include "storage/base/bytes.hpp"
#include "tests/actor/hub_world.hpp"
#include "tests/support/raw_peer.hpp"

#include <caf/message_id.hpp>
#include <fstream>
#include <thread>
#include <unistd.h>

namespace cairn::testing {
namespace {

/// Memory of this process that is in use now.
std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

raw_header message_to(std::uint64_t actor, std::size_t payload) {
  raw_header h;
  h.payload_bytes = static_cast<std::uint32_t>(payload);
  h.data = caf::make_message_id().integer_value();
  h.target = actor;
  return h;
}

std::string whole(const raw_envelope& x, std::uint64_t actor) {
  const auto payload = x.bytes(caf::type_id_v<peer_envelope>);
  return message_to(actor, payload.size()).bytes() + payload;
}

/// Two nodes that are linked, and that have to stay so.
struct hostile_world : hub_world {
  hostile_world() {
    link(*n1, *n2, "n2");
    REQUIRE(n1->got.wait_up("n2"));
    REQUIRE(n2->got.wait_up("n1"));
  }
  ~hostile_world() {
    CHECK(n1->hub->send("n2", peer_lane::control, text_envelope("still")));
    CHECK(n2->got.wait_count(1));
    for (const auto& change : n1->got.changes())
      CHECK((change.node != "n2" || change.up));
  }
  hostile_world(const hostile_world&) = delete;
  hostile_world& operator=(const hostile_world&) = delete;

  /// A peer that n1 thinks well of.
  raw_node intruder(int receive_buffer_bytes = 0) {
    raw_node x(n1->hub->port(), "evil", "c1", receive_buffer_bytes);
    CHECK(n1->got.wait_up("evil"));
    return x;
  }

  /// The intruders send no heartbeats, and a busy machine is slow.
  static apps::peer_hub_config patient(const std::string& node) {
    auto config = settings(node);
    config.limits.silence = 60s;
    return config;
  }

  std::unique_ptr<hub_node> n1 = start(patient("n1"));
  std::unique_ptr<hub_node> n2 = start(patient("n2"));
};

TEST_CASE("hostile peer: one that behaves is served like any other") {
  hostile_world world;
  auto x = world.intruder();
  CHECK(x.control.send(whole({}, x.control_actor)));
  CHECK(x.bulk.send(whole({.body = std::string(300'000, 'b')}, x.bulk_actor)));
  REQUIRE(world.n1->got.wait_count(2));
  for (const auto& came : world.n1->got.take())
    CHECK(came.sender == "evil");
  CHECK(world.n1->hub->send("evil", peer_lane::control, text_envelope("hello")));
}

TEST_CASE("hostile peer: a header that announces 4 GiB ends the link and costs no memory") {
  hostile_world world;
  auto x = world.intruder();
  const auto before = resident_bytes();
  SUBCASE("a message") {
    x.bulk.send(message_to(x.bulk_actor, UINT32_MAX).bytes());
  }
  SUBCASE("a message to another actor") {
    x.bulk.send(message_to(1, UINT32_MAX).bytes());
  }
  SUBCASE("a down message") {
    auto header = message_to(0, UINT32_MAX);
    header.operation = 5;
    x.bulk.send(header.bytes());
  }
  SUBCASE("one byte more than a frame may have") {
    x.bulk.send(message_to(x.bulk_actor, (std::size_t{24} << 20) + 1).bytes());
  }
  CHECK(world.n1->got.wait_up("evil", false));
  CHECK(x.bulk.closed_within(20s));
  CHECK(x.control.closed_within(20s));  // both lanes end together
  CHECK(resident_bytes() < before + (std::size_t{16} << 20));
}

TEST_CASE("hostile peer: whatever no node of ours sends ends the link") {
  hostile_world world;
  auto x = world.intruder();
  std::string bytes;
  std::string reason;
  SUBCASE("garbage") {
    bytes = std::string(1000, '\xff');
    reason = "no BASP header";
  }
  SUBCASE("text") {
    bytes = "GET /metrics HTTP/1.1\r\nHost: n1\r\n\r\n";
    reason = "no BASP header";
  }
  SUBCASE("a routed message") {
    auto header = message_to(x.control_actor, 64);
    header.operation = 3;
    bytes = header.bytes() + std::string(64, 'r');
    reason = "BASP operation 3";
  }
  SUBCASE("a second handshake with another node's id") {
    raw_header header;
    header.operation = 1;
    header.payload_bytes = 25;
    bytes = header.bytes() + "\x01" + std::string(24, 'o');
    reason = "BASP operation 1";
  }
  SUBCASE("a message in a message in a message") {
    // A message that holds a message, as deep as it goes: type lists of one message each.
    std::string payload(1, '\0');
    for (int i = 0; i < 30'000; ++i)
      payload += std::string("\x01\x00\x18", 3);
    bytes = message_to(x.control_actor, payload.size()).bytes() + payload;
    reason = "no peer envelope";
  }
  SUBCASE("another sender") {
    bytes = whole({.sender = "n2"}, x.control_actor);
    reason = "another sender";
  }
  SUBCASE("another cluster") {
    bytes = whole({.cluster = "c2"}, x.control_actor);
    reason = "another cluster";
  }
  SUBCASE("a kind that does not exist") {
    bytes = whole({.kind = 99}, x.control_actor);
    reason = "kind 99";
  }
  SUBCASE("lengths that do not add up") {
    auto payload = raw_envelope{}.bytes(caf::type_id_v<peer_envelope>);
    payload[12] = '\x7f';
    bytes = message_to(x.control_actor, payload.size()).bytes() + payload;
    reason = "lengths do not add up";
  }
  x.control.send(bytes);
  CHECK(world.n1->got.wait_line(reason));
  CHECK(world.n1->got.wait_up("evil", false));
  CHECK(x.control.closed_within(20s));
  CHECK(x.bulk.closed_within(20s));
  CHECK(world.n1->got.take().empty());
}

TEST_CASE("hostile peer: messages to other actors are dropped without harm") {
  hostile_world world;
  auto x = world.intruder();
  const std::string payload("\0\1\0\xc8 some message", 18);
  for (std::uint64_t actor = 0; actor < 64; ++actor) {
    if (actor == x.control_actor) continue;
    auto header = message_to(actor, payload.size());
    CHECK(x.control.send(header.bytes() + payload));
    header.flags = 1;  // by name: ConfigServ, SpawnServ
    CHECK(x.control.send(header.bytes() + payload));
    header.operation = 4;  // monitor
    CHECK(x.control.send(header.bytes() + payload));
    header.operation = 5;  // down, for any actor
    header.source = actor;
    CHECK(x.control.send(header.bytes() + payload));
  }
  CHECK(x.control.send(whole({.head = "after all that"}, x.control_actor)));
  REQUIRE(world.n1->got.wait_count(1));
  CHECK(world.n1->got.take()[0].head.text() == "after all that");
}

TEST_CASE(
    "hostile peer: one that never reads gets no more than its share of memory, others are served") {
  hostile_world world;
  auto x = world.intruder(4096);
  const auto before = resident_bytes();
  const auto mebibyte = text_envelope("x", std::string(1 << 20, 'b'));
  std::size_t sent = 0;
  const auto end = std::chrono::steady_clock::now() + k_patience;
  bool full = false;
  while (!full && std::chrono::steady_clock::now() < end) {
    if (world.n1->hub->send("evil", peer_lane::bulk, mebibyte)) {
      ++sent;
    } else {
      full = true;
    }
  }
  CHECK(full);
  for (int i = 0; i < 1000; ++i)
    sent += world.n1->hub->send("evil", peer_lane::bulk, mebibyte) ? 1U : 0U;
  CHECK(sent <= 64 + 16);  // the limit, and what the kernel took
  // One buffer may be twice as large as what is in it while it grows.
  CHECK(resident_bytes() < before + (std::size_t{400} << 20));
  // Its other lane works, and so do the others' links.
  CHECK(world.n1->hub->send("evil", peer_lane::control, text_envelope("y")));
  CHECK(world.n1->hub->send("n2", peer_lane::bulk, mebibyte));
  REQUIRE(world.n2->got.wait_count(1));
  CHECK(world.n2->got.take()[0].body.size() == 1 << 20);
  x.bulk.reset();
  CHECK(world.n1->got.wait_up("evil", false));
}

TEST_CASE("hostile peer: a reset is noticed at once, silence after a while") {
  hub_world world;
  auto settings = hub_world::settings("n1");
  settings.limits.heartbeat = 50ms;
  settings.limits.silence = 60s;
  SUBCASE("reset") {
    auto n1 = world.start(settings);
    raw_node x(n1->hub->port(), "evil", "c1");
    REQUIRE(n1->got.wait_up("evil"));
    x.control.reset();
    CHECK(n1->got.wait_up("evil", false));  // long before 60 s
  }
  SUBCASE("closed") {
    auto n1 = world.start(settings);
    raw_node x(n1->hub->port(), "evil", "c1");
    REQUIRE(n1->got.wait_up("evil"));
    x.bulk.close();
    CHECK(n1->got.wait_up("evil", false));
  }
  SUBCASE("silent") {
    settings.limits.silence = 500ms;
    auto n1 = world.start(settings);
    raw_node x(n1->hub->port(), "evil", "c1");
    REQUIRE(n1->got.wait_up("evil"));
    CHECK(n1->got.wait_up("evil", false));
    CHECK(n1->got.wait_line("silent"));
  }
  SUBCASE("half a frame and then nothing") {
    settings.limits.silence = 500ms;
    auto n1 = world.start(settings);
    raw_node x(n1->hub->port(), "evil", "c1");
    REQUIRE(n1->got.wait_up("evil"));
    const auto bytes = whole({.body = std::string(1000, 'b')}, x.control_actor);
    x.control.send(std::string_view(bytes).substr(0, bytes.size() / 2));
    CHECK(n1->got.wait_up("evil", false));
  }
  SUBCASE("two nodes that have nothing to say stay linked") {
    settings.limits.silence = 500ms;
    auto n1 = world.start(settings);
    settings.node_id = "n2";
    settings.data_id = "d2";
    auto n2 = world.start(settings);
    link(*n1, *n2, "n2");
    REQUIRE(n1->got.wait_up("n2"));
    CHECK_FALSE(n1->got.wait([](const notes&) { return false; }, 1'500ms));
    CHECK(n1->got.changes().size() == 1);
    CHECK(n1->hub->send("n2", peer_lane::control, text_envelope("x")));
    CHECK(n2->got.wait_count(1));
  }
}

TEST_CASE("hostile peer: a process that has lost its link takes the old one's place") {
  hub_world world;
  auto n1 = world.start("n1");
  auto first = std::make_unique<raw_node>(n1->hub->port(), "evil", "c1");
  REQUIRE(n1->got.wait_up("evil"));
  // It restarts, and nobody has told us that the first one is dead.
  raw_node second(n1->hub->port(), "evil", "c1");
  CHECK(first->control.closed_within(20s));
  CHECK(n1->got.wait([](const notes& n) { return n.change_count() == 3; }));  // up, down, up
  CHECK(second.control.send(whole({}, second.control_actor)));
  CHECK(n1->got.wait_count(1));
}

TEST_CASE("hostile peer: a right hello with a wrong transport gets no link") {
  hostile_world world;
  for (const std::string& transport :
       {std::string(), std::string(33, '\x01'), std::string(33, '\xff'), std::string(512, 'x')}) {
    auto hello = right_hello("odd", "c1");
    hello.transport = transport;
    raw_peer control(world.n1->hub->port());
    REQUIRE(control.greet(hello).welcome.has_value());
    hello.lane = 1;
    raw_peer bulk(world.n1->hub->port());
    REQUIRE(bulk.greet(hello).welcome.has_value());
    if (transport.size() != 33 || transport[0] != '\x01') {
      CHECK(control.closed_within(20s));
      CHECK(bulk.closed_within(20s));
    }
  }
}

TEST_CASE("hostile peer: idle and babbling strangers at the port do not delay an envelope") {
  hostile_world world;
  std::vector<raw_peer> strangers;
  for (int i = 0; i < 200; ++i) {
    strangers.emplace_back(world.n1->hub->port());
    if (i % 2 == 0) strangers.back().send("babble babble babble");
  }
  const auto begun = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < 100; ++i) {
    REQUIRE(world.n1->hub->send("n2", peer_lane::control, text_envelope("ping")));
    REQUIRE(world.n2->got.wait_count(1));
    (void)world.n2->got.take();
  }
  // A hundred one after the other within what one silent stranger is given.
  CHECK(std::chrono::steady_clock::now() - begun < 5s);
}

TEST_CASE("hostile peer: what is on the control lane does not wait behind bulk data") {
  hostile_world world;
  auto x = world.intruder(4096);
  const std::string body(1 << 20, 'b');
  std::size_t sent = 0;
  while (sent < 40 && world.n1->hub->send("evil", peer_lane::bulk, text_envelope("bulk", body)))
    ++sent;
  CHECK(sent == 40);  // nobody reads them
  CHECK(world.n1->hub->send("evil", peer_lane::control, text_envelope("the vote")));
  bool came = false;
  for (int frames = 0; frames < 100 && !came; ++frames) {
    const auto header = x.control.receive(32);
    REQUIRE(header.size() == 32);
    std::size_t size = 0;
    for (const char c : header.substr(4, 4))
      size = (size << 8) | static_cast<unsigned char>(c);
    came = x.control.receive(size).find("the vote") != std::string::npos;
  }
  CHECK(came);
}

}  // namespace
}  // namespace cairn::testing
