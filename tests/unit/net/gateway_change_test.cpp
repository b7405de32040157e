// Requests that change the cluster.
#include "tests/unit/net/gateway_fixture.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace cairn::test {
namespace {

constexpr std::string_view k_json = "application/json";
constexpr std::string_view k_members = "/v1/cluster/members";
constexpr std::string_view k_leader = "/v1/logs/default/leader";

raw_response remove(const gateway_fixture& f, std::string_view target) {
  return f.ask(fmt::format("DELETE {} HTTP/1.1\r\nHost: t\r\n\r\n", target));
}

bool says(const raw_response& answer, std::string_view text) {
  return answer.body.find(text) != std::string::npos;
}

TEST_CASE("gateway: a member is added, removed, and the lead is moved") {
  gateway_fixture f;
  const auto added = f.post(k_members, k_json, R"({"id":"n4","peer":"10.0.0.4:7080"})");
  CHECK(added.status == 201);
  CHECK(added.body == "{\"member\":\"n4\",\"change\":\"added\",\"leader\":\"n1\"}\n");
  CHECK(f.node.last_change().what == net::cluster_change::action::add_member);
  CHECK(f.node.last_change().node == "n4");
  CHECK(f.node.last_change().peer == "10.0.0.4:7080");
  const auto again = f.post(k_members, k_json, R"({"id":"n1","peer":"10.0.0.1:7080"})");
  CHECK(again.status == 200);
  CHECK(says(again, "\"change\":\"none\""));

  const auto removed = remove(f, "/v1/cluster/members/n4?timeout_ms=500");
  CHECK(removed.status == 200);
  CHECK(removed.body == "{\"member\":\"n4\",\"change\":\"removed\",\"leader\":\"n1\"}\n");
  CHECK(f.node.last_change().what == net::cluster_change::action::remove_member);

  const auto moved = f.post(k_leader, "application/json; charset=utf-8", R"({"node":"n2"})");
  CHECK(moved.status == 200);
  CHECK(moved.body == "{\"log\":\"default\",\"leader\":\"n2\",\"term\":4}\n");
  CHECK(f.node.last_change().what == net::cluster_change::action::move_leader);
  CHECK(f.node.last_change().log == "default");
}

TEST_CASE("gateway: bad changes are refused by name and never reach the node") {
  gateway_fixture f;
  struct row {
    std::string_view target;
    std::string_view body;
    std::string_view reason;
  };
  for (const auto& [target, body, reason] : {
           row{k_members, "", "not a JSON object"},
           row{k_members, "[]", "not a JSON object"},
           row{k_members, R"({"id":"n4"})", "peer: missing"},
           row{k_members, R"({"id":"n4","peer":7080})", "peer: not a string"},
           row{k_members, R"({"id":"n4","id":"n5","peer":"a:1"})", "id: comes twice"},
           row{k_members, R"({"id":"n4","peer":"a:1","zone":"x"})", "zone: unknown field"},
           row{k_members, R"({"id":"../n4","peer":"a:1"})", "is no node id"},
           row{k_members, R"({"id":"n4","peer":""})", "peer: expected ADDRESS:PORT"},
           row{k_leader, R"({"node":""})", "is no node id"},
           row{k_leader, R"({"leader":"n2"})", "leader: unknown field"},
       }) {
    const auto answer = f.post(target, k_json, body);
    CHECK_MESSAGE(answer.status == 400, body, ": ", answer.body);
    CHECK_MESSAGE(says(answer, reason), body, ": ", answer.body);
    CHECK_MESSAGE(says(answer, "\"outcome\":\"rejected\""), body);
  }
  CHECK(f.post(k_members, "text/plain", R"({"id":"n4","peer":"a:1"})").status == 415);
  CHECK(f.post(k_members, k_json, std::string(5000, ' ')).status == 413);
  CHECK(f.post("/v1/logs/other/leader", k_json, R"({"node":"n2"})").status == 404);
  CHECK(remove(f, "/v1/cluster/members/%20").status == 400);
  CHECK(remove(f, "/v1/cluster/members/n4?force=true").status == 400);
  CHECK(remove(f, "/v1/cluster/members/n4?timeout_ms=0").status == 400);
  CHECK(remove(f, "/v1/cluster/members").status == 405);
  CHECK(f.get(std::string(k_members)).header("allow") == "POST");
  CHECK(f.node.change_count() == 0);
}

TEST_CASE("gateway: a change that the node refuses says why, and whether it may have happened") {
  gateway_fixture f;
  f.node.fail_changes(net::failure{.code = errc::unavailable,
                                   .detail = "another change is under way",
                                   .leader = "n3",
                                   .retry_after_ms = 200});
  const auto busy = remove(f, "/v1/cluster/members/n2");
  CHECK(busy.status == 503);
  CHECK(busy.header("retry-after") == "1");
  CHECK(says(busy, "\"leader\":\"n3\""));
  CHECK(says(busy, "\"outcome\":\"rejected\""));
  f.node.fail_changes(net::failure{.code = errc::outcome_unknown, .detail = "the lead was lost"});
  const auto unknown = remove(f, "/v1/cluster/members/n2");
  CHECK(unknown.status == 504);
  CHECK(says(unknown, "\"outcome\":\"unknown\""));
  f.node.fail_changes(net::failure{.code = errc::not_found, .detail = "there is no member 'n9'"});
  CHECK(remove(f, "/v1/cluster/members/n9").status == 404);
}

}  // namespace
}  // namespace cairn::test
