// The console's way to the nodes, with real hubs as the nodes and an actor that answers at each.

#include "apps/console/observer.hpp"

#include "tests/actor/hub_world.hpp"
#include "tests/support/raw_peer.hpp"

#include <thread>

namespace cairn::testing {
namespace {

using console::observer;

/// A node that answers questions with its own name, and knows the members.
struct answering_node {
  answering_node(hub_world& world, const std::string& name)
      : id(name), node(world.start(patient(name))) {
    ear = world.system.spawn([this](caf::event_based_actor*) -> caf::behavior {
      return {[this](peer_envelope& x) { answer(x); }};
    });
    node->hub->route(peer_kind::inspect, "", ear);
  }
  ~answering_node() {
    node->hub->stop();
    end_note_taker(node->system, ear);
  }
  answering_node(const answering_node&) = delete;
  answering_node& operator=(const answering_node&) = delete;

  static apps::peer_hub_config patient(const std::string& name) {
    auto config = hub_world::settings(name);
    config.limits.silence = 60s;
    return config;
  }

  void answer(const peer_envelope& x) {
    v1::InspectRequest asked;
    REQUIRE(asked.ParseFromString(std::string(x.head.text())));
    v1::InspectAnswer out;
    out.set_id(asked.id());
    out.set_node(id);
    if (asked.has_members()) {
      for (const auto& [name, address] : members) {
        auto* const one = out.mutable_members()->add_members();
        one->set_id(name);
        one->set_peer(address);
      }
    } else if (asked.has_node_facts()) {
      if (++asked_count > answers_max) return;
      if (silent || asked.node() == "mute") return;
      out.mutable_node_facts()->set_node(asked.node());
    } else {
      if (silent) return;
      out.set_code(static_cast<std::uint32_t>(errc::not_found));
      out.set_detail("no actor 7\x1b[31m");
    }
    peer_envelope envelope;
    envelope.kind = peer_kind::inspect_answer;
    envelope.head = shared_bytes::copy_of(as_byte_span(out.SerializeAsString()));
    (void)node->hub->send(x.sender, peer_lane::control, envelope);
    if (twice) (void)node->hub->send(x.sender, peer_lane::bulk, envelope);
  }

  [[nodiscard]] const std::string& address() const { return node->hub->address(); }

  std::string id;
  std::map<std::string, std::string> members;  // set before anybody asks
  std::atomic<bool> silent{false};
  std::atomic<bool> twice{false};
  std::atomic<int> asked_count{0};
  std::atomic<int> answers_max{1'000'000};
  std::unique_ptr<hub_node> node;
  caf::actor ear;
};

v1::InspectRequest node_facts() {
  v1::InspectRequest x;
  x.mutable_node_facts();
  return x;
}

std::unique_ptr<observer> look_at(std::vector<std::string> addresses,
                                  const std::atomic<bool>* interrupted = nullptr) {
  console::observer_config config;
  config.interrupted = interrupted;
  config.addresses = std::move(addresses);
  auto made = observer::start(std::move(config));
  CAIRN_CHECK(made.ok(), "{}", made.error().detail);
  return std::move(*made);
}

/// A port of this machine that nobody listens at.
std::string dead_address() {
  return raw_listener().address();
}

TEST_CASE("observer: asks the first node that answers, about itself and about others") {
  hub_world world;
  answering_node n1(world, "n1");
  auto console = look_at({dead_address(), n1.address()});
  CHECK(console->via().empty());
  REQUIRE(console->connect(k_patience).ok());
  CHECK(console->via() == "n1");
  for (const std::string node : {"", "n1", "n2"}) {
    const auto got = console->ask(node, node_facts(), k_patience);
    REQUIRE(got.ok());
    CHECK(got->node() == "n1");
    CHECK(got->node_facts().node() == node);
  }
  CHECK(console->take_notices().empty());
  CHECK(n1.node->got.changes().empty());  // nobody there has heard of a node
}

TEST_CASE("observer: a node's refusal comes back with its code, fit for a terminal") {
  hub_world world;
  answering_node n1(world, "n1");
  auto console = look_at({n1.address()});
  v1::InspectRequest question;
  question.mutable_actors()->set_actor(7);
  const auto got = console->ask("", question, k_patience);
  CHECK(got.code() == errc::not_found);
  CHECK(got.error().detail == "no actor 7?[31m");
}

TEST_CASE("observer: a node that is gone is replaced by another member, and says so") {
  hub_world world;
  auto n1 = std::make_unique<answering_node>(world, "n1");
  answering_node n2(world, "n2");
  n1->members = {{"n1", n1->address()}, {"n2", n2.address()}};
  const auto first = n1->address();
  auto console = look_at({first});  // knows of n2 only from n1
  REQUIRE(console->ask("", node_facts(), k_patience).ok());
  // The list of members is asked for beside the questions: the next answer is behind it.
  REQUIRE(console->ask("", node_facts(), k_patience).ok());
  n1.reset();
  const auto got = console->ask("", node_facts(), k_patience);
  REQUIRE(got.ok());
  CHECK(got->node() == "n2");
  CHECK(console->via() == "n2");
  const auto notices = console->take_notices();
  REQUIRE(notices.size() == 1);
  CHECK(notices[0] == "n1 (" + first + ") is gone; now through n2 (" + n2.address() + ")");
  CHECK(console->take_notices().empty());
}

TEST_CASE("observer: a question at the very moment at which its node goes is not refused") {
  hub_world world;
  answering_node n2(world, "n2");
  // The hub knows that the link has broken a moment before the observer hears of it.
  for (int round = 0; round < 100; ++round) {
    auto n1 = std::make_unique<answering_node>(world, "n1");
    auto console = look_at({n1->address(), n2.address()});
    REQUIRE(console->connect(k_patience).ok());
    std::thread killer([&] { n1.reset(); });
    std::optional<error> refused;
    for (std::string who; who != "n2" && !refused;) {
      const auto got = console->ask("", node_facts(), k_patience);
      if (got.ok()) {
        who = got->node();
      } else {
        refused = got.error();
      }
    }
    killer.join();
    REQUIRE_MESSAGE(!refused, refused->detail);
  }
}

TEST_CASE("observer: a question that no node takes is refused at once") {
  hub_world world;
  auto console = look_at({dead_address()});
  const auto got = console->ask(std::string(5'000, 'x'), node_facts(), k_patience);
  REQUIRE_FALSE(got.ok());
  CHECK(got.code() == errc::too_large);
}

TEST_CASE(
    "observer: a question under way when its node goes is put to another, unless it appends") {
  hub_world world;
  auto n1 = std::make_unique<answering_node>(world, "n1");
  answering_node n2(world, "n2");
  n1->silent = true;
  auto console = look_at({n1->address(), n2.address()});
  REQUIRE(console->connect(k_patience).ok());
  REQUIRE(console->via() == "n1");
  std::thread killer;
  SUBCASE("looking") {
    killer = std::thread([&] {
      while (n1->asked_count == 0)
        std::this_thread::yield();
      n1.reset();
    });
    const auto got = console->ask("", node_facts(), k_patience);
    REQUIRE(got.ok());
    CHECK(got->node() == "n2");
  }
  SUBCASE("tracing") {
    v1::InspectRequest trace;
    trace.mutable_trace();
    killer = std::thread([&] {
      while (n1->node->hub->links().empty())
        std::this_thread::yield();
      n1.reset();
    });
    const auto got = console->ask("", trace, k_patience);
    // It may also have gone before the question was on its way.
    if (!got) {
      CHECK((got.code() == errc::outcome_unknown || got.code() == errc::not_found));
    }
  }
  killer.join();
}

TEST_CASE(
    "observer: no answer within the deadline is said, and a late one is not taken for another") {
  hub_world world;
  answering_node n1(world, "n1");
  auto console = look_at({n1.address()});
  REQUIRE(console->connect(k_patience).ok());
  n1.silent = true;
  const auto got = console->ask("", node_facts(), 100ms);
  CHECK(got.code() == errc::unavailable);
  CHECK(got.error().detail == "n1 (" + n1.address() + ") has not answered within 100 ms");
  n1.silent = false;
  n1.twice = true;
  for (int i = 0; i < 20; ++i) {
    const auto name = std::to_string(i);
    const auto next = console->ask(name, node_facts(), k_patience);
    REQUIRE(next.ok());
    CHECK(next->node_facts().node() == name);
  }
}

TEST_CASE("observer: of many questions at once, one without an answer holds up no other") {
  hub_world world;
  answering_node n1(world, "n1");
  auto console = look_at({n1.address()});
  std::vector<console::asked> questions;
  questions.push_back({"mute", node_facts(), 100ms});
  questions.push_back({std::string(5'000, 'x'), node_facts(), k_patience});
  // More than a node takes from an observer at once.
  for (int i = 0; i < 200; ++i)
    questions.push_back({std::to_string(i), node_facts(), k_patience});
  const auto answers = console->ask_each(questions);
  REQUIRE(answers.size() == questions.size());
  CHECK(answers[0].code() == errc::unavailable);
  CHECK(answers[0].error().detail.ends_with("has not answered within 100 ms"));
  CHECK(answers[1].code() == errc::too_large);
  for (std::size_t i = 2; i < answers.size(); ++i) {
    REQUIRE(answers[i].ok());
    CHECK(answers[i]->node_facts().node() == questions[i].node);
  }
}

TEST_CASE("observer: who does not answer takes nothing from the time of those asked after it") {
  hub_world world;
  answering_node n1(world, "n1");
  auto console = look_at({n1.address()});
  REQUIRE(console->connect(k_patience).ok());
  // More than are asked at once, all with the same time to answer.
  std::vector<console::asked> questions;
  for (int i = 0; i < 100; ++i)
    questions.push_back({i == 0 ? "mute" : std::to_string(i), node_facts(), 1'000ms});
  const auto answers = console->ask_each(questions);
  CHECK_FALSE(answers[0].ok());
  for (std::size_t i = 1; i < answers.size(); ++i)
    REQUIRE_MESSAGE(answers[i].ok(), answers[i].error().detail);
}

TEST_CASE("observer: of many questions at once, those that a lost link leaves go to another node") {
  hub_world world;
  auto n1 = std::make_unique<answering_node>(world, "n1");
  answering_node n2(world, "n2");
  auto console = look_at({n1->address(), n2.address()});
  REQUIRE(console->connect(k_patience).ok());
  n1->answers_max = 10;
  std::thread killer([&] {
    while (n1->asked_count <= 10)
      std::this_thread::yield();
    n1.reset();
  });
  const auto answers =
      console->ask_each(std::vector<console::asked>(200, {"", node_facts(), k_patience}));
  killer.join();
  for (std::size_t i = 0; i < answers.size(); ++i) {
    REQUIRE(answers[i].ok());
    // What n1 answered at its end may not have left it.
    if (i >= 10) CHECK(answers[i]->node() == "n2");
  }
  CHECK(console->via() == "n2");
}

TEST_CASE("observer: what waits ends when the user has had enough") {
  hub_world world;
  answering_node n1(world, "n1");
  n1.silent = true;
  std::atomic<bool> interrupted{false};
  auto console = look_at({n1.address()}, &interrupted);
  std::thread user([&] {
    while (n1.asked_count == 0)
      std::this_thread::yield();
    interrupted = true;
  });
  const auto begun = std::chrono::steady_clock::now();
  const auto got = console->ask("", node_facts(), 60s);
  user.join();
  CHECK(got.code() == errc::unavailable);
  CHECK(got.error().detail == "interrupted");
  CHECK(std::chrono::steady_clock::now() - begun < k_patience);
}

TEST_CASE("observer: when nobody answers it says who was tried, and why each failed") {
  hub_world world;
  raw_listener http;
  std::thread server([&] {
    auto x = http.accept();
    if (!x) return;
    (void)x->receive(16);
    x->send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    (void)x->closed_within(20s);
  });
  const auto dead = dead_address();
  auto console = look_at({dead, http.address(), "no-such-host.invalid:7080"});
  const auto got = console->connect(k_patience);
  server.join();
  REQUIRE_FALSE(got.ok());
  CHECK(got.error().code == errc::unavailable);
  const auto& detail = got.error().detail;
  CAPTURE(detail);
  CHECK(detail.starts_with("no node answers: cannot reach " + dead + ": Connection refused; "));
  CHECK(detail.find("no link to " + http.address() +
                    ": it does not speak Cairn's peer protocol (is that its HTTP port? Its peer "
                    "port is needed); ") != std::string::npos);
  CHECK(detail.find("cannot find no-such-host.invalid:7080") != std::string::npos);
  CHECK(console->via().empty());
}

TEST_CASE("observer: one that accepts and then says nothing costs its share of the time") {
  raw_listener mute;
  hub_world world;
  answering_node n1(world, "n1");
  auto console = look_at({mute.address(), n1.address()});
  REQUIRE(console->connect(k_patience).ok());
  CHECK(console->via() == "n1");
}

TEST_CASE("observer: a full node's refusal is told") {
  hub_world world;
  auto settings = answering_node::patient("n1");
  settings.limits.observers = 0;
  auto n1 = world.start(settings);
  auto console = look_at({n1->hub->address()});
  const auto got = console->connect(k_patience);
  REQUIRE_FALSE(got.ok());
  CHECK(got.error().detail.find("which is the most: end one, or look through another node") !=
        std::string::npos);
}

TEST_CASE("observer: once linked it waits for its cluster to come back, as long as it may") {
  hub_world world;
  auto n1 = std::make_unique<answering_node>(world, "n1");
  const auto port = n1->node->hub->port();
  const auto address = n1->address();
  auto console = look_at({address});
  REQUIRE(console->connect(k_patience).ok());
  n1.reset();
  const auto none = console->ask("", node_facts(), 200ms);
  CHECK(none.code() == errc::unavailable);
  CHECK(
      none.error().detail.starts_with("n1 (" + address + ") is gone and no other node answers: "));
  CHECK(console->via().empty());
  (void)port;
}

TEST_CASE("observer: addresses are taken apart, and what is none is named") {
  CHECK(*console::parse_addresses("n1:7080,[::1]:7081") ==
        std::vector<std::string>{"n1:7080", "[::1]:7081"});
  for (const std::string bad : {"", "n1", ":7080", "n1:", "n1:0", "n1:65536", "n1:7080x",
                                "n1:7080,", ",n1:7080", "n1:7080,n2"}) {
    const auto got = console::parse_addresses(bad);
    CHECK(got.code() == errc::invalid_argument);
  }
  CHECK(console::default_addresses().size() == 4);
}

}  // namespace
}  // namespace cairn::testing
