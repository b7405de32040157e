// The levels of the node's own log over HTTP.
#include "tests/unit/net/gateway_fixture.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <string>
#include <string_view>

namespace cairn::test {
namespace {

std::optional<net::outcome<net::inspect_answer>> two_levels(const v1::InspectRequest& question) {
  auto answer = std::make_shared<v1::InspectAnswer>();
  answer->set_node(question.node().empty() ? "n1" : question.node());
  if (question.has_members()) {
    for (const char* id : {"n1", "n2"})
      answer->mutable_members()->add_members()->set_id(id);
    return net::inspect_answer{.what = std::move(answer)};
  }
  const auto put = [&](const char* component, const std::string& level) {
    auto* const one = answer->mutable_log_levels()->add_levels();
    one->set_component(component);
    one->set_level(level);
  };
  const bool raft = question.log_level().component() == "raft";
  put("node", "info");
  put("raft", raft ? question.log_level().level() : "info");
  return net::inspect_answer{.what = std::move(answer)};
}

raw_response put(const gateway_fixture& f, std::string_view target, std::string_view body,
                 std::string_view type = "application/json") {
  return f.ask(
      fmt::format("PUT {} HTTP/1.1\r\nHost: a\r\nContent-Type: {}\r\nContent-Length: "
                  "{}\r\n\r\n{}",
                  target, type, body.size(), body));
}

TEST_CASE("gateway: log levels are shown and changed, here, elsewhere and everywhere") {
  gateway_fixture f;
  f.node.answer_questions(two_levels);
  CHECK(f.get("/v1/log-levels").body ==
        "{\"node\":\"n1\",\"levels\":{\"node\":\"info\",\"raft\":\"info\"}}\n");
  CHECK(f.node.questions().back().what.log_level().component().empty());
  const auto changed = put(f, "/v1/log-levels/raft?node=n2", "{\"level\":\"debug\"}");
  CHECK(changed.status == 200);
  CHECK(changed.body == "{\"node\":\"n2\",\"levels\":{\"node\":\"info\",\"raft\":\"debug\"}}\n");
  CHECK(f.node.questions().back().what.log_level().component() == "raft");
  CHECK(f.node.questions().back().what.log_level().level() == "debug");
  CHECK(put(f, "/v1/log-levels/all?cluster=true", "{\"level\":\"off\"}").body ==
        "{\"nodes\":[{\"node\":\"n1\",\"levels\":{\"node\":\"info\",\"raft\":\"info\"}},"
        "{\"node\":\"n2\",\"levels\":{\"node\":\"info\",\"raft\":\"info\"}}]}\n");
  CHECK(f.node.questions().back().what.log_level().component() == "all");
}

TEST_CASE("gateway: a bad log level is refused by name, and nobody is asked") {
  gateway_fixture f;
  const auto count = f.node.questions().size();
  const auto refused = [&](std::string_view target, std::string_view body, int status,
                           std::string_view part) {
    const auto answer = put(f, target, body);
    CHECK(answer.status == status);
    CHECK_MESSAGE(answer.body.find(part) != std::string::npos, answer.body);
  };
  refused("/v1/log-levels/rafts", "{\"level\":\"debug\"}", 404, "'rafts'");
  refused("/v1/log-levels/raft", "{\"level\":\"loud\"}", 400, "'loud', none of trace, debug");
  refused("/v1/log-levels/raft", "{\"levels\":\"debug\"}", 400, "levels");
  refused("/v1/log-levels/raft", "{}", 400, "level");
  refused("/v1/log-levels/raft", "debug", 400, "");
  refused("/v1/log-levels/raft?nodes=n2", "{\"level\":\"debug\"}", 400, "nodes");
  CHECK(put(f, "/v1/log-levels/raft", "debug", "text/plain").status == 415);
  CHECK(put(f, "/v1/log-levels/raft", std::string(2'000, ' ')).status == 413);
  const auto method = f.post("/v1/log-levels", "application/json", "{}");
  CHECK(method.status == 405);
  CHECK(method.header("allow").find("GET") != std::string::npos);
  CHECK(f.node.questions().size() == count);
}

}  // namespace
}  // namespace cairn::test
