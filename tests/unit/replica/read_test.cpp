// Linearizable reads, waiting readers, membership and the lead.

#include "tests/unit/replica/trio.hpp"

namespace cairn::testing {

constexpr std::uint64_t k_never = UINT64_MAX;

TEST_CASE("barrier: says the end that the leader had, once it is visible here") {
  replica_group group(3);
  replica_host& leader = group.elect();
  replica_host& host = group.follower();
  host.it.barrier(1, 1, k_never);
  group.deliver();
  REQUIRE(host.barriers.contains(1));
  CHECK(host.barriers[1].code == errc::none);
  CHECK(host.barriers[1].end == record_offset(0));
  leader.it.append(1, {item_of(1), item_of(2)});
  group.deliver();
  host.it.barrier(1, 2, k_never);
  leader.it.barrier(1, 3, k_never);
  group.deliver();
  CHECK(host.barriers[2].end == record_offset(2));
  CHECK(leader.barriers[3].end == record_offset(2));
}

TEST_CASE("barrier: a leader that is cut off confirms nothing") {
  replica_group group(3);
  replica_host& leader = group.elect();
  group.isolate(group.number_of(leader));
  leader.it.barrier(1, 1, k_never);
  group.tick(10);
  CHECK(leader.barriers.empty());
  group.tick(60);
  REQUIRE(leader.barriers.contains(1));
  CHECK(leader.barriers[1].code == errc::unavailable);
}

TEST_CASE("barrier: waits for a leader, but not beyond its time") {
  replica_group group(3);
  group[1].it.barrier(1, 1, 100'000'000);
  group[1].it.barrier(1, 2, k_never);
  group.tick(4);
  REQUIRE(group[1].barriers.contains(1));
  CHECK(group[1].barriers[1].code == errc::unavailable);
  group.elect();
  group.tick(2);
  REQUIRE(group[1].barriers.contains(2));
  CHECK(group[1].barriers[2].code == errc::none);
}

TEST_CASE("barrier: a lone voter needs nobody") {
  replica_host host(1, 1);
  host.run();
  host.it.append(1, {item_of(1)});
  host.it.barrier(1, 1, k_never);
  host.run();
  REQUIRE(host.barriers.contains(1));
  CHECK(host.barriers[1].code == errc::none);
}

TEST_CASE("await: told once the end is beyond, unless an answer said so") {
  replica_group group(3);
  replica_host& leader = group.elect();
  leader.it.await(1, record_offset(0));
  leader.it.await(2, record_offset(0));
  leader.it.await(3, record_offset(0));
  leader.it.await(3, record_offset(5));  // replaces the one before
  leader.run();
  CHECK(leader.advanced.empty());
  leader.it.append(1, {item_of(1)});
  group.deliver();
  CHECK(leader.advanced == std::set<actors::client_token>{2});
}

TEST_CASE("requests: a learner is added, and the lead is handed over") {
  replica_group group(3);
  replica_host& leader = group.elect();
  leader.it.change_membership(1, {{raft::member_change::action::add_learner, raft::node_id(4)}},
                              shared_bytes::copy_of(as_byte_span("names")));
  group.deliver();
  REQUIRE(leader.requests.size() == 1);
  CHECK(leader.requests[0].code == errc::none);
  CHECK(group.follower().it.members().context.text() == "names");
  replica_host& target = group.follower();
  leader.it.transfer(2, raft::node_id(group.number_of(target)));
  leader.it.transfer(3, raft::node_id(group.number_of(target)));
  leader.it.append(1, {item_of(1)});  // waits for who leads next
  group.tick(4);
  CHECK(target.it.leads());
  REQUIRE(leader.requests.size() == 3);
  CHECK(leader.requests[1].id == 3);
  CHECK(leader.requests[1].code == errc::unavailable);
  CHECK(leader.requests[2].id == 2);
  CHECK(leader.requests[2].code == errc::none);
  CHECK(leader.code(1) == errc::none);
}

TEST_CASE("requests: a node that does not lead refuses them") {
  replica_group group(3);
  group.elect();
  replica_host& host = group.follower();
  host.it.change_membership(1, {{raft::member_change::action::remove, raft::node_id(1)}}, {});
  host.it.transfer(2, raft::node_id(1));
  host.run();
  REQUIRE(host.requests.size() == 2);
  CHECK(host.requests[0].code == errc::unavailable);
  CHECK(host.requests[1].code == errc::unavailable);
}

TEST_CASE("publish: what was on disk at the start is shown once the group says so") {
  raft::boot_state boot = replica_host::boot_of(3);
  boot.last = log_index(5);
  boot.next_offset = record_offset(40);
  replica_random random(1);
  actors::replica it(replica_host::config_of(1), boot, random);
  it.receive(raft::node_id(2),
             {raft::node_id(2), raft::node_id(1), term_id(1),
              raft::append_request{{log_index(5), term_id(1)}, {}, log_index(3)}});
  CHECK_FALSE(it.take().publish.has_value());  // the offset behind entry 3 is not known
  it.receive(raft::node_id(2),
             {raft::node_id(2), raft::node_id(1), term_id(1),
              raft::append_request{{log_index(5), term_id(1)}, {}, log_index(5)}});
  CHECK(it.take().publish == record_offset(40));
}

TEST_CASE("snapshot: a follower that lacks what is gone starts where the leader's log starts") {
  replica_group group(3);
  replica_host& leader = group.elect();
  const std::uint64_t lost = group.number_of(group.follower());
  group.isolate(lost);
  leader.it.append(1, {item_of(1)});
  group.tick(2);
  leader.it.append(1, {item_of(2)});
  group.tick(2);
  const auto& log = leader.it.core().log();
  const unix_ms start_time = 1'700'000'123'456;
  leader.it.log_trimmed(raft::prior(log.last_index()), record_offset(1), start_time);
  const std::string state(leader.it.sessions().state().text());
  group.heal(lost);
  group.tick(20);
  CHECK(group[lost].it.range().lowest == record_offset(1));
  CHECK(group[lost].published == record_offset(2));
  bool installed = false;
  for (const auto& batch : group[lost].writes) {
    if (!batch->install) continue;
    installed = batch->install->state.text() == state;
    CHECK(batch->install->last_timestamp_ms == start_time);
  }
  CHECK(installed);
}

TEST_CASE("start: what is known to be committed is shown before anybody is heard, the rest after") {
  raft::boot_state boot = replica_host::boot_of(3);
  boot.last = log_index(6);
  boot.next_offset = record_offset(9);
  boot.committed = log_index(4);
  boot.committed_offset = record_offset(5);
  replica_random random(2);
  actors::replica it(replica_host::config_of(2), boot, random);
  CHECK(it.range().next == record_offset(5));
  CHECK(it.core().commit_index() == log_index(4));
  const auto first = it.take();
  CHECK_FALSE(first.publish);  // readers see it already
  CHECK(first.range.next == record_offset(5));
  raft::message told;
  told.from = raft::node_id(1);
  told.to = raft::node_id(2);
  told.term = term_id(1);
  told.body = raft::heartbeat_request{log_index(6), 1, false, {}};
  it.receive(raft::node_id(1), told);
  const auto then = it.take();
  REQUIRE(then.publish);
  CHECK(*then.publish == record_offset(9));
  CHECK(then.publish_last == log_index(6));
}

TEST_CASE("start: a lone voter knows more than what was known to be committed") {
  raft::boot_state boot = replica_host::boot_of(1);
  boot.last = log_index(6);
  boot.next_offset = record_offset(9);
  boot.committed = log_index(4);
  boot.committed_offset = record_offset(5);
  replica_random random(1);
  actors::replica it(replica_host::config_of(1), boot, random);
  const auto first = it.take();
  REQUIRE(first.publish);
  CHECK(*first.publish == record_offset(9));
}

}  // namespace cairn::testing
