#include "tests/support/fake_hub.hpp"

#include "actors/type_ids.hpp"
#include "apps/node_actors.hpp"

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <doctest/doctest.h>

namespace cairn::testing {
namespace {

using actors::link_changed;
using actors::peer_envelope;
using actors::peer_kind;
using actors::peer_lane;

struct settings : apps::actor_settings {
  settings() { set("caf.scheduler.policy", "testing"); }
};

struct world {
  settings config;
  caf::actor_system system{config};
  fake_network network;
  std::vector<std::string> seen;

  void run() { dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler()).run(); }

  caf::actor listener(const std::string& name) {
    return system.spawn([this, name](caf::event_based_actor*) -> caf::behavior {
      return {
          [this, name](const peer_envelope& x) {
            seen.push_back(name + " from " + x.sender + "/" + x.cluster_id + ": " +
                           std::string(x.head.text()));
          },
          [this, name](const link_changed& x) {
            seen.push_back(name + (x.up ? " up " : " down ") + x.node + " " + x.address);
          },
      };
    });
  }

  std::vector<std::string> take() {
    run();
    return std::exchange(seen, {});
  }
};

peer_envelope text(const std::string& what) {
  peer_envelope x;
  x.log = "default";
  x.kind = peer_kind::raft;
  x.head = shared_bytes::copy_of(as_byte_span(what));
  return x;
}

using lines = std::vector<std::string>;

TEST_CASE(
    "fake hub: an envelope reaches the receiver of its kind and log, with sender and cluster") {
  world w;
  w.network.hub("n1").connect("n2", "n2:1");
  CHECK_FALSE(w.network.hub("n1").send("n2", peer_lane::control, text("nobody is there yet")));
  w.network.hub("n2").route(peer_kind::raft, "default", w.listener("n2"));
  CHECK(w.network.hub("n1").send("n2", peer_lane::control, text("a")));
  auto other = text("b");
  other.log = "other";
  CHECK(w.network.hub("n1").send("n2", peer_lane::control, other));
  CHECK(w.take() == lines{"n2 from n1/c: a"});
  CHECK(w.network.hub("n2").unrouted() == 1);
}

TEST_CASE("fake hub: watchers hear of links that are up, that go and that come back") {
  world w;
  w.network.link_all();
  w.network.hub("n1").watch(w.listener("n1"));
  w.network.hub("n2");
  CHECK(w.take() == lines{"n1 up n2 n2:1"});
  w.network.cut("n2", "n1");
  CHECK_FALSE(w.network.hub("n1").send("n2", peer_lane::bulk, text("x")));
  w.network.heal("n1", "n2");
  CHECK(w.take() == lines{"n1 down n2 n2:1", "n1 up n2 n2:1"});
  w.network.stop("n2");
  CHECK(w.take() == lines{"n1 down n2 n2:1"});
  w.network.hub("n1").watch(w.listener("late"));
  CHECK(w.take().empty());
}

TEST_CASE("fake hub: what is held comes in order, lane by lane; a cut loses it") {
  world w;
  w.network.link_all();
  w.network.hub("n2").route(peer_kind::raft, "default", w.listener("n2"));
  auto& n1 = w.network.hub("n1");
  w.network.hold("n1", "n2", peer_lane::bulk);
  CHECK(n1.send("n2", peer_lane::bulk, text("1")));
  CHECK(n1.send("n2", peer_lane::control, text("2")));
  CHECK(n1.send("n2", peer_lane::bulk, text("3")));
  CHECK(w.take() == lines{"n2 from n1/c: 2"});
  CHECK(w.network.release("n1", "n2", 1) == 1);
  CHECK(n1.send("n2", peer_lane::bulk, text("4")));  // not before 3
  CHECK(w.take() == lines{"n2 from n1/c: 1"});
  CHECK(w.network.release("n1", "n2") == 2);
  CHECK(w.take() == lines{"n2 from n1/c: 3", "n2 from n1/c: 4"});
  w.network.hold("n1", "n2");
  CHECK(n1.send("n2", peer_lane::bulk, text("5")));
  w.network.cut("n1", "n2");
  w.network.heal();
  CHECK(w.network.release("n1", "n2") == 0);
  CHECK(w.take().empty());
}

TEST_CASE("fake hub: one way, drop and no room") {
  world w;
  w.network.link_all();
  w.network.hub("n1").route(peer_kind::raft, "default", w.listener("n1"));
  w.network.hub("n2").route(peer_kind::raft, "default", w.listener("n2"));
  w.network.one_way("n1", "n2");
  CHECK(w.network.hub("n1").send("n2", peer_lane::control, text("lost")));
  CHECK(w.network.hub("n2").send("n1", peer_lane::control, text("comes")));
  CHECK(w.take() == lines{"n1 from n2/c: comes"});
  w.network.heal();
  w.network.drop("n1", "n2", 1);
  CHECK(w.network.hub("n1").send("n2", peer_lane::control, text("dropped")));
  CHECK(w.network.hub("n1").send("n2", peer_lane::control, text("kept")));
  CHECK(w.take() == lines{"n2 from n1/c: kept"});
  w.network.no_room("n1", "n2");
  CHECK_FALSE(w.network.hub("n1").send("n2", peer_lane::control, text("full")));
  CHECK(w.take().empty());
  CHECK(w.network.delivered() == lines{"n2>n1 control raft default", "n1>n2 control raft default"});
}

TEST_CASE("peer envelope: what CAF writes is as long as peer_envelope_bytes says, and comes back") {
  world w;
  auto x = text("head");
  x.cluster_id = "cluster";
  x.sender = "n1";
  x.body = shared_bytes::copy_of(as_byte_span(std::string(100'000, 'b')));
  caf::byte_buffer buffer;
  caf::binary_serializer sink(w.system, buffer);
  REQUIRE(sink.apply(x));
  CHECK(buffer.size() == actors::peer_envelope_bytes(x));
  peer_envelope y;
  caf::binary_deserializer source(w.system, buffer);
  REQUIRE(source.apply(y));
  CHECK(y.cluster_id == "cluster");
  CHECK(y.sender == "n1");
  CHECK(y.log == "default");
  CHECK(y.kind == peer_kind::raft);
  CHECK(y.head.text() == "head");
  CHECK(y.body.text() == x.body.text());
  // Any cut, any surplus and an unknown kind are refused.
  for (const std::size_t size : {0, 1, 11, 12, 40}) {
    peer_envelope z;
    caf::binary_deserializer cut(w.system, buffer.data(), size);
    CHECK_FALSE(cut.apply(z));
  }
  buffer.push_back(caf::byte{0});
  caf::binary_deserializer surplus(w.system, buffer);
  CHECK_FALSE(surplus.apply(y));
  buffer.pop_back();
  buffer[0] = caf::byte{actors::k_peer_kind_last + 1};
  caf::binary_deserializer unknown(w.system, buffer);
  CHECK_FALSE(unknown.apply(y));
  x.sender = std::string(256, 's');
  CHECK(actors::peer_envelope_bytes(x) == 0);
}

}  // namespace
}  // namespace cairn::testing
