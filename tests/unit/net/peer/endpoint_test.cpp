#include "net/peer/endpoint.hpp"

#include "tests/support/raw_peer.hpp"

#include <condition_variable>
#include <doctest/doctest.h>
#include <map>
#include <mutex>
#include <unistd.h>
#include <vector>

namespace cairn::net {
namespace {

using cairn::testing::raw_peer;
using cairn::testing::right_hello;
using namespace std::chrono_literals;

/// An endpoint of node "n1" in cluster "c1", and what it reports.
struct endpoint_world {
  explicit endpoint_world(peer_endpoint_limits limits = {}) {
    peer_endpoint_config config;
    config.listen_host = "127.0.0.1";
    config.limits = limits;
    config.self.node_id = "n1";
    config.self.data_id = "d1";
    config.cluster_id = [] { return std::string("c1"); };
    config.transports = {"t0", "t1"};
    config.on_link = [this](peer_link made) {
      const std::lock_guard lock(mutex);
      links.push_back(std::move(made));
      changed.notify_all();
    };
    config.on_refused = [this](peer_refusal why, bool) {
      const std::lock_guard lock(mutex);
      ++refused[why];
      changed.notify_all();
    };
    config.log = [this](std::string_view line) {
      const std::lock_guard lock(mutex);
      lines.emplace_back(line);
    };
    auto opened = peer_endpoint::open(std::move(config));
    CAIRN_CHECK(opened.ok(), "{}", opened.error().detail);
    endpoint = std::move(*opened);
    endpoint->run();
  }
  ~endpoint_world() {
    endpoint->stop();
    for (const auto& l : links)
      for (const int descriptor : l.descriptors)
        ::close(descriptor);
  }
  endpoint_world(const endpoint_world&) = delete;
  endpoint_world& operator=(const endpoint_world&) = delete;

  bool wait(const std::function<bool()>& done) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, 20s, done);
  }
  bool wait_refused(peer_refusal why, std::size_t count = 1) {
    return wait([&] { return refused[why] >= count; });
  }
  bool wait_links(std::size_t count) {
    return wait([&] { return links.size() >= count; });
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<peer_link> links;
  std::map<peer_refusal, std::size_t> refused;
  std::vector<std::string> lines;
  std::unique_ptr<peer_endpoint> endpoint;
};

TEST_CASE("endpoint: a link needs both lanes of one session") {
  endpoint_world world;
  auto hello = right_hello("n2", "c1");
  hello.address = "0.0.0.0:7000";
  raw_peer control(world.endpoint->port());
  const auto first = control.greet(hello);
  REQUIRE(first.welcome);
  CHECK(first.welcome->node_id == "n1");
  CHECK(first.welcome->transport == "t0");
  CHECK(first.welcome->address == world.endpoint->address());
  CHECK(world.links.empty());
  hello.lane = 1;
  hello.transport = "other";
  raw_peer bulk(world.endpoint->port());
  const auto second = bulk.greet(hello);
  REQUIRE(second.welcome);
  CHECK(second.welcome->transport == "t1");
  REQUIRE(world.wait_links(1));
  const auto& made = world.links[0];
  CHECK(made.hello.node_id == "n2");
  CHECK(made.hello.address == "127.0.0.1:7000");  // "all interfaces" is where it came from
  CHECK_FALSE(made.dialled);
  CHECK(made.transports[1] == "other");
  // The descriptors are these connections.
  for (auto [lane, end] : {std::pair{0, &control}, std::pair{1, &bulk}}) {
    CHECK(::write(made.descriptors.at(static_cast<std::size_t>(lane)), "x", 1) == 1);
    CHECK(end->receive(1) == "x");
  }
}

TEST_CASE("endpoint: a host that is told without a port gets the one that was found") {
  peer_endpoint_config config;
  config.listen_host = "127.0.0.1";
  config.self.node_id = "n1";
  config.self.address = "node.example:0";
  auto opened = peer_endpoint::open(std::move(config));
  REQUIRE(opened.ok());
  CHECK((*opened)->address() == "node.example:" + std::to_string((*opened)->port()));
}

TEST_CASE("endpoint: a lane without its session, twice, or of another process is refused") {
  endpoint_world world;
  auto hello = right_hello("n2", "c1");
  hello.lane = 1;
  CHECK(raw_peer(world.endpoint->port()).greet(hello).refusal.why == peer_refusal::bad_hello);
  hello.lane = 0;
  raw_peer control(world.endpoint->port());
  REQUIRE(control.greet(hello).welcome);
  hello.lane = 1;
  auto stranger = hello;
  stranger.incarnation += 1;
  CHECK(raw_peer(world.endpoint->port()).greet(stranger).refusal.why == peer_refusal::bad_hello);
  CHECK(raw_peer(world.endpoint->port()).greet(hello).welcome.has_value());
  CHECK(world.wait_links(1));
  CHECK(raw_peer(world.endpoint->port()).greet(hello).refusal.why == peer_refusal::bad_hello);
}

TEST_CASE("endpoint: garbage is closed without an answer, other versions with one") {
  endpoint_world world;
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), std::string(16, '\0'),
        std::string(4096, '\xff'),
        std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls ", 17)}) {
    raw_peer client(world.endpoint->port());
    client.send(bytes);
    CHECK(client.closed_within(20s));
  }
  CHECK(world.wait_refused(peer_refusal::not_a_peer, 4));
  auto bytes = encode_hello(peer_frame_type::hello, right_hello("n2", "c1"));
  bytes[8] = 9;
  raw_peer later(world.endpoint->port());
  later.send(bytes);
  const auto answer = later.receive_frame();
  REQUIRE(answer);
  CHECK(answer->header.type == peer_frame_type::refusal);
  const auto note = decode_refusal(answer->body);
  REQUIRE(note.ok());
  CHECK(note->why == peer_refusal::version);
  CHECK(note->reason == "peer protocol version 9 is not spoken here, only 1");
  CHECK(later.closed_within(20s));
  raw_peer rude(world.endpoint->port());
  rude.send(encode_refusal({peer_refusal::busy, "no"}));
  CHECK(rude.receive_frame()->header.type == peer_frame_type::refusal);
  const std::lock_guard lock(world.mutex);
  CHECK(world.links.empty());
  CHECK(world.lines.size() <= 4);  // one a kind, however many connections
}

TEST_CASE(
    "endpoint: 200 silent connections are closed at the deadline or for newer ones, a node gets "
    "in") {
  peer_endpoint_limits limits;
  limits.half_open = 16;
  limits.hello = 1'500ms;
  endpoint_world world(limits);
  std::vector<raw_peer> silent;
  for (int i = 0; i < 200; ++i)
    silent.emplace_back(world.endpoint->port());
  auto hello = right_hello("n2", "c1");
  raw_peer control(world.endpoint->port());
  CHECK(control.greet(hello).welcome.has_value());
  hello.lane = 1;
  raw_peer bulk(world.endpoint->port());
  CHECK(bulk.greet(hello).welcome.has_value());
  CHECK(world.wait_links(1));
  for (auto& client : silent)
    CHECK(client.closed_within(20s));
  CHECK(world.wait([&] {
    return world.refused[peer_refusal::busy] + world.refused[peer_refusal::too_slow] == 200;
  }));
  const std::lock_guard lock(world.mutex);
  CHECK(world.refused[peer_refusal::busy] >= 200 - 16);
  CHECK(world.lines.size() <= 3);
}

TEST_CASE(
    "endpoint: a hello that comes byte by byte, and a session without its second lane, end at the "
    "deadline") {
  peer_endpoint_limits limits;
  limits.hello = 300ms;
  endpoint_world world(limits);
  raw_peer drip(world.endpoint->port());
  drip.send(encode_hello(peer_frame_type::hello, right_hello("n2", "c1")).substr(0, 20));
  raw_peer half(world.endpoint->port());
  CHECK(half.greet(right_hello("n3", "c1")).welcome.has_value());
  CHECK(drip.closed_within(20s));
  CHECK(half.closed_within(20s));
  CHECK(world.wait_refused(peer_refusal::too_slow, 2));
  // That session is forgotten: the node may begin anew.
  auto hello = right_hello("n3", "c1");
  raw_peer control(world.endpoint->port());
  CHECK(control.greet(hello).welcome.has_value());
  hello.lane = 1;
  raw_peer bulk(world.endpoint->port());
  CHECK(bulk.greet(hello).welcome.has_value());
  CHECK(world.wait_links(1));
}

TEST_CASE("endpoint: a dialler that closes half-way leaves nothing behind") {
  endpoint_world world;
  for (int i = 0; i < 20; ++i) {
    raw_peer control(world.endpoint->port());
    CHECK(control.greet(right_hello("n2", "c1")).welcome.has_value());
    if (i % 2 == 0) control.reset();
  }
  auto hello = right_hello("n2", "c1");
  raw_peer control(world.endpoint->port());
  CHECK(control.greet(hello).welcome.has_value());
  hello.lane = 1;
  raw_peer bulk(world.endpoint->port());
  CHECK(bulk.greet(hello).welcome.has_value());
  CHECK(world.wait_links(1));
}

TEST_CASE("endpoint: two endpoints find each other, and again after the link was lost") {
  peer_endpoint_limits limits;
  limits.backoff_min = 10ms;
  endpoint_world world(limits);
  peer_endpoint_config config;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<peer_link> made;
  config.listen_host = "127.0.0.1";
  config.limits = limits;
  config.self.node_id = "n2";
  config.self.data_id = "d2";
  config.cluster_id = [] { return std::string("c1"); };
  config.on_link = [&](peer_link x) {
    const std::lock_guard lock(mutex);
    made.push_back(std::move(x));
    changed.notify_all();
  };
  auto other = peer_endpoint::open(std::move(config));
  REQUIRE(other.ok());
  (*other)->run();
  (*other)->connect("n1", "localhost:" + std::to_string(world.endpoint->port()));
  for (std::size_t round = 1; round <= 3; ++round) {
    {
      std::unique_lock lock(mutex);
      REQUIRE(changed.wait_for(lock, 20s, [&] { return made.size() == round; }));
      CHECK(made.back().dialled);
      CHECK(made.back().hello.node_id == "n1");
      for (const int descriptor : made.back().descriptors)
        ::close(descriptor);
    }
    REQUIRE(world.wait_links(round));
    world.endpoint->link_lost("n2", world.links.back().hello.session);
    (*other)->link_lost("n1", made.back().hello.session);
  }
  (*other)->stop();
  for (std::size_t i = 3; i < made.size(); ++i)
    for (const int descriptor : made[i].descriptors)
      ::close(descriptor);
}

TEST_CASE(
    "endpoint: an address where nobody listens is tried again and again, and reported rarely") {
  peer_endpoint_limits limits;
  limits.backoff_min = 1ms;
  limits.backoff_max = 5ms;
  endpoint_world world(limits);
  std::uint16_t port = 0;
  {
    endpoint_world gone;
    port = gone.endpoint->port();
  }
  world.endpoint->connect("n2", "127.0.0.1:" + std::to_string(port));
  CHECK(world.wait_refused(peer_refusal::unreachable, 20));
  world.endpoint->connect("n3", "no-port");
  CHECK(world.wait_refused(peer_refusal::policy));
  world.endpoint->forget("n2");
  world.endpoint->forget("n3");
  const std::lock_guard lock(world.mutex);
  REQUIRE(world.lines.size() == 2);
  CHECK(world.lines[0].find("cannot reach n2: Connection refused") != std::string::npos);
  CHECK(world.lines[1] == "'no-port' is not an address to dial: host:port is one");
}

}  // namespace
}  // namespace cairn::net
