#include "apps/data_directory.hpp"

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
    auto data = data_directory::open(env, "/data", "n1", first_start::alone);
    REQUIRE(data.ok());
    first = data->identity();
    CHECK(first.node_id == "n1");
    CHECK(first.cluster_id.size() == 32);
    CHECK(first.data_id.size() == 32);
    CHECK(first.number == 1);
  }
  env.crash(testing::crash_keep::none);
  auto again = data_directory::open(env, "/data", "n1", first_start::alone);
  REQUIRE(again.ok());
  CHECK(again->identity() == first);
  sim_env other(99);
  CHECK(data_directory::open(other, "/data", "n1", first_start::alone)->identity().cluster_id !=
        first.cluster_id);
}

TEST_CASE("data directory: a joiner belongs to nobody until it is bound, then for ever") {
  sim_env env;
  std::string data_id;
  {
    auto data = data_directory::open(env, "/data", "n4", first_start::join);
    REQUIRE(data.ok());
    CHECK_FALSE(data->identity().is_member());
    CHECK(data->identity().cluster_id.empty());
    data_id = data->identity().data_id;
  }
  env.crash(testing::crash_keep::none);
  {
    // Without --join it does not begin a cluster of its own by accident.
    auto data = data_directory::open(env, "/data", "n4", first_start::alone);
    REQUIRE(data.ok());
    CHECK_FALSE(data->identity().is_member());
    CHECK(data->identity().data_id == data_id);
    REQUIRE(data->bind("c0ffee", 4).ok());
  }
  env.crash(testing::crash_keep::none);
  for (const auto how : {first_start::join, first_start::bootstrap, first_start::alone}) {
    auto data = data_directory::open(env, "/data", "n4", how);
    REQUIRE(data.ok());
    CHECK(data->identity() ==
          node_identity{.node_id = "n4", .data_id = data_id, .cluster_id = "c0ffee", .number = 4});
  }
}

TEST_CASE("data directory: binding that is cut off leaves a joiner or a member") {
  for (std::uint64_t operation = 1; operation < 8; ++operation) {
    CAPTURE(operation);
    sim_env env(operation);
    auto data = data_directory::open(env, "/data", "n4", first_start::join);
    REQUIRE(data.ok());
    env.stop_at(env.operations() + operation);
    const bool bound = data->bind("c0ffee", 4).ok();
    env.crash();
    const auto again = data_directory::open(env, "/data", "n4", first_start::alone);
    REQUIRE(again.ok());
    if (bound) CHECK(again->identity().number == 4);
    CHECK(again->identity().data_id == data->identity().data_id);
    CHECK(again->identity().cluster_id == (again->identity().is_member() ? "c0ffee" : ""));
  }
}

TEST_CASE("data directory: one of a single node is that of member 1 from now on") {
  sim_env env;
  env.put_file("/data/meta.toml",
               as_byte_span("format = 1\nnode_id = \"n1\"\ncluster_id = \"abc\"\n"));
  env.put_file("/data/logs/default/x", as_byte_span("records"));
  node_identity first;
  {
    auto data = data_directory::open(env, "/data", "n1", first_start::join);
    REQUIRE(data.ok());
    first = data->identity();
  }
  CHECK(first.cluster_id == "abc");
  CHECK(first.number == 1);
  CHECK(first.data_id.size() == 32);
  env.crash(testing::crash_keep::none);
  CHECK(data_directory::open(env, "/data", "n1", first_start::alone)->identity() == first);
}

TEST_CASE("data directory: another node id is refused with both names") {
  sim_env env;
  REQUIRE(data_directory::open(env, "/data", "n1", first_start::alone).ok());
  const auto other = data_directory::open(env, "/data", "n2", first_start::alone);
  REQUIRE_FALSE(other.ok());
  CHECK(other.code() == errc::invalid_argument);
  CHECK(other.error().detail.find("n1") != std::string::npos);
  CHECK(other.error().detail.find("n2") != std::string::npos);
}

TEST_CASE("data directory: a second owner is refused while the first one lives") {
  sim_env env;
  auto first = data_directory::open(env, "/data", "n1", first_start::alone);
  REQUIRE(first.ok());
  CHECK(data_directory::open(env, "/data", "n1", first_start::alone).code() == errc::locked);
}

TEST_CASE("data directory: a start that is cut off at any write can be repeated") {
  for (std::uint64_t operation = 1; operation < 20; ++operation) {
    CAPTURE(operation);
    sim_env env(operation);
    env.stop_at(operation);
    (void)data_directory::open(env, "/data", "n1", first_start::alone);
    env.crash();
    CHECK(data_directory::open(env, "/data", "n1", first_start::alone).ok());
  }
}

TEST_CASE("data directory: an identity that was lost or damaged is not made up") {
  sim_env env;
  REQUIRE(data_directory::open(env, "/data", "n1", first_start::alone).ok());
  env.put_file("/data/meta.toml", as_byte_span("format = 1\nnode_id = \"n1\"\n"));
  CHECK(data_directory::open(env, "/data", "n1", first_start::alone).code() == errc::corruption);
  env.put_file("/data/meta.toml", as_byte_span("format = 3\n"));
  CHECK(data_directory::open(env, "/data", "n1", first_start::alone).code() == errc::corruption);
  env.put_file("/data/meta.toml", as_byte_span(std::string(100, '\0')));
  CHECK(data_directory::open(env, "/data", "n1", first_start::alone).code() == errc::corruption);
  env.put_file("/data/meta.toml",
               as_byte_span("format = 2\nnode_id = \"n1\"\ndata_id = \"d\"\nnumber = 3\n"));
  CHECK(data_directory::open(env, "/data", "n1", first_start::alone).code() == errc::corruption);
  env.erase_file("/data/meta.toml");
  env.put_file("/data/logs/default/x", as_byte_span("records"));
  CHECK(data_directory::open(env, "/data", "n1", first_start::alone).code() == errc::corruption);
}

TEST_CASE("data directory: ports.json says where the node listens, and goes with it") {
  sim_env env;
  auto data = data_directory::open(env, "/data", "n1", first_start::alone);
  REQUIRE(data.ok());
  REQUIRE(data->write_ports({.http = "127.0.0.1:1", .grpc = "", .peer = "", .process_id = 7}).ok());
  CHECK(text_of(env.bytes("/data/ports.json")) ==
        "{\"http\":\"127.0.0.1:1\",\"grpc\":null,\"peer\":null,\"pid\":7}\n");
  data->remove_ports();
  CHECK_FALSE(env.exists("/data/ports.json"));
}

TEST_CASE("data directory: ports.json is written on a full disk, too, again and again") {
  sim_env env;
  const listening_ports ports{.http = "127.0.0.1:1", .grpc = "", .peer = "", .process_id = 7};
  const listening_ports longer{.http = "[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
                               .grpc = "",
                               .peer = "",
                               .process_id = 1};
  REQUIRE(data_directory::open(env, "/data", "n1", first_start::alone).ok());
  env.set_capacity_bytes(env.used_bytes());
  for (int life = 0; life < 4; ++life) {
    auto data = data_directory::open(env, "/data", "n1", first_start::alone);
    REQUIRE(data.ok());
    data->remove_ports();  // of the life before, which was killed
    CHECK_FALSE(env.exists("/data/ports.json"));
    const auto told = data->write_ports(life % 2 == 0 ? ports : longer);
    CHECK_MESSAGE(told.ok(), told.error().detail);
    CHECK(env.exists("/data/ports.json"));
  }
}

TEST_CASE("data directory: ports.json survives that somebody removed it before the disk was full") {
  sim_env env;
  auto data = data_directory::open(env, "/data", "n1", first_start::alone);
  REQUIRE(data.ok());
  const listening_ports ports{.http = "127.0.0.1:1", .grpc = "", .peer = "", .process_id = 7};
  REQUIRE(data->write_ports(ports).ok());
  REQUIRE(env.remove("/data/ports.json").ok());
  env.set_capacity_bytes(env.used_bytes());
  CHECK(data->write_ports(ports).ok());
  CHECK(env.exists("/data/ports.json"));
}

}  // namespace
}  // namespace cairn::apps
