// The life of a cluster's members: joining, adding, removing, handing over.
#include "tests/actor/cluster_world.hpp"

namespace cairn::testing {
namespace {

TEST_CASE("join: a node that finds a member is let in, and votes once it has caught up") {
  cluster_world w;
  w.absent.insert(2);
  w.join("n2", {"nobody:1", "n1:1"});
  w.advance(milliseconds(2'000));
  CHECK(w.joins["n2"].number == 2);
  CHECK(w.joins["n2"].cluster_id == k_cluster);
  CHECK(w.names(w.group().learners) == names{"n2"});  // it has never been heard of: no voter
  w.absent.clear();
  w.advance(milliseconds(500));
  CHECK(w.names(w.group().voters) == names{"n1", "n2"});
  CHECK(w.group().learners.empty());
  CHECK(w.network.hub("n1").linked("n2"));
  CHECK(w.seen_by("n2")->leader == "n1");
  CHECK(w.seen_by("n2")->members.size() == 2);
}

TEST_CASE("join: nobody is there; it says so, and asks until somebody is") {
  cluster_world w;
  w.join("n5", {"n4:1"});
  w.advance(milliseconds(20'000));
  CHECK(w.joins["n5"].number == 0);
  REQUIRE_FALSE(w.progress["n5"].empty());
  CHECK(w.progress["n5"].front() == "no member answers at n4:1");
  w.join("n4", {"n1:1"});
  w.advance(milliseconds(6'000));
  CHECK(w.joins["n4"].number == 2);
  CHECK(w.joins["n5"].number == 3);  // through n4, which is no leader
}

TEST_CASE("join: a member that does not lead passes the request on") {
  three w;
  w.join("n4", {"n3:1"});
  w.advance(milliseconds(2'000));
  CHECK(w.joins["n4"].number == 4);
}

TEST_CASE("join: a leader that cannot commit lets nobody in, yet") {
  cluster_world w;
  w.uncommitted = true;
  w.join("n2", {"n1:1"});
  w.advance(milliseconds(9'000));
  CHECK(w.joins["n2"].number == 0);
  CHECK(w.group().learners.empty());
  w.uncommitted = false;
  w.advance(milliseconds(7'000));
  CHECK(w.joins["n2"].number == 2);
}

TEST_CASE("join: a log has begun once its configuration is on disk, not before") {
  cluster_world w;
  w.run();
  w.unsynced = true;
  w.join("n2", {"n1:1"});
  w.advance(milliseconds(3'000));
  CHECK(w.joins["n2"].number == 2);
  CHECK_FALSE(w.begun.contains("n2"));  // a crash now leaves an empty log: no reason to refuse it
  w.unsynced = false;
  w.advance(milliseconds(500));
  CHECK(w.begun.contains("n2"));
}

TEST_CASE("join: lost answers and failed changes make one member, not two") {
  cluster_world w;
  w.change_failures = {errc::unavailable, errc::outcome_unknown, errc::none};
  w.network.drop("n1", "n2", 1);
  w.join("n2", {"n1:1"});
  w.advance(milliseconds(12'000));
  CHECK(w.joins["n2"].number == 2);
  CHECK(context_of(w.group())->members.size() == 2);
}

TEST_CASE("join: a wiped node under its old id is refused for good, with what to do") {
  three w;
  w.end("n2");
  w.join("n2", {"n1:1"}, "a-new-disk");
  w.advance(milliseconds(2'000));
  CHECK(w.joins["n2"].code == errc::already_exists);
  CHECK(w.joins["n2"].detail.find("cairn cluster remove n2") != std::string::npos);
  CHECK(w.done(w.ask("n3", remove("n2"))).code == errc::none);
  w.join("n2", {"n3:1"}, "a-new-disk");
  w.advance(milliseconds(2'000));
  CHECK(w.joins["n2"].number == 4);
}

TEST_CASE("cluster: a member that comes back elsewhere is found there, with its role") {
  three w;
  w.end("n3");
  CHECK(w.seen_by("n1")->members[2].linked == false);
  auto moved = member("n3");
  moved.http = "elsewhere:80";
  moved.zone = "west";
  w.start("n3", 3, moved);
  w.advance(milliseconds(3'000));
  CHECK(context_of(w.group())->by_number(3)->http == "elsewhere:80");
  CHECK(w.group().voters.size() == 3);
  CHECK(w.seen_by("n1")->members[2].zone == "west");
}

TEST_CASE("cluster: removing works from any node, and the removed one learns of it") {
  three w;
  const auto removed = w.done(w.ask("n2", remove("n3")));
  CHECK(removed.code == errc::none);
  CHECK(removed.leader == "n1");
  CHECK(w.names(w.group().voters) == names{"n1", "n2"});
  CHECK(w.done(w.ask("n1", remove("n3"))).code == errc::not_found);
  // Its replica hears nothing any more; some time later it asks.
  CHECK(w.unready("n3").empty());
  w.end("n3");
  w.hints = {"n2:1"};
  w.start("n3", 3);
  w.advance(milliseconds(8'000));
  CHECK(w.unready("n3") == "this node was removed from its cluster");
  CHECK(w.done(w.ask("n3", remove("n1"))).code == errc::unavailable);
  CHECK(w.group().voters.size() == 2);
}

TEST_CASE("cluster: a leader that is to be removed hands the lead over first") {
  three w;
  const auto removed = w.done(w.ask("n1", remove("n1")), milliseconds(5'000));
  CHECK(removed.code == errc::none);
  CHECK(w.names(w.group().voters) == names{"n2", "n3"});
  CHECK(w.seen_by("n2")->leader == w.seen_by("n3")->leader);
  CHECK(w.seen_by("n2")->leader != "n1");
}

TEST_CASE("cluster: the same, asked of another node") {
  three w;
  CHECK(w.done(w.ask("n3", remove("n1")), milliseconds(5'000)).code == errc::none);
  CHECK(w.names(w.group().voters) == names{"n2", "n3"});
}

TEST_CASE("cluster: the last voter stays, and says why") {
  cluster_world w;
  w.run();
  const auto refused = w.done(w.ask("n1", remove("n1")));
  CHECK(refused.code == errc::invalid_argument);
  CHECK(says(refused, "last voter"));
}

TEST_CASE("cluster: changes wait for each other and for a quorum, and run out of time honestly") {
  three w;
  w.uncommitted = true;
  auto impatient = remove("n2");
  impatient.timeout_ms = 1'000;
  const auto first = w.ask("n1", impatient);
  const auto second = w.ask("n2", remove("n3"));
  w.advance(milliseconds(1'500));
  CHECK(w.done(first).code == errc::unavailable);
  CHECK(says(w.done(first), "quorum"));
  CHECK(w.answers.count(second) == 0);
  w.uncommitted = false;
  CHECK(w.done(second).code == errc::none);
  CHECK(w.names(w.group().voters) == names{"n1", "n2"});
}

TEST_CASE("cluster: without a leader a change is refused at its deadline, and not done later") {
  three w;
  w.set_leader(0);
  w.run();
  auto wish = remove("n2");
  wish.timeout_ms = 500;
  const auto asked = w.ask("n3", wish);
  CHECK(w.done(asked).code == errc::unavailable);
  CHECK(says(w.answers[asked], "no leader"));
  w.set_leader(1);
  w.advance(milliseconds(2'000));
  CHECK(w.group().voters.size() == 3);
}

TEST_CASE("cluster: the lead goes to whom is asked for, if that can lead") {
  three w;
  w.absent.insert(4);
  w.join("n4", {"n1:1"});
  w.advance(milliseconds(2'000));
  const auto moved = w.done(w.ask("n3", lead("n2")));
  CHECK(moved.code == errc::none);
  CHECK(moved.changed);
  CHECK(moved.leader == "n2");
  const auto again = w.done(w.ask("n3", lead("n2")));
  CHECK(again.code == errc::none);
  CHECK_FALSE(again.changed);
  CHECK(w.done(w.ask("n1", lead("n9"))).code == errc::not_found);
  CHECK(w.done(w.ask("n1", lead("n3", "other"))).code == errc::not_found);
  const auto learner = w.done(w.ask("n1", lead("n4")));
  CHECK(learner.code == errc::invalid_argument);
  CHECK(says(learner, "learner"));
  w.absent.insert(3);
  const auto dead = w.done(w.ask("n1", lead("n3")));
  CHECK(dead.code == errc::unavailable);
  CHECK(w.done(w.ask("n1", lead(""))).leader == "n1");
}

TEST_CASE("cluster: a waiting node is added by hand") {
  three w;
  w.join("n4", {});
  w.advance(milliseconds(500));
  REQUIRE_FALSE(w.progress["n4"].empty());
  CHECK(w.progress["n4"].front() == "waiting to be added: cairn cluster add n4 n4:1");
  const auto added = w.done(w.ask("n2", add("n4", "n4:1")));
  CHECK(added.code == errc::none);
  CHECK(added.changed);
  CHECK(w.joins["n4"].number == 4);
  const auto again = w.done(w.ask("n1", add("n4", "n4:1")));
  CHECK(again.code == errc::none);
  CHECK_FALSE(again.changed);
  CHECK(w.done(w.ask("n1", add("n4", "n9:1"))).code == errc::already_exists);
  auto nobody = add("n5", "n5:1");
  nobody.timeout_ms = 1'000;
  const auto refused = w.done(w.ask("n1", nobody));
  CHECK(refused.code == errc::unavailable);
  CHECK(says(refused, "no waiting node answers at n5:1"));
}

TEST_CASE("cluster: who was added by hand is not dialled any more once it has left") {
  three w;
  w.join("n4", {});
  w.advance(milliseconds(500));
  REQUIRE(w.done(w.ask("n2", add("n4", "n4:1"))).code == errc::none);
  CHECK(w.network.hub("n2").linked("n4"));
  REQUIRE(w.done(w.ask("n1", remove("n4"))).code == errc::none);
  w.end("n4");
  CHECK_FALSE(w.network.hub("n4").linked("n1"));  // something else listens at its address now
  CHECK_FALSE(w.network.hub("n4").linked("n2"));
}

TEST_CASE("cluster: of two that add one node, the one who gives up takes nothing from the other") {
  three w;
  auto soon = add("n4", "n4:1");
  soon.timeout_ms = 500;
  auto patient = soon;
  patient.timeout_ms = 10'000;
  const auto first = w.ask("n2", soon);
  const auto second = w.ask("n2", patient);
  CHECK(w.done(first).code == errc::unavailable);
  w.join("n4", {});
  CHECK(w.done(second, milliseconds(10'000)).code == errc::none);
}

TEST_CASE("cluster: addresses given at the start are dialled only while there is no leader") {
  three w;
  w.end("n3");
  w.hints = {"n9:1"};
  w.set_leader(0);
  w.start("n3", 3);
  w.advance(milliseconds(4'000));
  CHECK(w.network.hub("n9").linked("n3"));
  w.set_leader(1);
  w.advance(milliseconds(1'000));
  CHECK_FALSE(w.network.hub("n9").linked("n3"));
}

TEST_CASE("cluster: links follow a configuration that takes the place of another one") {
  three w;
  auto config = w.group();
  REQUIRE(w.seen_by("n1")->members.size() == 3);
  std::erase(config.voters, raft::node_id(3));
  w.overwrite(config);
  w.run();
  CHECK(w.seen_by("n1")->members.size() == 2);
  CHECK(w.seen_by("n2")->members.size() == 2);
}

TEST_CASE("cluster: silence removes nobody") {
  three w;
  w.network.isolate("n3");
  w.absent.insert(3);
  w.advance(milliseconds(120'000));
  CHECK(w.group().voters.size() == 3);
  CHECK(w.unready("n3").empty());
  w.network.heal();
  w.absent.clear();
  w.advance(milliseconds(3'000));
  CHECK(w.seen_by("n1")->members[2].linked);
}

}  // namespace
}  // namespace cairn::testing
