// openapi.json and the router say the same.
#include "net/http/router.hpp"
#include "tests/unit/net/gateway_fixture.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <map>
#include <set>
#include <simdjson.h>

namespace cairn::test {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// "get /v1/logs" of every operation, with true for those that come later.
std::map<std::string, bool> operations_of(simdjson::dom::element document) {
  std::map<std::string, bool> out;
  // Named: a range-for would not keep what value() gives out.
  const simdjson::dom::object paths = document["paths"].get_object().value();
  for (const auto path : paths) {
    const simdjson::dom::object operations = path.value.get_object().value();
    for (const auto operation : operations) {
      if (operation.key == "parameters") continue;
      const bool later = operation.value["x-cairn-status"].error() == simdjson::SUCCESS;
      out[fmt::format("{} {}", operation.key, path.key)] = later;
    }
  }
  return out;
}

TEST_CASE("openapi: every route of the router is described, and nothing else") {
  gateway_fixture f;
  const auto answer = f.get("/openapi.json");
  REQUIRE(answer.status == 200);
  simdjson::dom::parser parser;
  const auto document = parser.parse(answer.body).value();
  CHECK(document["openapi"].get_string().value() == "3.1.0");
  auto described = operations_of(document);
  for (const net::route& route : net::all_routes()) {
    for (std::size_t i = 0; i < net::k_method_count; ++i) {
      const auto method = static_cast<net::http_method>(i);
      const bool served = (route.methods & net::method_bit(method)) != 0;
      const bool later = (route.later & net::method_bit(method)) != 0;
      if (method == net::http_method::head || (!served && !later)) continue;
      const std::string key = fmt::format("{} {}", lower(to_string(method)), route.pattern);
      const auto found = described.find(key);
      CHECK_MESSAGE(found != described.end(), key);
      if (found == described.end()) continue;
      CHECK_MESSAGE(found->second == later, key);
      described.erase(found);
    }
  }
  for (const auto& [key, later] : described)
    FAIL_CHECK(key << " is described but not routed");
}

void check_references(simdjson::dom::element at, simdjson::dom::element document) {
  if (at.is_array()) {
    const simdjson::dom::array elements = at.get_array().value();
    for (const auto element : elements)
      check_references(element, document);
  } else if (at.is_object()) {
    const simdjson::dom::object members = at.get_object().value();
    for (const auto member : members) {
      if (member.key == "$ref") {
        const std::string target(member.value.get_string().value());
        CHECK_MESSAGE(document.at_pointer(target.substr(1)).error() == simdjson::SUCCESS, target);
      } else {
        check_references(member.value, document);
      }
    }
  }
}

TEST_CASE("openapi: every reference has its target") {
  gateway_fixture f;
  simdjson::dom::parser parser;
  const std::string text = f.get("/openapi.json").body;
  const auto document = parser.parse(text).value();
  check_references(document, document);
}

}  // namespace
}  // namespace cairn::test
