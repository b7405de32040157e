// What operators ask over HTTP: of one node, of another, of all of them.
#include "tests/unit/net/gateway_fixture.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <simdjson.h>

namespace cairn::test {
namespace {

using got = std::optional<net::outcome<net::inspect_answer>>;

/// n1, n2 and n3; n3 does not answer in time, n4 is nobody.
got three_nodes(const v1::InspectRequest& question) {
  auto answer = std::make_shared<v1::InspectAnswer>();
  const std::string node = question.node().empty() ? "n1" : question.node();
  answer->set_node(node);
  if (node == "n3") {
    return net::failure{.code = errc::unavailable, .detail = "node n3 did not answer"};
  }
  if (node == "n4") return net::failure{.code = errc::not_found, .detail = "there is no node 'n4'"};
  if (question.has_members()) {
    for (const char* id : {"n1", "n2", "n3"})
      answer->mutable_members()->add_members()->set_id(id);
  } else if (question.has_actors()) {
    auto& actor = *answer->mutable_actors()->add_actors();
    actor.set_id(node == "n1" ? 11 : 22);
    actor.set_kind("raft");
    actor.set_mailbox(3);
  } else if (question.has_node_facts()) {
    answer->mutable_node_facts()->set_pid(42);
    answer->mutable_node_facts()->add_unready("it waits \"for\" others");
  } else if (question.has_raft()) {
    answer->mutable_raft()->set_log(question.log());
    answer->mutable_raft()->set_role("follower");
    answer->mutable_raft()->set_last_contact_ms(UINT64_MAX);
    answer->mutable_raft()->add_peers()->set_node("n1");
    answer->mutable_raft()->add_elections()->set_cause("no-heartbeat");
  }
  return net::inspect_answer{.what = std::move(answer)};
}

bool is_json(const std::string& text) {
  simdjson::dom::parser parser;
  return parser.parse(text).error() == simdjson::SUCCESS;
}

}  // namespace

TEST_CASE("gateway: ?node= asks that node, and says when there is none") {
  gateway_fixture f;
  f.node.answer_questions(three_nodes);
  const auto other = f.get("/v1/actors?node=n2");
  CHECK(other.status == 200);
  CHECK(other.body.starts_with("{\"node\":\"n2\",\"actors\":[{\"id\":22,\"kind\":\"raft\","));
  CHECK(f.node.questions().back().what.node() == "n2");
  CHECK(f.node.questions().back().deadline > std::chrono::milliseconds(0));
  CHECK(f.get("/v1/cluster?node=n2").body.starts_with("{\"cluster_id\":\"\",\"node\":\"n2\","));
  CHECK(f.get("/v1/actors/22?node=n2").body.find("\"events\":[]") != std::string::npos);
  CHECK(f.node.questions().back().what.actors().actor() == 22);
  CHECK(f.get("/v1/actors?node=n4").status == 404);
  CHECK(f.get("/v1/actors?node=n4").body.find("'n4'") != std::string::npos);
  const auto silent = f.get("/v1/actors?node=n3");
  CHECK(silent.status == 503);
  CHECK(silent.body.find("n3 did not answer") != std::string::npos);
  CHECK(f.get("/v1/actors?cluster=false").body.starts_with("{\"node\":\"n1\","));
}

TEST_CASE("gateway: ?cluster=true asks all, and one that does not answer spoils nothing") {
  gateway_fixture f;
  f.node.answer_questions(three_nodes);
  const auto all = f.get("/v1/actors?cluster=true");
  REQUIRE(all.status == 200);
  REQUIRE(is_json(all.body));
  simdjson::dom::parser parser;
  const auto document = parser.parse(all.body).value();
  const simdjson::dom::array nodes = document["nodes"].get_array().value();
  REQUIRE(nodes.size() == 3);
  CHECK(nodes.at(0)["node"].get_string().value() == "n1");
  CHECK(nodes.at(0)["actors"].at(0)["id"].get_uint64().value() == 11);
  CHECK(nodes.at(1)["node"].get_string().value() == "n2");
  CHECK(nodes.at(1)["actors"].at(0)["id"].get_uint64().value() == 22);
  CHECK(nodes.at(2)["node"].get_string().value() == "n3");
  CHECK(nodes.at(2)["error"]["code"].get_string().value() == "unavailable");
  CHECK(nodes.at(2)["error"]["status"].get_uint64().value() == 503);
  for (const char* target : {"/v1/cluster", "/v1/node", "/v1/logs/default/raft", "/v1/actors/11"}) {
    const auto each = f.get(fmt::format("{}?cluster=true", target));
    CHECK(each.status == 200);
    CHECK(is_json(each.body));
    CHECK_MESSAGE(each.body.starts_with("{\"nodes\":[{"), target);
  }
}

TEST_CASE("gateway: nobody answers for all when this node cannot say who they are") {
  gateway_fixture f;
  f.node.answer_questions([](const v1::InspectRequest&) -> got {
    return net::failure{.code = errc::overloaded, .detail = "256 questions are open already"};
  });
  CHECK(f.get("/v1/actors?cluster=true").status == 429);
  f.node.answer_questions([](const v1::InspectRequest&) -> got {
    auto answer = std::make_shared<v1::InspectAnswer>();
    answer->mutable_members();
    return net::inspect_answer{.what = std::move(answer)};
  });
  CHECK(f.get("/v1/actors?cluster=true").body == "{\"nodes\":[]}\n");
}

TEST_CASE("gateway: a client that goes while all are asked takes its questions with it") {
  gateway_fixture f;
  f.node.answer_questions([](const v1::InspectRequest& question) -> got {
    if (question.has_members()) return three_nodes(question);
    return std::nullopt;
  });
  {
    auto client = f.connect();
    client.send("GET /v1/actors?cluster=true HTTP/1.1\r\nHost: t\r\n\r\n");
    CHECK(f.node.wait_for_questions(4));
  }
  CHECK(f.is_alive());
  f.server->stop(std::chrono::milliseconds(500));
  CHECK(f.node.wait_for_cancelled(3));
}

TEST_CASE("gateway: the node and its replica are described with what is not known as null") {
  gateway_fixture f;
  f.node.answer_questions(three_nodes);
  const auto facts = f.get("/v1/node");
  CHECK(facts.status == 200);
  CHECK(is_json(facts.body));
  CHECK(facts.body.starts_with("{\"node\":\"n1\",\"cluster_id\":null,"));
  CHECK(facts.body.find("\"ready\":false,\"unready\":[\"it waits \\\"for\\\" others\"]") !=
        std::string::npos);
  CHECK(facts.body.find("\"started\":null") != std::string::npos);
  const auto raft = f.get("/v1/logs/default/raft?node=n2");
  CHECK(raft.status == 200);
  CHECK(is_json(raft.body));
  CHECK(raft.body.starts_with("{\"log\":\"default\",\"node\":\"n2\",\"number\":0,"));
  CHECK(raft.body.find("\"last_contact_ms\":null") != std::string::npos);
  CHECK(raft.body.find("\"cause\":\"no-heartbeat\"") != std::string::npos);
  CHECK(f.node.questions().back().what.log() == "default");
  CHECK(f.get("/v1/logs/none/raft").status == 404);
}

TEST_CASE("gateway: whom to ask is judged before anybody is asked") {
  gateway_fixture f;
  for (const char* query : {"node=", "node=n1&cluster=true", "cluster=yes", "node=n1&node=n2"}) {
    for (const char* target :
         {"/v1/actors", "/v1/actors/7", "/v1/cluster", "/v1/node", "/v1/logs/default/raft"}) {
      const auto answer = f.get(fmt::format("{}?{}", target, query));
      CHECK_MESSAGE(answer.status == 400, target << "?" << query);
    }
  }
  CHECK(f.get("/v1/actors?node=" + std::string(129, 'n')).status == 400);
  CHECK(f.node.questions().empty());
}

}  // namespace cairn::test
