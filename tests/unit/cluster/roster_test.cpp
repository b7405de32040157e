// Who may join, who is who, and what a change of the cluster looks like.
#include "actors/cluster/roster.hpp"

#include <doctest/doctest.h>
#include <map>
#include <rapidcheck.h>
#include <string>

using namespace cairn;
using namespace cairn::actors;
using proto::cluster_member;
using raft::configuration;
using raft::node_id;
using raft::node_set;

namespace {

constexpr const char* k_cluster = "c0ffee";

cluster_member node(const std::string& id, const std::string& data = "") {
  return {.number = 0,
          .node_id = id,
          .data_id = data.empty() ? "data-" + id : data,
          .peer = id + ":7080",
          .http = id + ":8080",
          .grpc = "",
          .zone = ""};
}

/// What the core makes of a change, once the joint phase is over.
configuration carried_out(const configuration& from, const roster_change& change) {
  auto next = raft::changed(from, change.changes);
  REQUIRE(next.ok());
  next->context = proto::encode(change.context);
  REQUIRE(context_of(*next).ok());  // also while it is joint
  if (next->joint()) next = raft::joint_left(*next);
  REQUIRE(context_of(*next).ok());
  return *next;
}

configuration joined(const configuration& from, const cluster_member& who) {
  const auto admitted = admit(from, who, "");
  REQUIRE(admitted.ok());
  return carried_out(from, admitted->change);
}

configuration of_three() {
  auto config = bootstrap_configuration(k_cluster, node("n1"));
  for (const auto* id : {"n2", "n3"}) {
    config = joined(config, node(id));
    config = carried_out(config, *promotion(config, config.learners.front()));
  }
  return config;
}

bool says(const error& what, std::string_view text) {
  return what.detail.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("roster: a new cluster has one voter, number 1") {
  const auto config = bootstrap_configuration(k_cluster, node("n1"));
  CHECK(raft::validate(config).ok());
  CHECK(config.voters == node_set{node_id(1)});
  const auto context = context_of(config);
  REQUIRE(context.ok());
  CHECK(context->cluster_id == k_cluster);
  CHECK(context->next_number == 2);
  CHECK(context->by_node_id("n1")->number == 1);
}

TEST_CASE("roster: a newcomer becomes a learner with the next number, then a voter") {
  auto config = bootstrap_configuration(k_cluster, node("n1"));
  const auto admitted = admit(config, node("n2"), "");
  REQUIRE(admitted.ok());
  CHECK(admitted->number == 2);
  CHECK(admitted->needed);
  CHECK_FALSE(admitted->known);
  config = carried_out(config, admitted->change);
  CHECK(config.learners == node_set{node_id(2)});
  config = carried_out(config, *promotion(config, node_id(2)));
  CHECK(config.voters == node_set{node_id(1), node_id(2)});
  CHECK(context_of(config)->by_node_id("n2")->number == 2);
}

TEST_CASE("roster: a member that says the same again changes nothing") {
  const auto config = of_three();
  for (const std::uint64_t claimed : {0, 2}) {
    auto again = node("n2");
    again.number = claimed;
    const auto admitted = admit(config, again, claimed == 0 ? "" : k_cluster);
    REQUIRE(admitted.ok());
    CHECK(admitted->known);
    CHECK(admitted->number == 2);
    CHECK_FALSE(admitted->needed);
  }
}

TEST_CASE("roster: new addresses keep number and role, of voters and of learners") {
  auto config = joined(of_three(), node("n4"));
  for (const std::uint64_t number : {2, 4}) {
    auto moved = node("n" + std::to_string(number));
    moved.number = number;
    moved.peer = "elsewhere:7080";
    moved.zone = "west";
    const auto admitted = admit(config, moved, k_cluster);
    REQUIRE(admitted.ok());
    CHECK(admitted->needed);
    CHECK(admitted->change.changes.empty());
    const auto next = carried_out(config, admitted->change);
    CHECK(next.voters == config.voters);
    CHECK(next.learners == config.learners);
    CHECK(*context_of(next)->by_number(number) == moved);
    config = next;
  }
}

TEST_CASE("roster: a wiped node under its old id is refused, with what to do") {
  const auto refused = admit(of_three(), node("n2", "another-disk"), "");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.code() == errc::already_exists);
  CHECK(says(refused.error(), "cairn cluster remove n2"));
}

TEST_CASE("roster: data of another cluster, a copied directory and a false number are refused") {
  const auto config = of_three();
  auto stranger = node("n9");
  stranger.number = 1;
  const auto other = admit(config, stranger, "another-cluster");
  CHECK(other.code() == errc::already_exists);
  CHECK(says(other.error(), "another-cluster"));
  const auto copy = admit(config, node("n9", "data-n2"), "");
  CHECK(copy.code() == errc::already_exists);
  CHECK(says(copy.error(), "copy of that of node n2"));
  auto liar = node("n2");
  liar.number = 3;
  CHECK(admit(config, liar, k_cluster).code() == errc::already_exists);
  auto early = node("n8");
  early.number = 40;
  CHECK(admit(config, early, k_cluster).code() == errc::unavailable);
  auto nameless = node("n8");
  nameless.peer.clear();
  CHECK(admit(config, nameless, "").code() == errc::invalid_argument);
}

TEST_CASE(
    "roster: a removed node keeps its name while joint, is refused, and its id is free again") {
  auto config = of_three();
  const auto change = removal(config, "n2");
  REQUIRE(change.ok());
  CHECK(change->context.by_node_id("n2") != nullptr);
  config = carried_out(config, *change);
  CHECK(config.voters == node_set{node_id(1), node_id(3)});
  CHECK(current_members(config, *context_of(config)).size() == 2);
  auto back = node("n2");
  back.number = 2;
  const auto refused = admit(config, back, k_cluster);
  CHECK(refused.code() == errc::not_found);
  CHECK(says(refused.error(), "removed"));
  CHECK(admit(config, node("n2"), "").code() == errc::not_found);  // its meta.toml was lost
  const auto fresh = admit(config, node("n2", "new-disk"), "");
  REQUIRE(fresh.ok());
  CHECK(fresh->number == 4);
  config = carried_out(config, fresh->change);
  CHECK(context_of(config)->by_node_id("n2")->number == 4);
  CHECK(context_of(config)->by_number(2) == nullptr);
}

TEST_CASE("roster: nobody unknown and not the last voter can be removed") {
  const auto config = bootstrap_configuration(k_cluster, node("n1"));
  CHECK(removal(config, "n7").code() == errc::not_found);
  const auto last = removal(joined(config, node("n2")), "n1");
  CHECK(last.code() == errc::invalid_argument);
  CHECK(says(last.error(), "last voter"));
}

TEST_CASE("roster: a full cluster lets nobody in") {
  auto config = bootstrap_configuration(k_cluster, node("n1"));
  for (std::size_t i = 2; i <= raft::k_members_max; ++i)
    config = joined(config, node("n" + std::to_string(i)));
  CHECK(admit(config, node("one-more"), "").code() == errc::too_large);
}

TEST_CASE("roster: a configuration without names is damage") {
  configuration config;
  config.voters = {node_id(1)};
  CHECK(context_of(config).code() == errc::corruption);
  config = of_three();
  config.learners = {node_id(9)};
  CHECK(context_of(config).code() == errc::corruption);
}

TEST_CASE("roster: whatever happens, roles change only by promotion, numbers are new") {
  CHECK(rc::check([] {
    auto config = bootstrap_configuration(k_cluster, node("n0"));
    std::map<std::string, std::uint64_t> numbers{{"data-n0", 1}};
    const auto steps = *rc::gen::inRange(1, 40);
    for (int step = 0; step < steps; ++step) {
      const auto before = config;
      const auto id = "n" + std::to_string(*rc::gen::inRange(0, 6));
      switch (*rc::gen::inRange(0, 4)) {
        case 0: {  // announced, with one of two disks
          auto who = node(id, *rc::gen::arbitrary<bool>() ? "" : "other-" + id);
          who.peer += std::to_string(*rc::gen::inRange(0, 3));
          const auto admitted = admit(config, who, "");
          if (!admitted) break;
          if (admitted->known) {
            RC_ASSERT(numbers.at(who.data_id) == admitted->number);
          } else {
            for (const auto& [data, number] : numbers)
              RC_ASSERT(number < admitted->number);
            numbers[who.data_id] = admitted->number;
          }
          if (!admitted->needed) break;
          config = carried_out(config, admitted->change);
          RC_ASSERT(config.voters == before.voters);
          if (admitted->known) RC_ASSERT(config.learners == before.learners);
          break;
        }
        case 1: {  // promoted
          if (config.learners.empty()) break;
          config = carried_out(config, *promotion(config, config.learners.front()));
          RC_ASSERT(config.voters.size() == before.voters.size() + 1);
          break;
        }
        default: {  // removed
          const auto change = removal(config, id);
          if (!change) break;
          config = carried_out(config, *change);
          RC_ASSERT(config.members().size() + 1 == before.members().size());
        }
      }
      RC_ASSERT(raft::validate(config).ok());
      RC_ASSERT(context_of(config)->next_number >= context_of(before)->next_number);
    }
  }));
}
