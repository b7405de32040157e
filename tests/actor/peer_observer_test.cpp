// Observers at a node's hub: what they may do, and that nobody takes one for a node.

#include "tests/actor/hub_world.hpp"
#include "tests/support/raw_peer.hpp"

#include <atomic>
#include <caf/message_id.hpp>
#include <prometheus/registry.h>

namespace cairn::testing {
namespace {

using net::peer_refusal;

apps::peer_hub_config observer_settings(const std::string& id) {
  auto config = hub_world::settings(id);
  config.observes = true;
  return config;
}

peer_envelope question(const std::string& head, const std::string& body = {}) {
  auto x = text_envelope(head, body, peer_kind::inspect);
  x.log.clear();
  return x;
}

peer_envelope answer_to(const peer_envelope& asked, const std::string& head,
                        const std::string& body = {}) {
  auto x = text_envelope(head, body, peer_kind::inspect_answer);
  x.log.clear();
  CHECK(asked.kind == peer_kind::inspect);
  return x;
}

std::string whole(const raw_envelope& x, std::uint64_t actor) {
  const auto payload = x.bytes(caf::type_id_v<peer_envelope>);
  raw_header h;
  h.payload_bytes = static_cast<std::uint32_t>(payload.size());
  h.data = caf::make_message_id().integer_value();
  h.target = actor;
  return h.bytes() + payload;
}

raw_envelope raw_question(const std::string& sender) {
  return {.kind = 7, .cluster = "", .sender = sender, .log = "", .head = "?"};
}

/// Two nodes that are linked, and have to stay so; n1 takes questions.
struct observed_world : hub_world {
  explicit observed_world(apps::peer_hub_limits limits = {}) {
    auto config = settings("n1");
    config.limits = limits;
    config.registry = registry;
    n1 = start(std::move(config));
    n2 = start("n2");
    link(*n1, *n2, "n2");
    REQUIRE(n1->got.wait_up("n2"));
    REQUIRE(n2->got.wait_up("n1"));
    n1->hub->route(peer_kind::inspect, "", n1->taker);
  }
  ~observed_world() {
    (void)n2->got.take();
    CHECK(n1->hub->send("n2", peer_lane::control, text_envelope("still")));
    CHECK(n2->got.wait_count(1));
    // Whatever observers did, nobody that counts nodes has heard of them.
    CHECK(n1->got.changes().size() == 1);
    CHECK(n1->got.changes()[0].node == "n2");
    CHECK(n2->got.changes().size() == 1);
  }
  observed_world(const observed_world&) = delete;
  observed_world& operator=(const observed_world&) = delete;

  /// A hub that observes n1.
  std::unique_ptr<hub_node> look(const std::string& id) {
    auto one = start(observer_settings(id));
    one->hub->route(peer_kind::inspect_answer, "", one->taker);
    one->hub->connect("", n1->hub->address());
    return one;
  }
  [[nodiscard]] std::size_t observers() const {
    std::size_t up = 0;
    for (const auto& one : n1->hub->links())
      up += one.observer && one.up ? 1U : 0U;
    return up;
  }
  [[nodiscard]] double metric(const std::string& name, const std::string& label) const {
    for (const auto& family : registry->Collect()) {
      if (family.name != name) continue;
      for (const auto& one : family.metric) {
        const bool right =
            label.empty() || std::any_of(one.label.begin(), one.label.end(),
                                         [&](const auto& l) { return l.value == label; });
        if (right) return one.counter.value + one.gauge.value;
      }
    }
    return -1;
  }

  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  std::unique_ptr<hub_node> n1;
  std::unique_ptr<hub_node> n2;
};

TEST_CASE("observer: links to a node, asks, and is answered on both lanes") {
  observed_world world;
  auto console = world.look("console-1");
  REQUIRE(console->got.wait_up("n1"));
  CHECK(console->got.changes()[0].address == world.n1->hub->address());
  CHECK(console->hub->send("n1", peer_lane::control, question("who leads?")));
  REQUIRE(world.n1->got.wait_count(1));
  const auto asked = world.n1->got.take();
  CHECK(asked[0].sender == "console-1");
  CHECK(asked[0].cluster_id.empty());
  CHECK(asked[0].head.text() == "who leads?");
  CHECK(world.n1->hub->send("console-1", peer_lane::control, answer_to(asked[0], "n2")));
  CHECK(world.n1->hub->send("console-1", peer_lane::bulk,
                            answer_to(asked[0], "all", std::string(5 << 20, 'a'))));
  REQUIRE(console->got.wait_count(2));
  for (const auto& came : console->got.take()) {
    CHECK(came.sender == "n1");
    CHECK((came.head.text() == "n2" || came.body.size() == 5 << 20));
  }
  const auto links = world.n1->hub->links();
  REQUIRE(links.size() == 2);
  CHECK(links[0].node == "console-1");
  CHECK(links[0].observer);
  CHECK(links[0].up);
  CHECK_FALSE(links[1].observer);
  CHECK(world.metric("cairn_peer_observers", "") == 1);
  CHECK(world.metric("cairn_peer_links", "") == 1);
  console.reset();
  CHECK(world.n1->got.wait_line("observer console-1 has left"));
  CHECK(world.observers() == 0);
  CHECK(world.metric("cairn_peer_observers", "") == 0);
  CHECK(world.metric("cairn_peer_links", "") == 1);
}

TEST_CASE("observer: a node that waits to be let in answers it as well") {
  hub_world world;
  auto n4 = world.start(hub_world::settings("n4", ""));
  n4->hub->route(peer_kind::inspect, "", n4->taker);
  auto console = world.start(observer_settings("console-1"));
  console->hub->route(peer_kind::inspect_answer, "", console->taker);
  console->hub->connect("", n4->hub->address());
  REQUIRE(console->got.wait_up("n4"));
  CHECK(console->hub->send("n4", peer_lane::control, question("why?")));
  REQUIRE(n4->got.wait_count(1));
  CHECK(n4->hub->send("console-1", peer_lane::control, answer_to(n4->got.take()[0], "nobody")));
  REQUIRE(console->got.wait_count(1));
  CHECK(n4->got.changes().empty());
}

TEST_CASE("observer: what is no question is neither sent by our hub nor delivered") {
  observed_world world;
  auto console = world.look("console-1");
  REQUIRE(console->got.wait_up("n1"));
  CHECK_FALSE(console->hub->send("n1", peer_lane::control, text_envelope("raft")));
  CHECK_FALSE(console->hub->send("n1", peer_lane::control,
                                 question("?", std::string(64 << 10, 'b'))));  // too large
  CHECK(console->hub->send("n1", peer_lane::control, question("?", std::string(60'000, 'b'))));
  CHECK(world.n1->got.wait_count(1));
  (void)world.n1->got.take();
  // The other way round: who sends Raft's to a node of that id does not reach an observer.
  CHECK_FALSE(world.n1->hub->send("console-1", peer_lane::bulk, text_envelope("raft")));
  CHECK_FALSE(world.n1->hub->send("console-1", peer_lane::control, question("?")));
}

TEST_CASE("observer: whatever is no question ends its link, is counted, and reaches nobody") {
  observed_world world;
  raw_node x(world.n1->hub->port(), observer_hello("console-1"));
  REQUIRE(world.n1->got.wait_line("observer console-1 looks"));
  auto envelope = raw_question("console-1");
  SUBCASE("raft") {
    envelope.kind = 1;
    envelope.log = "default";
  }
  SUBCASE("a request to join") {
    envelope.kind = 5;
  }
  SUBCASE("an answer to somebody else's question") {
    envelope.kind = 8;
  }
  SUBCASE("a kind that only members may not know") {
    envelope.kind = 9;
  }
  SUBCASE("in the name of the cluster") {
    envelope.cluster = "c1";
  }
  SUBCASE("in the name of a node") {
    envelope.sender = "n2";
  }
  SUBCASE("more than an observer may say at once") {
    envelope.body = std::string(65 << 10, 'b');
  }
  x.control.send(whole(envelope, x.control_actor));
  CHECK(x.control.closed_within(20s));
  CHECK(x.bulk.closed_within(20s));
  CHECK(world.n1->got.wait_line("observer console-1 is cut off: it sent"));
  CHECK(world.n1->got.take().empty());
  CHECK(world.metric("cairn_peer_cut_total", "observer") == 1);
  CHECK(world.metric("cairn_peer_cut_total", "node") == 0);
}

TEST_CASE("observer: one that comes again and again to be cut does not fill the log") {
  observed_world world;
  for (int i = 0; i < 20; ++i) {
    raw_node x(world.n1->hub->port(), observer_hello("console-1"));
    auto raft = raw_question("console-1");
    raft.kind = 1;
    x.control.send(whole(raft, x.control_actor));
    REQUIRE(x.control.closed_within(20s));
  }
  std::size_t lines = 0;
  for (const auto& line : world.n1->got.lines())
    lines += line.find("console-1") != std::string::npos ? 1U : 0U;
  CHECK(lines <= 3);  // came, was cut, and perhaps went; once in ten seconds
  CHECK(world.metric("cairn_peer_cut_total", "observer") == 20);
}

TEST_CASE("observer: a ninth is refused with a reason, and let in when another has left") {
  observed_world world;
  std::vector<std::unique_ptr<raw_node>> eight;
  for (int i = 0; i < 8; ++i)
    eight.push_back(std::make_unique<raw_node>(world.n1->hub->port(),
                                               observer_hello("console-" + std::to_string(i))));
  auto ninth = world.look("console-9");
  REQUIRE(ninth->got.wait_line(
      "refuses a link (observer): node n1 has 8 observers, which is the most: end one, or look "
      "through another node"));
  // One of the eight that has lost its link and begins anew is no ninth.
  auto again = observer_hello("console-3");
  raw_node third(world.n1->hub->port(), again);
  CHECK(eight[3]->control.closed_within(20s));
  eight[5].reset();
  CHECK(ninth->got.wait_up("n1"));
}

TEST_CASE("observer: half-made links count, and make room when they come to nothing") {
  apps::peer_hub_limits limits;
  limits.observers = 2;
  observed_world world(limits);
  auto first = std::make_unique<raw_peer>(world.n1->hub->port());
  raw_peer second(world.n1->hub->port());
  CHECK(first->greet(observer_hello("console-1")).welcome.has_value());
  CHECK(second.greet(observer_hello("console-2")).welcome.has_value());
  raw_peer third(world.n1->hub->port());
  CHECK(third.greet(observer_hello("console-3")).refusal.why == peer_refusal::observer);
  first.reset();
  CHECK(world.look("console-4")->got.wait_up("n1"));
}

TEST_CASE("observer: the id of a node is refused to it") {
  observed_world world;
  for (const std::string id : {"n1", "n2"}) {
    raw_peer x(world.n1->hub->port());
    const auto told = x.greet(observer_hello(id)).refusal;
    CHECK(told.why == (id == "n1" ? peer_refusal::own_id : peer_refusal::observer));
    CHECK_FALSE(told.reason.empty());
  }
  // Also when the node is not there at the moment.
  world.n1->hub->connect("n3", "127.0.0.1:1");
  raw_peer x(world.n1->hub->port());
  CHECK(x.greet(observer_hello("n3")).refusal.why == peer_refusal::observer);
  world.n1->hub->forget("n3");
}

TEST_CASE("observer: a node whose id one has taken comes in, and the observer goes") {
  hub_world world;
  auto n1 = world.start("n1");
  SUBCASE("the node dials") {
    raw_node x(n1->hub->port(), observer_hello("n3"));
    REQUIRE(n1->got.wait_line("observer n3 looks"));
    auto n3 = world.start("n3");
    n3->hub->connect("n1", n1->hub->address());
    CHECK(x.control.closed_within(20s));
    CHECK(n1->got.wait_up("n3"));
    CHECK(n1->hub->send("n3", peer_lane::control, text_envelope("raft")));
    CHECK(n3->got.wait_count(1));
    CHECK(n1->got.changes().size() == 1);
  }
  SUBCASE("the node is dialled") {
    raw_node x(n1->hub->port(), observer_hello("n3"));
    REQUIRE(n1->got.wait_line("observer n3 looks"));
    n1->hub->connect("n3", "127.0.0.1:1");
    CHECK(x.control.closed_within(20s));
    CHECK(n1->got.changes().empty());
  }
}

TEST_CASE("observer: an id of another observer is its own, unless it is the same process") {
  observed_world world;
  auto hello = observer_hello("console-1");
  raw_node x(world.n1->hub->port(), hello);
  REQUIRE(world.n1->got.wait_line("observer console-1 looks"));
  auto other = observer_hello("console-1");
  other.data_id = "another";
  raw_peer second(world.n1->hub->port());
  CHECK(second.greet(other).refusal.why == peer_refusal::observer);
  hello.session += 1;
  raw_node again(world.n1->hub->port(), hello);
  CHECK(x.control.closed_within(20s));
  CHECK(again.control.send(whole(raw_question("console-1"), again.control_actor)));
  CHECK(world.n1->got.wait_count(1));
}

TEST_CASE("observer: lanes of a node and of an observer do not make one link") {
  observed_world world;
  auto hello = observer_hello("console-1");
  raw_peer control(world.n1->hub->port());
  REQUIRE(control.greet(hello).welcome.has_value());
  hello.lane = 1;
  hello.capabilities = 0;
  raw_peer bulk(world.n1->hub->port());
  CHECK(bulk.greet(hello).refusal.why == peer_refusal::bad_hello);
}

TEST_CASE("observer: one that names a node's plane as its own does not cut that node's link") {
  observed_world world;
  // What n2 calls its planes is in its welcome, for whoever asks.
  std::array<std::string, 2> planes;
  {
    auto hello = observer_hello("console-0");
    raw_peer control(world.n2->hub->port());
    const auto first = control.greet(hello).welcome;
    REQUIRE(first.has_value());
    planes[0] = first->transport;
    hello.lane = 1;
    raw_peer bulk(world.n2->hub->port());
    const auto second = bulk.greet(hello).welcome;
    REQUIRE(second.has_value());
    planes[1] = second->transport;
  }
  auto hello = observer_hello("console-1");
  hello.transport = planes[0];
  raw_peer control(world.n1->hub->port());
  REQUIRE(control.greet(hello).welcome.has_value());
  hello.lane = 1;
  hello.transport = planes[1];
  raw_peer bulk(world.n1->hub->port());
  REQUIRE(bulk.greet(hello).welcome.has_value());
  CHECK(control.closed_within(20s));
  CHECK(bulk.closed_within(20s));
}  // the world looks whether n2 is still linked

TEST_CASE("observer: one that never reads gets its share of memory, and delays no vote") {
  observed_world world;
  raw_node x(world.n1->hub->port(), observer_hello("console-1"), 4096);
  REQUIRE(world.n1->got.wait_line("observer console-1 looks"));
  const auto half = text_envelope("x", std::string(512 << 10, 'b'), peer_kind::inspect_answer);
  std::size_t sent = 0;
  std::size_t refused = 0;
  for (int i = 0; i < 1'000; ++i)
    ++(world.n1->hub->send("console-1", peer_lane::bulk, half) ? sent : refused);
  CHECK(refused > 0);
  CHECK(sent <= 16 + 16);  // 8 MiB, and what the kernel took
  const auto small = text_envelope("x", std::string(32 << 10, 'b'), peer_kind::inspect_answer);
  for (int i = 0; i < 1'000; ++i)
    (void)world.n1->hub->send("console-1", peer_lane::control, small);
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    REQUIRE(world.n1->hub->send("n2", peer_lane::control, text_envelope("vote")));
    REQUIRE(world.n2->got.wait_count(1));
    (void)world.n2->got.take();
  }
  CHECK(std::chrono::steady_clock::now() - begun < 5s);
}

TEST_CASE("observer: questions that nobody reads are dropped beyond a bound, its link stays") {
  apps::peer_hub_limits limits;
  limits.observer_unread = 5;
  observed_world world(limits);
  auto console = world.look("console-1");
  REQUIRE(console->got.wait_up("n1"));
  // The notes keep what came: so it is unread as long as they have it.
  for (int i = 0; i < 20; ++i)
    REQUIRE(console->hub->send("n1", peer_lane::control, question(std::to_string(i))));
  REQUIRE(world.n1->got.wait_count(5));
  const auto end = std::chrono::steady_clock::now() + k_patience;
  while (world.metric("cairn_peer_dropped_total", "no-room") < 15 &&
         std::chrono::steady_clock::now() < end)
    std::this_thread::yield();
  CHECK(world.metric("cairn_peer_dropped_total", "no-room") == 15);
  CHECK(world.n1->got.take().size() == 5);
  CHECK(console->hub->send("n1", peer_lane::control, question("now")));
  REQUIRE(world.n1->got.wait_count(1));
  CHECK(world.n1->got.take()[0].head.text() == "now");
}

TEST_CASE("observer: it does not link with an older node, which would take it for one that joins") {
  hub_world world;
  auto console = world.start(observer_settings("console-1"));
  raw_listener older;
  console->hub->connect("", older.address());
  auto x = older.accept();
  REQUIRE(x.has_value());
  const auto hello = x->receive_frame();
  REQUIRE(hello.has_value());
  auto welcome = right_hello("n1", "c1");
  SUBCASE("it knows of no observers") {
    welcome.capabilities = 0;
  }
  SUBCASE("it says that it is one") {
    welcome = observer_hello("n1");
  }
  welcome.session = net::decode_hello(hello->body)->session;
  x->send(net::encode_hello(net::peer_frame_type::welcome, welcome));
  const auto told = x->receive_frame();
  REQUIRE(told.has_value());
  CHECK(told->header.type == net::peer_frame_type::refusal);
  CHECK(net::decode_refusal(told->body)->why == peer_refusal::observer);
  CHECK(console->got.wait_line("node n1 takes no observers: its version is older"));
}

TEST_CASE("observer: garbage after a right hello ends its link and nothing else") {
  observed_world world;
  raw_node x(world.n1->hub->port(), observer_hello("console-1"));
  REQUIRE(world.n1->got.wait_line("observer console-1 looks"));
  SUBCASE("text") {
    x.control.send("help\r\nquit\r\nhelp\r\nquit\r\nhelp\r\nquit\r\nhelp\r\nquit\r\n");
  }
  SUBCASE("4 GiB announced") {
    raw_header h;
    h.payload_bytes = UINT32_MAX;
    h.data = caf::make_message_id().integer_value();
    h.target = x.bulk_actor;
    x.bulk.send(h.bytes());
  }
  CHECK(x.control.closed_within(20s));
  CHECK(x.bulk.closed_within(20s));
}

}  // namespace
}  // namespace cairn::testing
