// GET /v1/events: the fake node answers page by page.
#include "net/handlers/node_event_stream.hpp"
#include "tests/unit/net/gateway_fixture.hpp"

#include <atomic>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <map>
#include <mutex>

namespace cairn::test {
namespace {

using net::failure;
using net::inspect_answer;

constexpr std::string_view k_events = "Accept: text/event-stream\r\n";
constexpr std::uint64_t k_boot = 0x1f;

std::string get(std::string_view target, std::string_view lines = {}) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: t\r\n{}\r\n", target, lines);
}

v1::Event event(std::uint64_t id, const std::string& kind, const std::string& text) {
  v1::Event out;
  out.set_id(id);
  out.set_time_ms(1'700'000'000'000);
  out.set_kind(kind);
  out.set_severity("info");
  out.set_source("raft default");
  out.set_text(text);
  (*out.mutable_fields())["term"] = "5";
  return out;
}

/// The events of some nodes, which answer at once, or never when there is nothing new. The gateway
/// asks on its own thread, to its own end.
class event_nodes {
public:
  struct ring {
    std::uint64_t boot = k_boot;
    std::uint64_t forgotten = 0;  // ids up to here are gone
    std::vector<v1::Event> events;
    bool away = false;
  };

  /// A ring that nobody else touches meanwhile.
  class held_ring {
  public:
    held_ring(std::mutex& mutex, ring& what) : lock_(mutex), what_(&what) {}
    ring* operator->() { return what_; }

  private:
    std::unique_lock<std::mutex> lock_;
    ring* what_;
  };

  explicit event_nodes(gateway_fixture& f) {
    f.node.answer_questions([known = known_](const v1::InspectRequest& question) {
      const std::lock_guard lock(known->mutex);
      return answer(known->rings, question);
    });
  }
  held_ring operator[](const std::string& node) {
    const auto ring_of = [&]() -> ring& {
      const std::lock_guard lock(known_->mutex);
      return known_->rings[node];
    };
    ring& found = ring_of();
    return {known_->mutex, found};
  }

private:
  using got = net::outcome<inspect_answer>;
  struct known_rings {
    std::mutex mutex;
    std::map<std::string, ring> rings;
  };

  static std::optional<got> answer(std::map<std::string, ring>& rings,
                                   const v1::InspectRequest& question) {
    auto out = std::make_shared<v1::InspectAnswer>();
    const auto node = question.node().empty() ? "n1" : question.node();
    out->set_node(node);
    if (question.has_members()) {
      for (const auto& known : rings)
        out->mutable_members()->add_members()->set_id(known.first);
      return got(inspect_answer{.what = out});
    }
    const auto found = rings.find(node);
    if (found == rings.end() || found->second.away) {
      return got(failure{.code = found == rings.end() ? errc::not_found : errc::unavailable,
                         .detail = "no answer of " + node});
    }
    const ring& from = found->second;
    auto& page = *out->mutable_events();
    page.set_boot(from.boot);
    const auto after = question.events().after();
    page.set_next(after);
    if (after < from.forgotten) page.set_lost(from.forgotten - after);
    for (const auto& one : from.events) {
      if (one.id() <= std::max(after, from.forgotten)) continue;
      const auto limit = static_cast<int>(question.events().limit());
      if (limit > 0 && page.events_size() == limit) break;
      *page.add_events() = one;
      page.set_next(one.id());
    }
    const auto last = from.events.empty() ? 0 : from.events.back().id();
    if (page.events_size() == 0 && question.events().wait_ms() > 0 && after <= last) {
      return std::nullopt;
    }
    return got(inspect_answer{.what = out});
  }

  std::shared_ptr<known_rings> known_ = std::make_shared<known_rings>();
};

/// Reads on until `wanted` was there; all that was read.
std::string read_until(raw_client& client, std::string_view wanted) {
  const auto got = client.read_past(wanted);
  return got.value_or("(the stream ended)");
}

}  // namespace

TEST_CASE("events: a stream tells what there is, with ids, kinds and fields") {
  gateway_fixture f;
  event_nodes nodes(f);
  nodes["n1"]->events = {event(1, "election", "n2 stands"), event(2, "leader", "n2 leads")};
  raw_client client = f.connect();
  client.send(get("/v1/events", k_events));
  const auto head = client.receive(true);
  CHECK(head.status == 200);
  CHECK(head.header("content-type") == "text/event-stream");
  const auto text = read_until(client, "n2 leads");
  CHECK(text.find("id: n1:1f.1\nevent: election\ndata: {\"id\":\"n1:1f.1\","
                  "\"time\":\"2023-11-14T22:13:20.000Z\",\"node\":\"n1\",\"kind\":\"election\","
                  "\"severity\":\"info\",\"source\":\"raft default\",\"text\":\"n2 stands\","
                  "\"fields\":{\"term\":\"5\"}}\n\n") != std::string::npos);
  CHECK(text.find("id: n1:1f.2\nevent: leader\n") != std::string::npos);
}

TEST_CASE("events: ?kind= filters, and a kind that is none is named") {
  gateway_fixture f;
  event_nodes nodes(f);
  nodes["n1"]->events = {event(1, "segment", "rolls"), event(2, "leader", "n2 leads")};
  raw_client client = f.connect();
  client.send(get("/v1/events?kind=election,leader", k_events));
  const auto text = read_until(client, "n2 leads");
  CHECK(text.find("rolls") == std::string::npos);
  const auto wrong = f.get("/v1/events?kind=election,weather", k_events);
  CHECK(wrong.status == 400);
  CHECK(wrong.body.find("'weather'") != std::string::npos);
}

TEST_CASE("events: Last-Event-ID resumes behind it, and a slow reader is told of its gap") {
  gateway_fixture f;
  event_nodes nodes(f);
  nodes["n1"]->forgotten = 5;
  for (std::uint64_t id = 6; id < 9; ++id)
    nodes["n1"]->events.push_back(event(id, "link", fmt::format("event {}", id)));
  SUBCASE("nothing is lost") {
    raw_client client = f.connect();
    client.send(get("/v1/events", std::string(k_events) + "Last-Event-ID: n1:1f.7\r\n"));
    const auto text = read_until(client, "event 8");
    CHECK(text.find("event 7") == std::string::npos);
    CHECK(text.find("event: gap") == std::string::npos);
  }
  SUBCASE("two are gone") {
    raw_client client = f.connect();
    client.send(get("/v1/events", std::string(k_events) + "Last-Event-ID: n1:1f.3\r\n"));
    const auto text = read_until(client, "event 8");
    CHECK(text.find("event: gap\ndata: {\"node\":\"n1\",\"restarted\":false,\"lost\":2}\n\n") !=
          std::string::npos);
    CHECK(text.find("event 6") != std::string::npos);
  }
  SUBCASE("the node has been started again") {
    raw_client client = f.connect();
    client.send(get("/v1/events", std::string(k_events) + "Last-Event-ID: n1:7.700\r\n"));
    const auto text = read_until(client, "event 8");
    CHECK(text.find("event: gap\ndata: {\"node\":\"n1\",\"restarted\":true,\"lost\":null}\n\n") !=
          std::string::npos);
    CHECK(text.find("event 6") != std::string::npos);
  }
  SUBCASE("what is no id is refused") {
    const auto wrong = f.get("/v1/events", std::string(k_events) + "Last-Event-ID: 17\r\n");
    CHECK(wrong.status == 400);
    CHECK(wrong.body.find("Last-Event-ID") != std::string::npos);
  }
}

TEST_CASE("events: ?node= asks another node, and one that is not there is a problem") {
  gateway_fixture f;
  event_nodes nodes(f);
  (void)nodes["n1"];
  nodes["n2"]->events = {event(1, "leader", "as n2 saw it")};
  raw_client client = f.connect();
  client.send(get("/v1/events?node=n2", k_events));
  CHECK(read_until(client, "as n2 saw it").find("\"node\":\"n2\"") != std::string::npos);
  CHECK(f.get("/v1/events?node=n9", k_events).status == 404);
}

TEST_CASE("events: ?cluster=true merges all members, and goes on without one that is away") {
  gateway_fixture f;
  event_nodes nodes(f);
  nodes["n1"]->events = {event(1, "leader", "as n1 saw it")};
  nodes["n2"]->events = {event(4, "leader", "as n2 saw it")};
  nodes["n3"]->away = true;
  raw_client client = f.connect();
  client.send(get("/v1/events?cluster=true", k_events));
  std::string text;
  while (text.find("as n1 saw it") == std::string::npos ||
         text.find("as n2 saw it") == std::string::npos ||
         text.find("event: unreachable") == std::string::npos) {
    const auto more = client.read_past("\n\n");
    REQUIRE(more);
    text += *more;
  }
  CHECK(text.find("event: unreachable\ndata: {\"node\":\"n3\",\"problem\":{") != std::string::npos);
  SUBCASE("a position in all of them resumes all of them") {
    raw_client again = f.connect();
    nodes["n1"]->events.push_back(event(2, "leader", "later on n1"));
    again.send(get("/v1/events?cluster=true",
                   std::string(k_events) + "Last-Event-ID: n1:1f.1,n2:1f.3\r\n"));
    std::string rest;
    while (rest.find("later on n1") == std::string::npos ||
           rest.find("as n2 saw it") == std::string::npos) {
      const auto more = again.read_past("\n\n");
      REQUIRE(more);
      rest += *more;
    }
    CHECK(rest.find("as n1 saw it") == std::string::npos);
  }
}

TEST_CASE("events: who was away is asked again, though nothing that is wanted happens here") {
  gateway_fixture f;
  auto of_n1 = std::make_shared<std::atomic<int>>(0);
  auto of_n3 = std::make_shared<std::atomic<int>>(0);
  using got = std::optional<net::outcome<inspect_answer>>;
  f.node.answer_questions([of_n1, of_n3](const v1::InspectRequest& question) -> got {
    auto out = std::make_shared<v1::InspectAnswer>();
    const bool n3 = question.node() == "n3";
    out->set_node(n3 ? "n3" : "n1");
    if (question.has_members()) {
      for (const auto* id : {"n1", "n3"})
        out->mutable_members()->add_members()->set_id(id);
      return inspect_answer{.what = out};
    }
    auto& page = *out->mutable_events();
    if (n3) {
      if (of_n3->fetch_add(1) < 3) {
        return failure{.code = errc::unavailable, .detail = "away"};
      }
      page.set_boot(k_boot);
    } else {
      if (of_n1->fetch_add(1) >= 20) return std::nullopt;  // quiet from here on
      page.set_boot(k_boot);
      *page.add_events() = event(question.events().after() + 1, "segment", "not asked for");
      page.set_next(question.events().after() + 1);
    }
    return inspect_answer{.what = out};
  });
  raw_client client = f.connect();
  client.send(get("/v1/events?cluster=true&kind=leader", k_events));
  const auto text = read_until(client, "event: reachable");
  CHECK(text.find("event: unreachable") != std::string::npos);
  CHECK(text.find("event: reachable") != std::string::npos);
}

TEST_CASE("events: many pages come in order, however slowly they are taken") {
  gateway_fixture f;
  event_nodes nodes(f);
  for (std::uint64_t id = 1; id <= 1'000; ++id)
    nodes["n1"]->events.push_back(event(id, "link", fmt::format("event {}.", id)));
  raw_client client = f.connect();
  client.send(get("/v1/events", k_events));
  for (std::uint64_t id = 1; id <= 1'000; ++id) {
    const auto got = client.read_past(fmt::format("event {}.\"", id));
    REQUIRE(got);
    CHECK(got->find(fmt::format("event {}.", id + 1)) == std::string::npos);
  }
}

TEST_CASE("events: follow=false is one JSON document") {
  gateway_fixture f;
  event_nodes nodes(f);
  nodes["n1"]->events = {event(1, "link", "up"), event(2, "leader", "n2 leads")};
  const auto all = f.get("/v1/events?follow=false");
  CHECK(all.status == 200);
  CHECK(all.header("content-type") == "application/json");
  CHECK(all.body.find("\"text\":\"up\"") != std::string::npos);
  CHECK(all.body.find("\"next\":\"n1:1f.2\",\"more\":false}") != std::string::npos);
  const auto some = f.get("/v1/events?kind=leader", "Accept: application/json\r\n");
  CHECK(some.body.find("\"text\":\"up\"") == std::string::npos);
  CHECK(some.body.find("n2 leads") != std::string::npos);
  const auto rest = f.get("/v1/events?follow=false&after=n1:1f.1");
  CHECK(rest.body.find("\"text\":\"up\"") == std::string::npos);
  CHECK(f.get("/v1/events?follow=maybe").status == 400);
  CHECK(f.get("/v1/events?follow=true", "Accept: application/json\r\n").status == 406);
  const auto cluster = f.get("/v1/events?follow=false&cluster=true");
  CHECK(cluster.status == 200);
  CHECK(cluster.body.find("{\"nodes\":[{\"node\":\"n1\"") == 0);
}

TEST_CASE("events: there are only so many streams") {
  net::gateway_limits limits;
  limits.node_event_streams = 2;
  gateway_fixture f(limits);
  event_nodes nodes(f);
  nodes["n1"]->events = {event(1, "leader", "n2 leads")};
  raw_client first = f.connect();
  first.send(get("/v1/events", k_events));
  CHECK(read_until(first, "n2 leads").find("n2 leads") != std::string::npos);
  raw_client second = f.connect();
  second.send(get("/v1/events", k_events));
  CHECK(read_until(second, "n2 leads").find("n2 leads") != std::string::npos);
  const auto third = f.get("/v1/events", k_events);
  CHECK(third.status == 429);
  CHECK(third.body.find("overloaded") != std::string::npos);
  CHECK(f.get("/v1/events?follow=false").status == 200);
  first.close();
  REQUIRE(f.node.wait_for_cancelled(1));
  CHECK(f.is_alive());
  raw_client fourth = f.connect();
  fourth.send(get("/v1/events", k_events));
  CHECK(read_until(fourth, "n2 leads").find("n2 leads") != std::string::npos);
}

TEST_CASE("events: a quiet stream shows that it lives") {
  net::gateway_limits limits;
  limits.event_comment = std::chrono::milliseconds(30);
  gateway_fixture f(limits);
  // Every wait ends without an event.
  f.node.answer_questions([](const v1::InspectRequest&) {
    auto out = std::make_shared<v1::InspectAnswer>();
    out->set_node("n1");
    out->mutable_events()->set_boot(k_boot);
    return std::optional<net::outcome<inspect_answer>>(inspect_answer{.what = out});
  });
  raw_client client = f.connect();
  client.send(get("/v1/events", k_events));
  for (int i = 0; i < 3; ++i)
    REQUIRE(client.read_past(":\n\n"));
}

TEST_CASE("events: positions are read as they are written") {
  const net::event_positions places{{"n1", {0x1f, 7}}, {"node-2.x", {42, 3}}};
  CHECK(net::to_text(places) == "n1:1f.7,node-2.x:2a.3");
  const auto read = net::parse_positions("n1:1f.7,node-2.x:2a.3");
  REQUIRE(read);
  CHECK(net::to_text(*read) == net::to_text(places));
  for (const auto* bad : {"17", "n1", "n1:7", "n1:x.7", "n1:7.", ":7.7", "n1:7.7,,", "n1:7.-1"})
    CHECK_MESSAGE(!net::parse_positions(bad), bad);
}

}  // namespace cairn::test
