#include "apps/data_directory.hpp"

#include "apps/node_log.hpp"
#include "tests/support/sim_env.hpp"

#include <doctest/doctest.h>

namespace cairn::apps {
namespace {

using testing::sim_env;
using testing::sim_op;

std::string text_of(const std::vector<std::byte>& bytes) {
  return std::string(as_text(byte_span(bytes)));
}

TEST_CASE("data directory: the first start binds it durably to a node and a random cluster") {
  sim_env env;
  node_identity first;
  {
    auto data = data_directory::open(env, "/data", "n1");
    REQUIRE(data.ok());
    first = data->identity();
    CHECK(first.node_id == "n1");
    CHECK(first.cluster_id.size() == 32);
  }
  env.crash(testing::crash_keep::none);
  auto again = data_directory::open(env, "/data", "n1");
  REQUIRE(again.ok());
  CHECK(again->identity() == first);
  sim_env other(99);
  CHECK(data_directory::open(other, "/data", "n1")->identity().cluster_id != first.cluster_id);
}

TEST_CASE("data directory: another node id is refused with both names") {
  sim_env env;
  REQUIRE(data_directory::open(env, "/data", "n1").ok());
  const auto other = data_directory::open(env, "/data", "n2");
  REQUIRE_FALSE(other.ok());
  CHECK(other.code() == errc::invalid_argument);
  CHECK(other.error().detail.find("n1") != std::string::npos);
  CHECK(other.error().detail.find("n2") != std::string::npos);
}

TEST_CASE("data directory: a second owner is refused while the first one lives") {
  sim_env env;
  auto first = data_directory::open(env, "/data", "n1");
  REQUIRE(first.ok());
  CHECK(data_directory::open(env, "/data", "n1").code() == errc::locked);
}

TEST_CASE("data directory: a start that is cut off at any write can be repeated") {
  for (std::uint64_t operation = 1; operation < 20; ++operation) {
    CAPTURE(operation);
    sim_env env(operation);
    env.stop_at(operation);
    (void)data_directory::open(env, "/data", "n1");
    env.crash();
    CHECK(data_directory::open(env, "/data", "n1").ok());
  }
}

TEST_CASE("data directory: an identity that was lost or damaged is not made up") {
  sim_env env;
  REQUIRE(data_directory::open(env, "/data", "n1").ok());
  env.put_file("/data/meta.toml", as_byte_span("format = 1\nnode_id = \"n1\"\n"));
  CHECK(data_directory::open(env, "/data", "n1").code() == errc::corruption);
  env.put_file("/data/meta.toml", as_byte_span("format = 2\n"));
  CHECK(data_directory::open(env, "/data", "n1").code() == errc::corruption);
  env.put_file("/data/meta.toml", as_byte_span(std::string(100, '\0')));
  CHECK(data_directory::open(env, "/data", "n1").code() == errc::corruption);
  env.erase_file("/data/meta.toml");
  env.put_file("/data/logs/default/x", as_byte_span("records"));
  CHECK(data_directory::open(env, "/data", "n1").code() == errc::corruption);
}

TEST_CASE("data directory: ports.json says where the node listens, and goes with it") {
  sim_env env;
  auto data = data_directory::open(env, "/data", "n1");
  REQUIRE(data.ok());
  REQUIRE(data->write_ports({.http = "127.0.0.1:1", .grpc = "", .peer = "", .process_id = 7}).ok());
  CHECK(text_of(env.bytes("/data/ports.json")) ==
        "{\"http\":\"127.0.0.1:1\",\"grpc\":null,\"peer\":null,\"pid\":7}\n");
  data->remove_ports();
  CHECK_FALSE(env.exists("/data/ports.json"));
}

TEST_CASE("node log: text becomes a JSON string whatever is in it") {
  CHECK(json_quoted("plain") == "\"plain\"");
  CHECK(json_quoted("a\"b\\c\n") == "\"a\\\"b\\\\c\\u000a\"");
  CHECK(json_quoted("gr\xc3\xbc\xc3\x9f") == "\"gr\xc3\xbc\xc3\x9f\"");
  CHECK(json_quoted("\xff\xc3") == "\"\\ufffd\\ufffd\"");
}

}  // namespace
}  // namespace cairn::apps
