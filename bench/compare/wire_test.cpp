// What the load generator of bench/compare understands of its peers' answers.

#include "bench/compare/wire.hpp"

#include "bench/compare/http_answer.hpp"

#include <doctest/doctest.h>
#include <vector>

namespace {

using namespace cairn;
using namespace cairn::bench;

work_plan plan_of(peer_kind peer, work_kind work) {
  work_plan plan;
  plan.peer = peer;
  plan.work = work;
  plan.name = "load";
  return plan;
}

/// Feeds `bytes` in pieces of `step` as the loop does; what was heard in all.
heard feed(wire& talk, std::string_view bytes, std::size_t step, std::string& out) {
  heard all;
  std::string in;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    in += bytes.substr(at, step);
    for (;;) {
      auto part = talk.hear(in, out);
      REQUIRE(part.ok());
      all.answers += part->answers;
      all.records += part->records;
      all.refusals += part->refusals;
      in.erase(0, part->used_bytes);
      if (part->used_bytes == 0 || in.empty()) break;
    }
  }
  CHECK(in.empty());
  return all;
}

constexpr std::string_view k_two_answers =
    "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nabcde"
    "HTTP/1.1 200 OK\r\ntransfer-ENCODING: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n";

}  // namespace

TEST_CASE("an HTTP answer is whole wherever the bytes are cut") {
  for (std::size_t step = 1; step <= k_two_answers.size(); ++step) {
    http_answer answer;
    std::string in;
    std::vector<std::string> bodies;
    for (std::size_t at = 0; at < k_two_answers.size(); at += step) {
      in += k_two_answers.substr(at, step);
      for (bool more = true; more;) {
        auto used = answer.take(in);
        REQUIRE(used.ok());
        in.erase(0, *used);
        if (answer.complete() && *used > 0) bodies.emplace_back(answer.body());
        more = *used > 0 && !in.empty();
      }
    }
    CAPTURE(step);
    REQUIRE(bodies.size() == 2);
    CHECK(bodies[0] == "abcde");
    CHECK(bodies[1] == "abc0123456789");
  }
}

TEST_CASE("what is no HTTP answer is an error that shows it") {
  http_answer answer;
  const auto used = answer.take("SSH-2.0-x\r\n\r\n");
  REQUIRE(!used.ok());
  CHECK(used.error().detail.find("SSH-2.0") != std::string::npos);
}

TEST_CASE("a refused HTTP append is an answer and a refusal, not a record") {
  shared_state shared;
  auto talk = make_http_wire(plan_of(peer_kind::cairn, work_kind::append), shared, 0, 1);
  std::string out;
  talk->ask(out);
  const auto all =
      feed(*talk, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}", 7, out);
  CHECK(all.answers == 1);
  CHECK(all.refusals == 1);
  CHECK(all.records == 0);
}

TEST_CASE("etcd gets a key of its own for every record") {
  shared_state shared;
  auto plan = plan_of(peer_kind::etcd, work_kind::batch);
  plan.records_a_request = 3;
  auto talk = make_http_wire(plan, shared, 0, 1);
  std::string first;
  std::string second;
  talk->ask(first);
  talk->ask(second);
  CHECK(shared.next_key == 6);
  CHECK(first.size() == second.size());
  CHECK(first.find("azAwMDAwMDAwMDAy") != std::string::npos);   // k00000000002
  CHECK(second.find("azAwMDAwMDAwMDAz") != std::string::npos);  // k00000000003
  CHECK(second.find("azAwMDAwMDAwMDAy") == std::string::npos);
}

TEST_CASE("a NATS acknowledgement counts, an error and nobody there are refusals") {
  auto talk = make_nats_wire(plan_of(peer_kind::nats, work_kind::append), 0, 1);
  std::string out;
  talk->greet(out);
  CHECK(!talk->ready());
  out.clear();
  constexpr std::string_view k_said =
      "INFO {\"server_id\":\"x\"}\r\nPONG\r\nPING\r\n"
      "MSG _INBOX.1.0 1 27\r\n{\"stream\":\"load\", \"seq\": 7}\r\n"
      "MSG _INBOX.1.0 1 22\r\n{\"error\":{\"code\":503}}  \r\n"
      "HMSG _INBOX.1.0 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n";
  for (std::size_t step : {std::size_t{1}, std::size_t{10}, k_said.size()}) {
    out.clear();
    const auto all = feed(*talk, k_said, step, out);
    CHECK(talk->ready());
    CHECK(out == "PONG\r\n");
    CHECK(all.answers == 3);
    CHECK(all.records == 1);
    CHECK(all.refusals == 2);
  }
}

TEST_CASE("readers share the log among them and know when they are at its end") {
  auto plan = plan_of(peer_kind::cairn, work_kind::read);
  plan.end = 5;
  plan.records_a_request = 2;
  shared_state shared;
  auto talk = make_http_wire(plan, shared, 1, 2);  // the piece [2, 5)
  std::string out;
  talk->ask(out);
  CHECK(out.find("from=2&limit=2&") != std::string::npos);
  CHECK(feed(*talk, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na\nb\n", 50, out).records == 2);
  CHECK(!talk->finished());
  out.clear();
  talk->ask(out);
  CHECK(out.find("from=4&limit=1&") != std::string::npos);
  CHECK(feed(*talk, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na\n", 50, out).records == 1);
  CHECK(talk->finished());
}
