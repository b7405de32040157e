#include "apps/waiting_backend.hpp"

#include <doctest/doctest.h>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace cairn::apps {
namespace {

class waiting_node {
public:
  waiting_node() : backend_(net::member_info{}, 1'000'000) {
    port = backend_.open_port([this] { ++wakes; });
  }

  /// A request that notes its number and does `then` once it is answered.
  net::request_id ask(
      int number, std::function<void()> then = [] {}) {
    return port->describe_log("default", [this, number, then = std::move(then)](
                                             net::outcome<net::log_description> outcome) {
      REQUIRE(std::holds_alternative<net::failure>(outcome));
      CHECK(std::get<net::failure>(outcome).code == errc::unavailable);
      CHECK(std::get<net::failure>(outcome).retry_after_ms > 0);
      answered.push_back(number);
      then();
    });
  }

  std::unique_ptr<net::backend_port> port;
  std::vector<int> answered;
  int wakes = 0;

private:
  waiting_backend backend_;
};

TEST_CASE("waiting node: every request is refused once, with the next poll") {
  waiting_node node;
  node.ask(1);
  node.ask(2);
  CHECK(node.wakes == 1);
  CHECK(node.answered.empty());
  node.port->poll();
  CHECK(node.answered == std::vector{1, 2});
  node.port->poll();
  CHECK(node.answered.size() == 2);
}

TEST_CASE("waiting node: what an answer cancels is not answered any more") {
  waiting_node node;
  net::request_id second = 0;
  node.ask(1, [&] { node.port->cancel(second); });
  second = node.ask(2);
  node.ask(3);
  node.port->poll();
  CHECK(node.answered == std::vector{1, 3});
}

TEST_CASE("waiting node: what an answer asks for comes with a poll of its own") {
  waiting_node node;
  node.ask(1, [&] { node.ask(2); });
  node.port->poll();
  CHECK(node.answered == std::vector{1});
  CHECK(node.wakes == 2);
  node.port->poll();
  CHECK(node.answered == std::vector{1, 2});
}

}  // namespace
}  // namespace cairn::apps
