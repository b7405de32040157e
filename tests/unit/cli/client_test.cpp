#include "net/client/log_client.hpp"
#include "tests/unit/cli/fake_node.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace cairn;
using namespace cairn::net;
using cairn::testing::append_fault;
using cairn::testing::fake_node;

namespace {

client_options options_for(const std::string& servers) {
  client_options options;
  options.servers = parse_servers(servers).value();
  options.request_timeout = std::chrono::seconds(10);
  return options;
}

// A port where nobody listens.
std::uint16_t dead_port() {
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor acceptor(io, {boost::asio::ip::address_v4::loopback(), 0});
  return acceptor.local_endpoint().port();
}

append_call call_for(std::string_view body) {
  append_call call;
  call.log = "default";
  call.content_type = "application/x-ndjson";
  call.body = body;
  return call;
}

}  // namespace

TEST_CASE("servers: a list of URLs, with or without scheme and port") {
  const auto servers =
      parse_servers("http://a.example:81,b,http://[::1]:9/,127.0.0.1:65535").value();
  REQUIRE(servers.size() == 4);
  CHECK(servers[0] == server_address{"a.example", 81});
  CHECK(servers[1] == server_address{"b", 8080});
  CHECK(servers[2] == server_address{"::1", 9});
  CHECK(servers[2].authority() == "[::1]:9");
  CHECK(servers[3].authority() == "127.0.0.1:65535");
  for (const std::string_view bad : {"", "http://", "a,,b", "a:0", "a:65536", "a:x",
                                     "a:", "https://a", "a/b", "[::1", "[::1]x", "a b", "user@a"}) {
    CHECK_MESSAGE(parse_servers(bad).code() == errc::invalid_argument, bad);
  }
}

TEST_CASE("client: after a lost answer or a 503 the next node is asked") {
  for (const auto fault : {append_fault::drop_before, append_fault::busy}) {
    fake_node first;
    fake_node second(first);
    first.add_fault(fault);
    log_client client(options_for(first.url() + "," + second.url()));
    CHECK(client.append(call_for("1\n")).code() != errc::none);
    CHECK(client.append(call_for("2\n")).ok());
    CHECK(first.append_count() == 1);
    CHECK(second.append_count() == 1);
  }
}

TEST_CASE("client: learns the members of the cluster, and does without") {
  fake_node node;
  log_client client(options_for(node.url()));
  CHECK(client.learn_servers().value() == 1);  // 404: a node that cannot tell
  node.set_cluster(R"({"members":[{"id":"n1","http":"http://other.example:81"},)"
                   R"({"id":"n2","http":"0.0.0.0:8080"},{"id":"n3","http":""},7]})");
  CHECK(client.learn_servers().value() == 2);
  CHECK(client.learn_servers().value() == 2);
  CHECK(client.http().options().servers.back() == server_address{"other.example", 81});
  node.set_cluster("[1]");
  CHECK(client.learn_servers().value() == 2);
}

TEST_CASE("client: appends and reads over one connection") {
  fake_node node;
  log_client client(options_for(node.url()));
  const auto stored = client.append(call_for("1\n2\n"));
  REQUIRE(stored.ok());
  CHECK(stored->offset == 0);
  CHECK(stored->count == 2);
  CHECK(client.describe("default").value().next_offset == 2);
  std::vector<std::string> lines;
  read_call call;
  call.log = "default";
  call.from.offset = 1;
  CHECK(client
            .read(call,
                  [&](std::string_view line) {
                    lines.emplace_back(line);
                    return true;
                  })
            .value() == 1);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] == R"({"timestamp":"t","value":2,"offset":1})");
  CHECK(node.connection_count() == 1);
}

TEST_CASE("client: a problem document becomes an error with its facts") {
  fake_node node;
  log_client client(options_for(node.url()));
  read_call call;
  call.log = "default";
  call.from.offset = 5;
  const auto page = client.read(call, [](std::string_view) { return true; });
  REQUIRE_FALSE(page.ok());
  CHECK(page.code() == errc::offset_not_written);
  CHECK(page.error().detail == "as told (HTTP 404, offset-not-written, the log holds 0 to 0)");
  REQUIRE(client.failure().refused.has_value());
  CHECK(client.failure().refused->next_offset == 0U);
  CHECK_FALSE(client.failure().may_pass());
  CHECK(client.describe("nope").code() == errc::not_found);
}

TEST_CASE("client: tells what became of a write that failed") {
  fake_node node;
  log_client client(options_for(node.url()));
  node.add_fault(append_fault::busy);
  CHECK(client.append(call_for("1\n")).code() == errc::overloaded);
  CHECK_FALSE(client.failure().outcome_unknown());
  CHECK(client.failure().may_pass());
  CHECK(client.failure().refused->retry_after_ms == 1);
  node.add_fault(append_fault::unknown_not_stored);
  CHECK(client.append(call_for("1\n")).code() == errc::outcome_unknown);
  CHECK(client.failure().outcome_unknown());
  node.add_fault(append_fault::drop_after);
  CHECK(client.append(call_for("1\n")).code() == errc::unavailable);
  CHECK(client.failure().phase == client_phase::lost);
  CHECK(client.failure().outcome_unknown());
  CHECK(client.append(call_for("2\n")).value().offset == 1);
}

TEST_CASE("client: tries one server after the other, and names all when none answers") {
  fake_node node;
  const auto dead = std::to_string(dead_port());
  log_client client(options_for("127.0.0.1:" + dead + "," + node.url()));
  CHECK(client.describe("default").ok());
  log_client nobody(options_for("127.0.0.1:" + dead + ",localhost:" + dead));
  const auto failed = nobody.describe("default");
  REQUIRE_FALSE(failed.ok());
  CHECK(nobody.failure().phase == client_phase::unreachable);
  CHECK_FALSE(nobody.failure().outcome_unknown());
  CHECK(failed.error().detail.find("127.0.0.1:" + dead) != std::string::npos);
  CHECK(failed.error().detail.find("localhost:" + dead) != std::string::npos);
}

TEST_CASE("client: an answer that refuses a body early is read, not lost") {
  fake_node node;
  log_client client(options_for(node.url()));
  node.add_fault(append_fault::too_large);
  CHECK(client.append(call_for("1\n")).code() == errc::too_large);
  CHECK(client.append(call_for("1\n")).ok());
  CHECK(node.connection_count() == 2);
}

TEST_CASE("client: an answer over the limit is refused") {
  fake_node node;
  for (int i = 0; i < 100; ++i)
    node.add_value("\"" + std::string(1000, 'x') + "\"");
  auto options = options_for(node.url());
  options.max_answer_bytes = 10'000;
  log_client client(options);
  read_call call;
  call.log = "default";
  CHECK(client.read_page_json(call).code() == errc::corruption);
  CHECK(client.failure().phase == client_phase::garbled);
  // Line by line only a line is limited.
  std::uint64_t count = 0;
  CHECK(client.read(call, [&](std::string_view) { return ++count > 0; }).ok());
  CHECK(count == 100);
}

TEST_CASE("client: follows a stream until the handler has enough, or it ends") {
  fake_node node;
  for (int i = 0; i < 5; ++i)
    node.add_value(std::to_string(i));
  log_client client(options_for(node.url()));
  std::vector<std::string> seen;
  CHECK(client
            .follow("default", {1, std::nullopt, false},
                    [&](std::string_view line) {
                      seen.emplace_back(line);
                      return seen.size() < 2;
                    })
            .ok());
  REQUIRE(seen.size() == 2);
  CHECK(seen[1] == R"({"timestamp":"t","value":2,"offset":2})");
  const auto ended = client.follow("default", {}, [](std::string_view) { return true; });
  CHECK(ended.code() == errc::unavailable);
  CHECK(client.failure().may_pass());
}

TEST_CASE("client: a flag that is set ends the call") {
  std::atomic<bool> stop{true};
  boost::asio::io_context io;
  // Accepts, and never answers.
  boost::asio::ip::tcp::acceptor silent(io, {boost::asio::ip::address_v4::loopback(), 0});
  auto options = options_for("127.0.0.1:" + std::to_string(silent.local_endpoint().port()));
  options.interrupted = &stop;
  log_client client(options);
  CHECK_FALSE(client.describe("default").ok());
  CHECK(client.failure().phase == client_phase::interrupted);
}

TEST_CASE("client: silence ends with the timeout") {
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor silent(io, {boost::asio::ip::address_v4::loopback(), 0});
  auto options = options_for("127.0.0.1:" + std::to_string(silent.local_endpoint().port()));
  options.request_timeout = std::chrono::milliseconds(50);
  log_client client(options);
  const auto failed = client.append(call_for("1\n"));
  CHECK(client.failure().phase == client_phase::lost);
  CHECK(failed.error().detail.find("nothing moved for 50 ms") != std::string::npos);
}

TEST_CASE("problem: an answer that carries none is described, and its write is uncertain") {
  http_answer answer;
  answer.status = 502;
  answer.content_type = "text/html";
  answer.body = "<html>bad gateway</html>";
  const auto found = to_problem(answer);
  CHECK(found.outcome_unknown);
  CHECK(found.sentence() == "the node answered <html>bad gateway</html> (HTTP 502)");
  answer.status = 400;
  CHECK_FALSE(to_problem(answer).outcome_unknown);
  CHECK(errc_of("offset-trimmed") == errc::offset_trimmed);
  CHECK(errc_of("no such code") == errc::internal);
}
