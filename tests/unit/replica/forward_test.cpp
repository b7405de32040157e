// Appends that reach a node which does not lead.

#include "tests/unit/replica/trio.hpp"

namespace cairn::testing {

TEST_CASE("forward: a follower's append is stored by the leader and visible where it was made") {
  replica_group group(3);
  group.elect();
  replica_host& host = group.follower();
  host.it.append(7, {item_of(1), item_of(2)});
  group.deliver();
  REQUIRE(host.answer(1, 7) != nullptr);
  CHECK(host.answer(1, 7)->code == errc::none);
  CHECK(host.answer(2, 7)->offset == record_offset(1));
  CHECK(host.last_outcomes.replicas == 3);
  CHECK(host.last_outcomes.durable_on >= 2);
  CHECK(host.published == record_offset(2));
  CHECK(host.released_appends == 2);
}

TEST_CASE("forward: the leader judges an expected offset") {
  replica_group group(3);
  replica_host& leader = group.elect();
  leader.it.append(1, {item_of(1)});
  group.deliver();
  replica_host& host = group.follower();
  host.it.append(1, {conditional(1, 0), conditional(2, 1)});
  group.deliver();
  CHECK(host.code(1) == errc::expected_offset_missed);
  CHECK(host.answer(1)->offset == record_offset(1));
  CHECK(host.code(2) == errc::none);
}

TEST_CASE("forward: a link that is lost leaves the outcome unknown") {
  replica_group group(3);
  replica_host& leader = group.elect();
  replica_host& host = group.follower();
  host.it.append(1, {item_of(1)});
  host.run();
  host.forwards.clear();  // on its way when the link breaks
  host.it.link_changed(raft::node_id(group.number_of(leader)), false);
  host.run();
  CHECK(host.code(1) == errc::outcome_unknown);
}

TEST_CASE("forward: what was not sent is tried again") {
  replica_group group(3);
  replica_host& leader = group.elect();
  replica_host& host = group.follower();
  host.it.append(1, {item_of(1)});
  host.run();
  REQUIRE(host.forwards.size() == 1);
  host.it.appends_dropped(host.forwards[0].to, host.forwards[0].appends.batch);
  host.forwards.clear();
  host.run();
  CHECK(host.forwards.empty());
  CHECK(host.answer(1) == nullptr);
  group.tick();
  CHECK(host.code(1) == errc::none);
  CHECK(leader.it.range().next == record_offset(1));
}

TEST_CASE("forward: a leader that is dead for good ends the wait") {
  replica_group group(3);
  replica_host& leader = group.elect();
  replica_host& host = group.follower();
  host.it.append(1, {item_of(1)});
  host.run();
  host.forwards.clear();                  // it has reached the leader, which says nothing more
  group.cut = {group.number_of(leader)};  // and nobody is told of a lost link
  group.tick(60);
  CHECK(host.code(1) == errc::outcome_unknown);
}

TEST_CASE("forward: an append without an answer wakes a sleeping group, which elects another") {
  replica_group group(3, 10);
  replica_host& leader = group.elect();
  group.tick(20);
  for (std::uint64_t i = 1; i <= 3; ++i)
    REQUIRE(group[i].it.core().quiesced());
  group.cut = {group.number_of(leader)};  // stopped: its links stay up
  replica_host& host = group.follower();
  host.it.append(1, {item_of(1)});
  host.run();
  REQUIRE(host.forwards.size() == 1);
  host.forwards.clear();  // on its way when the leader was stopped
  group.tick(60);
  CHECK(host.code(1) == errc::outcome_unknown);
  const auto now_leads = host.it.core().leader();
  CHECK(now_leads != raft::k_nobody);
  CHECK(now_leads != raft::node_id(group.number_of(leader)));
}

TEST_CASE("forward: a node that does not lead refuses, and the sender goes on to who does") {
  replica_group group(3);
  replica_host& old = group.elect();
  const std::uint64_t old_number = group.number_of(old);
  replica_host& host = group.follower();
  host.it.append(1, {item_of(1)});
  host.run();
  const auto to_old = std::exchange(host.forwards, {});
  REQUIRE(to_old.size() == 1);
  REQUIRE(to_old[0].to == raft::node_id(old_number));
  group.isolate(old_number);
  group.tick(60);
  CHECK(host.code(1) == errc::outcome_unknown);  // the link was lost
  // The same at a node that has never led.
  group.heal(old_number);
  group.tick(10);
  CHECK_FALSE(old.it.leads());
  old.it.receive(raft::node_id(group.number_of(host)), to_old[0].appends);
  old.run();
  REQUIRE(old.outcomes_out.size() == 1);
  CHECK(old.outcomes_out[0].outcomes.outcomes.items[0].code == errc::unavailable);
  host.it.append(1, {item_of(2)});
  group.deliver();
  CHECK(host.code(2) == errc::none);
}

TEST_CASE("forward: outcomes of an earlier life, of another node, or twice, change nothing") {
  replica_group group(3);
  replica_host& leader = group.elect();
  replica_host& host = group.follower();
  const raft::node_id leader_id(group.number_of(leader));
  host.it.append(1, {item_of(1)});
  host.run();
  const auto sent = std::exchange(host.forwards, {});
  wire::forwarded_outcomes answer{host.it.incarnation() + 1, sent[0].appends.batch, {}, leader_id};
  answer.outcomes.items.resize(1);
  answer.outcomes.items[0].code = errc::disk_full;
  host.it.receive(leader_id, answer);
  answer.incarnation = host.it.incarnation();
  host.it.receive(raft::node_id(9), answer);
  answer.outcomes.items[0].id = 5;  // no such item
  host.it.receive(leader_id, answer);
  host.run();
  CHECK(host.answer(1) == nullptr);
  answer.outcomes.items[0].id = 0;
  host.it.receive(leader_id, answer);
  host.it.receive(leader_id, answer);
  host.run();
  CHECK(host.code(1) == errc::disk_full);
}

TEST_CASE("forward: a leader takes only so much of other nodes") {
  replica_group group(3);
  replica_host& leader = group.elect();
  const raft::node_id other(group.number_of(group.follower()));
  group.cut = {1, 2, 3};
  wire::forwarded_appends many{1, 1, {}};
  for (int i = 0; i < 3; ++i) {
    wire::forwarded_append item;
    item.payload = shared_bytes::copy_of(std::vector<std::byte>(30 * k_mib_bytes));
    item.record_count = 1;
    item.remaining_ms = 1'000;
    many.items.push_back(std::move(item));
  }
  leader.it.receive(other, many);
  leader.run();
  REQUIRE(leader.outcomes_out.size() == 1);
  CHECK(leader.outcomes_out[0].outcomes.outcomes.items.size() == 1);
  CHECK(leader.outcomes_out[0].outcomes.outcomes.items[0].code == errc::overloaded);
}

}  // namespace cairn::testing
