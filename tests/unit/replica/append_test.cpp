// Appends on the leader.

#include "tests/unit/replica/trio.hpp"

namespace cairn::testing {

TEST_CASE("replica: a lone voter leads at once and publishes what it has") {
  replica_host host(1, 1);
  host.run();
  CHECK(host.it.leads());
  host.it.append(1, {item_of(1), item_of(2)});
  host.run();
  CHECK(host.code(1) == errc::none);
  CHECK(host.answer(2)->offset == record_offset(1));
  CHECK(host.last_outcomes.durable_on == 1);
  CHECK(host.last_outcomes.replicas == 1);
  CHECK(host.published == record_offset(2));
  CHECK(host.released_appends == 2);
  CHECK(host.released_bytes == 20);
}

TEST_CASE("replica: what comes during a write becomes one entry of the next") {
  replica_host host(1, 1);
  host.run();
  host.hold_writes = true;
  host.it.append(1, {item_of(1)});
  host.run();
  for (actors::request_id id = 2; id <= 9; ++id) {
    host.it.append(1, {item_of(id)});
    host.run();
  }
  CHECK(host.writing->entries.size() == 1);
  CHECK(host.answers.empty());
  host.finish_write();
  host.run();
  CHECK(host.code(1) == errc::none);
  REQUIRE(host.writing);
  REQUIRE(host.writing->entries.size() == 1);
  CHECK(host.writing->entries[0].record_count == 8);
  CHECK(host.writing->entries[0].payload.size() == 80);
  host.finish_write();
  host.run();
  CHECK(host.answer(9)->offset == record_offset(8));
}

TEST_CASE("replica: an append is acknowledged once a quorum has it, with the voters counted") {
  replica_group group(3);
  replica_host& leader = group.elect();
  leader.it.append(1, {item_of(1)});
  group.deliver();
  CHECK(leader.code(1) == errc::none);
  CHECK(leader.last_outcomes.replicas == 3);
  CHECK(leader.last_outcomes.durable_on >= 2);
  group.tick(2);
  for (std::uint64_t n = 1; n <= 3; ++n)
    CHECK(group[n].published == record_offset(1));
}

TEST_CASE("replica: a committed append waits for its own node two ticks at most") {
  replica_group group(3);
  replica_host& leader = group.elect();
  leader.hold_writes = true;
  leader.it.append(1, {item_of(1)});
  group.deliver();
  CHECK(leader.it.core().commit_index() == leader.it.core().log().last_index());
  CHECK(leader.answer(1) == nullptr);
  group.tick(3);
  CHECK(leader.code(1) == errc::none);
  CHECK(leader.last_outcomes.range.next == record_offset(1));
  CHECK(leader.published == record_offset(0));
}

TEST_CASE("replica: a lost lead leaves what was proposed unknown") {
  replica_group group(3);
  replica_host& leader = group.elect();
  const std::uint64_t number = group.number_of(leader);
  group.isolate(number);
  leader.it.append(1, {item_of(1)});
  group.tick(30);
  CHECK_FALSE(leader.it.leads());
  CHECK(leader.code(1) == errc::outcome_unknown);
  CHECK(leader.released_appends == 1);
}

TEST_CASE("replica: time that runs out after the proposal makes the outcome unknown") {
  replica_group group(3);
  replica_host& leader = group.elect();
  group.isolate(group.number_of(leader));
  leader.it.append(1, {item_of(1, 10, group.now_ns / 1'000'000 + 100)});
  group.tick(4);
  CHECK(leader.it.leads());
  CHECK(leader.code(1) == errc::outcome_unknown);
}

TEST_CASE("replica: time that runs out before the proposal stores nothing") {
  replica_host host(1, 1);
  host.run();
  host.it.set_time({100'000'000, 0});
  host.it.append(1, {item_of(1, 10, 99)});
  host.run();
  CHECK(host.code(1) == errc::unavailable);
  host.hold_writes = true;
  host.it.append(1, {item_of(2)});
  host.run();
  host.it.append(1, {item_of(3, 10, 120)});  // waits behind a write that takes too long
  host.it.set_time({200'000'000, 0});
  host.it.tick();
  host.run();
  CHECK(host.code(3) == errc::unavailable);
  CHECK(host.answer(2) == nullptr);
}

TEST_CASE("replica: without a leader appends are held, then rejected") {
  replica_group group(3);
  group.cut = {2, 3};
  group[1].it.append(1, {item_of(1)});
  group.tick(30);
  CHECK(group[1].answer(1) == nullptr);
  group.tick(20);
  CHECK(group[1].code(1) == errc::unavailable);
}

TEST_CASE("replica: an append that was held is taken by the leader that comes") {
  replica_group group(3);
  group[2].it.append(1, {item_of(1)});
  group.elect();
  group.deliver();
  CHECK(group[2].code(1) == errc::none);
}

TEST_CASE("replica: an expected offset that was missed is answered once that is committed") {
  replica_group group(3);
  replica_host& leader = group.elect();
  leader.it.append(1, {item_of(1), conditional(2, 1), conditional(3, 1)});
  leader.run();
  CHECK(leader.answers.empty());
  group.deliver();
  CHECK(leader.code(1) == errc::none);
  CHECK(leader.code(2) == errc::none);
  CHECK(leader.code(3) == errc::expected_offset_missed);
}

TEST_CASE("replica: a leader that is cut off says nobody was first") {
  replica_group group(3);
  replica_host& old = group.elect();
  group.isolate(group.number_of(old));
  old.it.append(1, {item_of(1)});
  old.run();
  old.it.append(1, {conditional(2, 0)});  // the log in memory ends at 1, but that may not last
  group.tick(30);
  CHECK(old.code(1) == errc::outcome_unknown);
  CHECK(old.code(2) == errc::unavailable);
}

TEST_CASE("replica: a full disk refuses whole appends, and takes them again") {
  replica_host host(1, 1);
  host.room_bytes = 300;
  host.run();
  host.it.append(1, {item_of(1, 100), item_of(2, 1000), item_of(3, 100)});
  host.run();
  CHECK(host.code(1) == errc::none);
  CHECK(host.code(2) == errc::disk_full);
  CHECK(host.answer(2)->detail == "no room");
  CHECK(host.code(3) == errc::none);
  CHECK(host.answer(3)->offset == record_offset(1));
  host.it.append(1, {item_of(4, 1000)});
  host.run();
  CHECK(host.code(4) == errc::disk_full);
  CHECK(host.disk_full);
  host.room_bytes = 64 * k_mib_bytes;
  host.it.append(1, {item_of(5, 1000)});
  host.run();
  CHECK(host.code(5) == errc::none);
  CHECK_FALSE(host.disk_full);
}

TEST_CASE("replica: a full disk stays full, whatever squeezes in, until there is room for more") {
  replica_host host(1, 1);
  std::uint64_t now_ms = 0;
  const auto pass_seconds = [&](int count) {
    for (int i = 0; i < count * 20; ++i) {
      host.it.set_time({(now_ms += 50) * 1'000'000, static_cast<unix_ms>(now_ms)});
      host.it.tick();
      host.run();
    }
  };
  host.room_bytes = 300;
  host.run();
  CHECK_FALSE(host.disk_full);  // not all that is wanted in stock, but nothing has been refused
  pass_seconds(3);
  CHECK_FALSE(host.disk_full);
  host.it.append(1, {item_of(1, 1000)});
  host.run();
  CHECK(host.code(1) == errc::disk_full);
  CHECK(host.disk_full);
  host.changes_of_full = 0;
  for (std::uint64_t id = 2; id < 20; ++id) {
    // There is room for this one, and storage finds some more now and then.
    host.room_bytes = id % 3 == 0 ? 1 * k_mib_bytes : 300;
    host.it.append(1, {item_of(id, 100, 1'000'000)});
    host.run();
    pass_seconds(1);
  }
  CHECK(host.disk_full);
  CHECK(host.changes_of_full == 0);
  host.room_bytes = 64 * k_mib_bytes;
  pass_seconds(2);
  CHECK_FALSE(host.disk_full);
  CHECK(host.changes_of_full == 1);
}

TEST_CASE("replica: no more entries are written at once than storage has promised room for") {
  replica_host host(1, 1);
  host.room_frames = 3;
  host.run();
  std::vector<actors::append_item> items;
  for (actors::request_id id = 1; id <= 10; ++id)
    items.push_back(item_of(id, 100 * k_kib_bytes));  // too large to be merged
  host.it.append(1, std::move(items));
  host.run();
  for (actors::request_id id = 1; id <= 10; ++id)
    CHECK(host.code(id) == errc::none);
  for (const auto& write : host.writes)
    CHECK(write->entries.size() <= 3);
}

TEST_CASE("replica: an index without room is a reason to ask for room, and to refuse") {
  replica_host host(1, 1);
  host.run();
  host.room_frames = 0;
  host.it.append(1, {item_of(1)});
  host.run();  // used what was promised before
  CHECK(host.code(1) == errc::none);
  host.room_bytes = 0;
  host.it.append(1, {item_of(2)});
  host.run();
  CHECK(host.code(2) == errc::disk_full);
  host.room_bytes = 64 * k_mib_bytes;
  host.room_frames = 1;
  host.it.append(1, {item_of(3), item_of(4)});
  host.run();
  CHECK(host.code(3) == errc::none);
  CHECK(host.code(4) == errc::none);
}

TEST_CASE("replica: appends and the core's own entries are not written together") {
  replica_host host(1, 1);
  host.it.append(1, {item_of(1)});
  host.run();
  host.it.change_membership(1, {{raft::member_change::action::add_learner, raft::node_id(2)}}, {});
  host.it.append(1, {item_of(2)});
  host.run();
  CHECK(host.code(1) == errc::none);
  CHECK(host.code(2) == errc::none);
  int with_own = 0;
  for (const auto& write : host.writes) {
    const auto is_data = [](const raft::entry& e) { return e.kind == raft::entry_kind::data; };
    const auto data = std::count_if(write->entries.begin(), write->entries.end(), is_data);
    if (data < std::ssize(write->entries)) ++with_own;
    CHECK((data == 0 || data == std::ssize(write->entries)));
  }
  CHECK(with_own >= 2);
}

TEST_CASE("replica: after a large refusal a disk is full until there is room for as much") {
  replica_host host(1, 1);
  host.room_bytes = 10 * k_mib_bytes;  // more than is kept in stock
  host.run();
  host.it.append(1, {item_of(1, 20 * k_mib_bytes)});
  host.run();
  CHECK(host.code(1) == errc::disk_full);
  for (int i = 1; i <= 100; ++i) {
    host.it.set_time({i * 50'000'000ULL, 0});
    host.it.tick();
    host.run();
  }
  CHECK(host.disk_full);
  CHECK(host.changes_of_full == 1);
}

TEST_CASE(
    "replica: a follower's full disk is full until there is room again, not just for a write") {
  replica_group group(3);
  replica_host& leader = group.elect();
  replica_host& follower = group.follower();
  follower.hold_writes = true;
  follower.room_bytes = 0;
  leader.it.append(1, {item_of(1)});
  group.deliver();
  REQUIRE(follower.writing);
  follower.finish_write(errc::disk_full);
  group.deliver();
  CHECK(follower.disk_full);
  group.tick(10);  // it is tried again
  REQUIRE(follower.writing);
  follower.hold_writes = false;
  group.tick(50);
  CHECK(follower.disk_full);
  CHECK(follower.changes_of_full == 1);
  follower.room_bytes = 64 * k_mib_bytes;
  group.tick(50);
  CHECK_FALSE(follower.disk_full);
}

TEST_CASE("replica: a leader whose disk is full hands the lead over to a node that has room") {
  replica_group group(3);
  replica_host& full = group.elect();
  full.room_bytes = 0;
  // What it had in stock is used up first.
  actors::request_id id = 0;
  for (bool refused = false; !refused && id < 10;) {
    full.it.append(1, {item_of(++id, 8 << 20)});
    group.tick(2);
    refused = full.code(id) == errc::disk_full;
  }
  CHECK(full.code(id) == errc::disk_full);
  group.tick(20);
  CHECK_FALSE(full.it.leads());
  CHECK(full.requests.empty());
  full.it.append(1, {item_of(++id)});
  group.tick(4);
  CHECK(full.code(id) == errc::none);
}

TEST_CASE("replica: a leader whose disk is full hands over to a node that answers") {
  replica_group group(5);
  replica_host& full = group.elect();
  full.room_bytes = 0;
  full.it.append(1, {item_of(1)});  // what was in stock is gone with it
  group.tick(4);
  REQUIRE(full.code(1) == errc::none);
  // It lacks nothing either, so only its silence tells it from the others.
  group.isolate(group.number_of(full) == 1 ? 2 : 1);
  group.tick(30);
  REQUIRE(full.it.leads());
  full.it.append(1, {item_of(2)});
  group.tick(2);
  CHECK(full.code(2) == errc::disk_full);
  group.tick(10);
  CHECK_FALSE(full.it.leads());
}

TEST_CASE("replica: a write that finds no room is given out again, appends are refused meanwhile") {
  replica_host host(1, 1);
  host.hold_writes = true;
  host.run();
  host.finish_write();  // the vote
  host.run();
  host.finish_write(errc::disk_full);  // the leader's first entry
  host.it.append(1, {item_of(1)});
  host.run();
  CHECK(host.code(1) == errc::disk_full);
  CHECK_FALSE(host.writing);
  host.it.set_time({1'000'000'000, 0});
  host.it.tick();
  host.run();
  REQUIRE(host.writing);
  host.finish_write();
  host.run();
  host.hold_writes = false;
  host.it.append(1, {item_of(2)});
  host.run();
  CHECK(host.code(2) == errc::none);
}

TEST_CASE("replica: a failed write leaves what it held unknown and refuses the rest") {
  replica_host host(1, 1);
  host.run();
  host.hold_writes = true;
  host.it.append(1, {item_of(1)});
  host.run();
  host.it.append(1, {item_of(2)});
  host.finish_write(errc::io_error);
  host.run();
  CHECK(host.code(1) == errc::outcome_unknown);
  CHECK(host.code(2) == errc::unavailable);
  host.it.append(1, {item_of(3)});
  host.run();
  CHECK(host.code(3) == errc::unavailable);
  CHECK(host.it.fence_reason() == "the disk says no");
}

TEST_CASE("replica: closing carries out what waits and refuses what comes") {
  replica_host host(1, 1);
  host.run();
  host.hold_writes = true;
  host.it.append(1, {item_of(1)});
  host.run();
  host.it.append(1, {item_of(2)});
  host.it.close("shutting down");
  host.it.append(1, {item_of(3)});
  host.run();
  CHECK(host.code(3) == errc::unavailable);
  CHECK_FALSE(host.it.drained());
  host.hold_writes = false;
  host.run();
  CHECK(host.code(2) == errc::none);
  CHECK(host.it.drained());
}

TEST_CASE("replica: abandoned, everything has an answer") {
  replica_group group(3);
  replica_host& leader = group.elect();
  group.isolate(group.number_of(leader));
  leader.it.append(1, {item_of(1), conditional(2, 0), conditional(3, 1)});
  leader.run();
  leader.it.append(1, {item_of(4)});
  leader.it.barrier(1, 9, UINT64_MAX);
  leader.it.abandon("ended");
  leader.run();
  CHECK(leader.code(1) == errc::outcome_unknown);
  CHECK(leader.code(4) == errc::unavailable);
  CHECK(leader.answers[1].size() == 4);
  CHECK(leader.barriers.size() == 1);
  CHECK(leader.it.drained());
}

}  // namespace cairn::testing
