#include "tests/actor/hub_world.hpp"

#include <atomic>
#include <malloc.h>
#include <thread>

namespace cairn::testing {
namespace {

TEST_CASE("peer hub: two nodes link, both hear of it, envelopes go both ways on both lanes") {
  hub_world world;
  auto n1 = world.start("n1");
  auto n2 = world.start("n2");
  CHECK_FALSE(n1->hub->send("n2", peer_lane::control, text_envelope("too early")));
  link(*n1, *n2, "n2");
  REQUIRE(n1->got.wait_up("n2"));
  REQUIRE(n2->got.wait_up("n1"));
  CHECK(n1->got.changes()[0].address == n2->hub->address());
  CHECK(n2->got.changes()[0].address == n1->hub->address());
  for (const auto lane : {peer_lane::control, peer_lane::bulk}) {
    CHECK(n1->hub->send("n2", lane, text_envelope("there", "body")));
    REQUIRE(n2->got.wait_count(1));
    const auto came = n2->got.take();
    CHECK(came[0].sender == "n1");
    CHECK(came[0].cluster_id == "c1");
    CHECK(came[0].log == "default");
    CHECK(came[0].head.text() == "there");
    CHECK(came[0].body.text() == "body");
    CHECK(n2->hub->send("n1", lane, text_envelope("back")));
    REQUIRE(n1->got.wait_count(1));
    CHECK(n1->got.take()[0].head.text() == "back");
  }
  CHECK_FALSE(n1->hub->send("n3", peer_lane::control, text_envelope("nobody")));
}

TEST_CASE("peer hub: large and many small envelopes come whole and in order") {
  hub_world world;
  auto n1 = world.start("n1");
  auto n2 = world.start("n2");
  link(*n1, *n2, "n2");
  REQUIRE(n1->got.wait_up("n2"));
  std::string large(8 << 20, ' ');
  for (std::size_t i = 0; i < large.size(); ++i)
    large[i] = static_cast<char>(i * 2654435761U >> 13);
  CHECK(n1->hub->send("n2", peer_lane::bulk, text_envelope("large", large)));
  constexpr std::size_t k_small = 20'000;
  for (std::size_t i = 0; i < k_small; ++i) {
    const auto lane = i % 2 == 0 ? peer_lane::control : peer_lane::bulk;
    while (!n1->hub->send("n2", lane, text_envelope(std::to_string(i))))
      std::this_thread::yield();
  }
  REQUIRE(n2->got.wait_count(k_small + 1));
  std::size_t even = 0;
  std::size_t odd = 1;
  for (const auto& x : n2->got.take()) {
    if (x.head.text() == "large") {
      CHECK((x.body.text() == large));
      continue;
    }
    const auto number = std::stoul(std::string(x.head.text()));
    auto& next = number % 2 == 0 ? even : odd;
    REQUIRE(number == next);
    next += 2;
  }
  CHECK(even == k_small);
  CHECK(odd == k_small + 1);
}

// malloc counts only where nothing has taken its place.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool k_malloc_counts = false;
#else
constexpr bool k_malloc_counts = true;
#endif

TEST_CASE("peer hub: what has waited for a slow peer costs no memory for ever" *
          doctest::skip(!k_malloc_counts)) {
  const auto in_use = [] {
    const auto info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  hub_world world;
  const auto a = world.start("a");
  const auto b = world.start("b");
  link(*a, *b, "b");
  REQUIRE(a->got.wait_up("b"));
  const auto before = in_use();
  // Faster than any socket: they gather in the buffer of the connection.
  constexpr std::size_t k_large = 32;
  const std::string body(1U << 20U, 'x');
  for (std::size_t i = 0; i < k_large; ++i)
    REQUIRE(a->hub->send("b", peer_lane::bulk, text_envelope("large", body)));
  REQUIRE(b->got.wait_count(k_large));
  (void)b->got.take();
  // One at a time, as in a quiet cluster.
  std::size_t kept = SIZE_MAX;
  for (int i = 0; i < 200 && kept > 8 * k_mib_bytes; ++i) {
    REQUIRE(a->hub->send("b", peer_lane::bulk, text_envelope("small")));
    REQUIRE(b->got.wait_count(1));
    (void)b->got.take();
    kept = in_use() - std::min(before, in_use());
  }
  CHECK(kept <= 8 * k_mib_bytes);
}

TEST_CASE("peer hub: an envelope beyond the frame limit is refused by send, the link stays") {
  hub_world world;
  auto settings = hub_world::settings("n1");
  settings.limits.frame_bytes = 100'000;
  auto n1 = world.start(settings);
  auto n2 = world.start("n2");
  link(*n1, *n2, "n2");
  REQUIRE(n1->got.wait_up("n2"));
  CHECK_FALSE(n1->hub->send("n2", peer_lane::bulk, text_envelope("x", std::string(100'000, 'b'))));
  CHECK(n1->hub->send("n2", peer_lane::bulk, text_envelope("y", std::string(99'000, 'b'))));
  REQUIRE(n2->got.wait_count(1));
  CHECK(n2->got.take()[0].head.text() == "y");
  REQUIRE(n2->got.wait_up("n1"));
  // The receiver's limit holds too: a peer that announces more is cut.
  CHECK(n2->hub->send("n1", peer_lane::bulk, text_envelope("z", std::string(100'000, 'b'))));
  REQUIRE(n1->got.wait_up("n2", false));
  CHECK(n1->got.wait_line("a frame of 100"));
  CHECK(n1->got.wait_up("n2"));  // and may try again
}

TEST_CASE("peer hub: nodes that dial each other at once end up with one link") {
  hub_world world;
  for (int round = 0; round < 10; ++round) {
    auto n1 = world.start("n1");
    auto n2 = world.start("n2");
    link(*n1, *n2, "n2");
    link(*n2, *n1, "n1");
    REQUIRE(n1->got.wait_up("n2"));
    REQUIRE(n2->got.wait_up("n1"));
    for (int i = 0; i < 3; ++i) {
      CHECK(n1->hub->send("n2", peer_lane::control, text_envelope("a")));
      CHECK(n2->hub->send("n1", peer_lane::bulk, text_envelope("b")));
    }
    CHECK(n2->got.wait_count(3));
    CHECK(n1->got.wait_count(3));
    CHECK(n1->got.changes().size() == 1);
    CHECK(n2->got.changes().size() == 1);
  }
}

TEST_CASE("peer hub: three nodes, everybody with everybody") {
  hub_world world;
  std::map<std::string, std::unique_ptr<hub_node>> nodes;
  for (const char* id : {"n1", "n2", "n3"})
    nodes[id] = world.start(id);
  for (auto& [a, from] : nodes)
    for (auto& [b, to] : nodes)
      if (a != b) link(*from, *to, b);
  for (auto& [a, from] : nodes) {
    for (auto& [b, to] : nodes) {
      if (a == b) continue;
      REQUIRE(from->got.wait_up(b));
      CHECK(from->hub->send(b, peer_lane::control, text_envelope(a)));
    }
  }
  for (auto& [a, node] : nodes)
    CHECK(node->got.wait_count(2));
}

TEST_CASE(
    "peer hub: a node that restarts is linked again, and nothing sent meanwhile comes later") {
  hub_world world;
  auto n1 = world.start("n1");
  auto settings = hub_world::settings("n2");
  auto n2 = world.start(settings);
  settings.listen_port = n2->hub->port();
  link(*n1, *n2, "n2");
  for (int round = 0; round < 3; ++round) {
    REQUIRE(n1->got.wait_up("n2"));
    CHECK(n1->hub->send("n2", peer_lane::bulk, text_envelope("up")));
    REQUIRE(n2->got.wait_count(1));
    CHECK(n2->got.take()[0].head.text() == "up");
    n2.reset();
    REQUIRE(n1->got.wait_up("n2", false));
    CHECK_FALSE(n1->hub->send("n2", peer_lane::bulk, text_envelope("while it is down")));
    n2 = world.start(settings);
  }
  REQUIRE(n1->got.wait_up("n2"));
  CHECK(n2->got.take().empty());
}

TEST_CASE("peer hub: forget cuts the link and ends the dialling") {
  hub_world world;
  auto n1 = world.start("n1");
  auto n2 = world.start("n2");
  link(*n1, *n2, "n2");
  REQUIRE(n1->got.wait_up("n2"));
  REQUIRE(n2->got.wait_up("n1"));
  n1->hub->forget("n2");
  CHECK(n1->got.wait_up("n2", false));
  CHECK(n2->got.wait_up("n1", false));
  CHECK_FALSE(n1->hub->send("n2", peer_lane::control, text_envelope("x")));
  link(*n1, *n2, "n2");
  CHECK(n1->got.wait_up("n2"));
}

TEST_CASE(
    "peer hub: a joiner asks by address alone, and gets answers but no raft before it has joined") {
  hub_world world;
  auto settings = hub_world::settings("n2", "");
  auto cluster = std::make_shared<std::atomic<bool>>(false);
  settings.cluster_id = [cluster] { return cluster->load() ? "c1" : ""; };
  auto n2 = world.start(settings);
  auto n1 = world.start("n1");
  n1->hub->route(peer_kind::request, "", n1->taker);
  n2->hub->route(peer_kind::answer, "", n2->taker);
  n2->hub->connect("", n1->hub->address());
  REQUIRE(n2->got.wait_up("n1"));
  REQUIRE(n1->got.wait_up("n2"));
  auto ask = text_envelope("may I?", {}, peer_kind::request);
  ask.log.clear();
  CHECK(n2->hub->send("n1", peer_lane::control, ask));
  REQUIRE(n1->got.wait_count(1));
  const auto asked = n1->got.take();
  CHECK(asked[0].sender == "n2");
  CHECK(asked[0].cluster_id.empty());
  CHECK(n1->hub->send("n2", peer_lane::control, text_envelope("raft, too early")));
  auto answer = text_envelope("you may", {}, peer_kind::answer);
  answer.log.clear();
  CHECK(n1->hub->send("n2", peer_lane::control, answer));
  REQUIRE(n2->got.wait_count(1));
  const auto got = n2->got.take();
  CHECK(got[0].head.text() == "you may");
  CHECK(got[0].cluster_id == "c1");
  *cluster = true;
  CHECK(n1->hub->send("n2", peer_lane::control, text_envelope("raft")));
  REQUIRE(n2->got.wait_count(1));
  CHECK(n2->got.take()[0].head.text() == "raft");
  CHECK(n2->got.changes().size() == 1);  // the link lived through it
}

TEST_CASE("peer hub: what cannot be linked is refused with a reason on both sides") {
  hub_world world;
  auto n1 = world.start("n1");
  SUBCASE("another cluster") {
    auto n2 = world.start(hub_world::settings("n2", "c2"));
    n2->hub->connect("n1", n1->hub->address());
    CHECK(
        n2->got.wait_line("n1 refuses a link (wrong-cluster): node n2 belongs to cluster c2, "
                          "node n1 to cluster c1"));
    CHECK(n1->got.wait_line("refused node n2"));
  }
  SUBCASE("no cluster on either side") {
    auto a = world.start(hub_world::settings("a", ""));
    auto b = world.start(hub_world::settings("b", ""));
    a->hub->connect("b", b->hub->address());
    CHECK(a->got.wait_line("neither side belongs to a cluster yet"));
    CHECK(b->got.wait_line("neither side belongs to a cluster yet"));
  }
  SUBCASE("itself") {
    n1->hub->connect("", n1->hub->address());
    CHECK(n1->got.wait_line("this is node n1 itself"));
  }
  SUBCASE("another node with the same id") {
    auto other = hub_world::settings("n1");
    other.data_id = "other";
    auto twin = world.start(other);
    twin->hub->connect("", n1->hub->address());
    CHECK(twin->got.wait_line("give this one another id"));
    CHECK(n1->got.wait_line("there is a node n1 already"));
  }
  SUBCASE("another node than the one that was meant") {
    auto n2 = world.start("n2");
    n1->hub->connect("n3", n2->hub->address());
    CHECK(n1->got.wait_line("node n3 was dialled"));
    CHECK(n2->got.wait_line("node n3 was dialled"));
  }
  SUBCASE("the same id with another data directory, while the first is linked") {
    auto n2 = world.start("n2");
    link(*n1, *n2, "n2");
    REQUIRE(n1->got.wait_up("n2"));
    auto other = hub_world::settings("n2");
    other.data_id = "other";
    auto twin = world.start(other);
    twin->hub->connect("n1", n1->hub->address());
    CHECK(twin->got.wait_line("a node n2 with another data directory is linked"));
    CHECK(n1->hub->send("n2", peer_lane::control, text_envelope("x")));
    CHECK(n2->got.wait_count(1));
    CHECK(n1->got.changes().size() == 1);
  }
  SUBCASE("the node's own rules") {
    auto strict = hub_world::settings("n9");
    strict.refuse = [](const apps::peer_identity& who) {
      return who.data_id == "data-of-n1" ? std::string("n1 was removed from the cluster")
                                         : std::string();
    };
    auto n9 = world.start(strict);
    n1->hub->connect("n9", n9->hub->address());
    CHECK(n1->got.wait_line("n9 refuses a link (policy): n1 was removed from the cluster"));
    CHECK(n9->got.wait_line("n1 was removed from the cluster"));
  }
}

TEST_CASE("peer hub: envelopes for nobody are dropped, a receiver can be replaced and removed") {
  hub_world world;
  auto n1 = world.start("n1");
  auto n2 = world.start("n2");
  link(*n1, *n2, "n2");
  REQUIRE(n1->got.wait_up("n2"));
  notes other;
  auto taker = note_taker(world.system, other);
  n2->hub->route(peer_kind::raft, "default", taker);
  CHECK(n1->hub->send("n2", peer_lane::control, text_envelope("to the new one")));
  CHECK(other.wait_count(1));
  n2->hub->route(peer_kind::raft, "default", nullptr);
  CHECK(n1->hub->send("n2", peer_lane::control, text_envelope("to nobody")));
  n2->hub->route(peer_kind::swim, "default", taker);
  CHECK(n1->hub->send("n2", peer_lane::control, text_envelope("s", {}, peer_kind::swim)));
  REQUIRE(other.wait_count(2));
  CHECK(other.take()[1].head.text() == "s");
  CHECK(n2->got.take().empty());
  n2->hub->stop();
  end_note_taker(world.system, taker);
}

// LeakSanitizer judges: a tick that came after BASP's end would keep BASP, see plane::end_basp().
TEST_CASE("peer hub: one that ends in the middle of its heartbeats leaves nothing behind") {
  hub_world world;
  for (int round = 0; round < 20; ++round) {
    auto often = hub_world::settings("n1");
    often.limits.heartbeat = 1ms;
    auto n1 = world.start(std::move(often));
    auto n2 = world.start("n2");
    link(*n1, *n2, "n2");
    REQUIRE(n2->got.wait_up("n1"));
  }
}

TEST_CASE("peer hub: impossible configurations are refused") {
  auto config = hub_world::settings("n1");
  config.listen_host = "not-an-address";
  CHECK(apps::make_peer_hub(config).code() == errc::invalid_argument);
  config = hub_world::settings("");
  CHECK(apps::make_peer_hub(config).code() == errc::invalid_argument);
  hub_world world;
  auto n1 = world.start("n1");
  config = hub_world::settings("n2");
  config.listen_port = n1->hub->port();
  CHECK(apps::make_peer_hub(config).code() == errc::unavailable);
}

}  // namespace
}  // namespace cairn::testing
