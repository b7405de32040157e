// Appends with an identity: exactly once, whoever leads.

#include "proto/append_stamp.hpp"
#include "tests/unit/replica/trio.hpp"

#include <string>

namespace cairn::testing {
namespace {

actors::append_item stamped(actors::request_id id, const proto::append_identity& who,
                            std::string_view body = "body", std::uint64_t deadline_ms = 10'000) {
  proto::batch_encoder encoder;
  encoder.append(as_byte_span(body), proto::value_kind::text);
  actors::append_item item = item_of(id, 1, deadline_ms);
  item.payload = proto::encode_append_stamp(who, encoder.finish());
  return item;
}

actors::append_item keyed(actors::request_id id, std::string_view key,
                          std::string_view body = "body", std::uint64_t deadline_ms = 10'000) {
  return stamped(id, proto::identity_of_key(key), body, deadline_ms);
}

actors::append_item numbered(actors::request_id id, std::uint64_t epoch, std::uint64_t seq,
                             std::string_view body = "body") {
  return stamped(id, proto::identity_of_producer("p", epoch, seq), body);
}

}  // namespace

TEST_CASE(
    "stamped: a retry gets the first receipt, another body is refused, nothing is stored twice") {
  replica_host host(1, 1);
  host.run();
  host.it.append(1, {item_of(1), keyed(2, "k"), item_of(3)});
  host.run();
  host.it.append(1, {keyed(4, "k"), keyed(5, "k", "other"), item_of(6)});
  host.run();
  CHECK_FALSE(host.answer(2)->replayed);
  REQUIRE(host.code(4) == errc::none);
  CHECK(host.answer(4)->replayed);
  CHECK(host.answer(4)->offset == host.answer(2)->offset);
  CHECK(host.answer(4)->index == host.answer(2)->index);
  CHECK(host.answer(4)->term == host.answer(2)->term);
  CHECK(host.answer(4)->timestamp_ms == host.answer(2)->timestamp_ms);
  CHECK(host.last_outcomes.replicas == 1);
  CHECK(host.code(5) == errc::key_reused);
  CHECK(host.answer(6)->offset == record_offset(3));
  CHECK(host.it.sessions().counts().replays == 1);
  CHECK(host.released_appends == 6);
}

TEST_CASE("stamped: a frame holds either appends with a stamp or appends without") {
  replica_host host(1, 1);
  host.run();
  host.hold_writes = true;
  host.it.append(1, {item_of(1), item_of(2), keyed(3, "a"), keyed(4, "b"), item_of(5)});
  host.run();
  REQUIRE(host.writing->entries.size() == 3);
  CHECK(host.writing->entries[1].record_count == 2);
  CHECK(proto::is_stamped(host.writing->entries[1].payload.span()));
}

TEST_CASE("stamped: a twin in the same group waits, and is answered with the first one's receipt") {
  replica_host host(1, 1);
  host.run();
  host.hold_writes = true;
  host.it.append(1, {keyed(1, "k"), keyed(2, "k"), keyed(3, "k", "other")});
  host.run();
  REQUIRE(host.writing);
  CHECK(host.writing->entries.size() == 1);
  CHECK(host.writing->entries[0].record_count == 1);
  CHECK(host.answers.empty());
  CHECK_FALSE(host.it.drained());
  host.it.append(1, {keyed(4, "k")});
  host.run();
  host.hold_writes = false;
  host.run();
  CHECK(host.code(1) == errc::none);
  CHECK(host.answer(2)->replayed);
  CHECK(host.code(3) == errc::key_reused);
  CHECK(host.answer(4)->replayed);
  CHECK(host.it.drained());
}

TEST_CASE("stamped: when the time of a waiting twin runs out, what became of it is unknown") {
  replica_group group(3);
  replica_host& leader = group.elect();
  leader.it.append(1, {keyed(1, "k")});
  leader.run();
  leader.hold_writes = true;
  leader.messages.clear();  // nobody else hears of it
  leader.it.append(1, {keyed(2, "k", "body", 1 + group.now_ns / 1'000'000)});
  leader.run();
  leader.it.set_time({group.now_ns + 5'000'000, 1'000});
  leader.it.tick();
  leader.run();
  CHECK(leader.code(2) == errc::outcome_unknown);
}

TEST_CASE("stamped: a producer's pipelined numbers are all taken, in order, and a gap is refused") {
  replica_host host(1, 1);
  host.run();
  host.it.append(1, {numbered(1, 1, 0), numbered(2, 1, 1), numbered(3, 1, 2), numbered(4, 1, 4),
                     numbered(5, 1, 3)});
  host.run();
  for (actors::request_id id : {1, 2, 3, 5})
    CHECK(host.code(id) == errc::none);
  REQUIRE(host.code(4) == errc::sequence_gap);
  CHECK(host.answer(4)->expected_seq == 3);
  CHECK(host.answer(5)->offset == record_offset(3));
  host.it.append(1, {numbered(6, 0, 5), numbered(7, 1, 3), numbered(8, 1, 3, "other")});
  host.run();
  CHECK(host.code(6) == errc::producer_fenced);
  CHECK(host.answer(7)->replayed);
  CHECK(host.code(8) == errc::key_reused);
  host.it.append(1, {numbered(9, 1, 4), numbered(10, 1, 5)});
  host.run();
  host.it.append(1, {numbered(11, 1, 0)});
  host.run();
  CHECK(host.code(11) == errc::sequence_too_old);
  CHECK(host.answer(11)->expected_seq == 6);
}

TEST_CASE("stamped: an append that its expected offset refuses takes no number") {
  replica_host host(1, 1);
  host.run();
  auto missed = numbered(1, 0, 0);
  missed.conditional = true;
  missed.expected_offset = record_offset(9);
  host.it.append(1, {missed, numbered(2, 0, 1), numbered(3, 0, 3)});
  host.run();
  CHECK(host.code(1) == errc::expected_offset_missed);
  CHECK(host.code(2) == errc::none);  // a beginning may be 1
  CHECK(host.code(3) == errc::sequence_gap);
  // A retry is judged by its identity first: its expected offset was right when it was stored.
  auto right = keyed(4, "k");
  right.conditional = true;
  right.expected_offset = record_offset(1);
  host.it.append(1, {right});
  host.run();
  right.id = 5;
  host.it.append(1, {right});
  host.run();
  CHECK(host.code(4) == errc::none);
  CHECK(host.answer(5)->replayed);
}

TEST_CASE("stamped: the next leader knows what was stored under the last one") {
  replica_group group(3);
  replica_host& leader = group.elect();
  leader.it.append(1, {keyed(1, "k")});
  group.tick(3);
  REQUIRE(leader.code(1) == errc::none);
  group.isolate(group.number_of(leader));
  replica_host& next = group.elect();
  next.it.append(1, {keyed(2, "k")});
  group.tick(2);
  REQUIRE(next.code(2) == errc::none);
  CHECK(next.answer(2)->replayed);
  CHECK(next.answer(2)->offset == leader.answer(1)->offset);
}

TEST_CASE("stamped: a retry through a follower is answered by the leader's table") {
  replica_group group(3);
  replica_host& leader = group.elect();
  leader.it.append(1, {keyed(1, "k")});
  group.tick(3);
  replica_host& follower = group.follower();
  follower.it.append(1, {keyed(2, "k"), numbered(3, 0, 7)});
  group.tick(3);
  REQUIRE(follower.code(2) == errc::none);
  CHECK(follower.answer(2)->replayed);
  CHECK(follower.code(3) == errc::sequence_gap);
}

TEST_CASE("stamped: what a deposed leader had not committed is forgotten with its entry") {
  replica_group group(3);
  replica_host& old = group.elect();
  const std::uint64_t number = group.number_of(old);
  group.isolate(number);
  old.it.append(1, {keyed(1, "k")});
  group.deliver();
  CHECK(old.it.sessions().pending().entries().size() == 1);
  replica_host& next = group.elect();
  next.it.append(1, {keyed(2, "k")});
  group.tick(2);
  REQUIRE(next.code(2) == errc::none);
  CHECK_FALSE(next.answer(2)->replayed);
  group.heal(number);
  group.tick(40);
  CHECK(old.it.sessions().pending().empty());
  CHECK(old.code(1) == errc::outcome_unknown);
  CHECK(old.it.sessions().state().text() == next.it.sessions().state().text());
}

TEST_CASE("stamped: a damaged stamp is the sender's fault") {
  replica_host host(1, 1);
  host.run();
  auto item = keyed(1, "k");
  item.payload = item.payload.slice(0, item.payload.size() - 1);
  auto count = keyed(2, "k");
  count.record_count = 2;
  host.it.append(1, {item, count});
  host.run();
  CHECK(host.code(1) == errc::invalid_argument);
  CHECK(host.code(2) == errc::invalid_argument);
}

TEST_CASE(
    "stamped: a follower that gets a snapshot knows what is gone, and refuses a damaged one") {
  replica_group group(3);
  replica_host& leader = group.elect();
  const std::uint64_t lost = group.number_of(group.follower());
  group.isolate(lost);
  leader.it.append(1, {keyed(1, "old")});
  group.tick(2);
  leader.it.append(1, {keyed(2, "new")});
  group.tick(2);
  const auto& log = leader.it.core().log();
  leader.it.log_trimmed(raft::prior(log.last_index()), record_offset(1), 0);
  group.heal(lost);
  group.tick(20);
  CHECK(group[lost].it.sessions().table().key_count() == 2);
  CHECK(group[lost].it.sessions().state().text() == leader.it.sessions().state().text());

  raft::snapshot content;
  content.last = {log_index(99), term_id(99)};
  content.config = leader.it.members();
  content.state = shared_bytes::copy_of(as_byte_span("not a state"));
  group[lost].it.receive(raft::node_id(group.number_of(leader)),
                         {raft::node_id(group.number_of(leader)), raft::node_id(lost), term_id(99),
                          raft::snapshot_request{content}});
  const auto out = group[lost].it.take();
  REQUIRE(out.notices.size() == 1);
  CHECK(out.notices[0].kind == raft::notice_kind::message_refused);
}

TEST_CASE("stamped: a checkpoint is asked for when storage wants to trim, and once at the end") {
  replica_host host(1, 1);
  host.run();
  host.it.append(1, {keyed(1, "k")});
  host.run();
  CHECK_FALSE(host.it.take().checkpoint);
  host.it.want_checkpoint();
  auto out = host.it.take();
  REQUIRE(out.checkpoint);
  const auto table = actors::session_table::parse(out.checkpoint->state.span());
  REQUIRE(table.ok());
  CHECK(table->applied() == out.checkpoint->index);
  CHECK(table->key_count() == 1);
  CHECK_FALSE(host.it.last_checkpoint());
  // The disk was full: the next one is tried after a while.
  host.it.checkpointed(errc::disk_full);
  host.it.want_checkpoint();
  CHECK_FALSE(host.it.take().checkpoint);
  CHECK(host.it.last_checkpoint());
  for (int i = 0; i < 20; ++i)
    host.it.tick();
  out = host.it.take();
  REQUIRE(out.checkpoint);
  host.it.checkpointed(errc::none);
  CHECK_FALSE(host.it.last_checkpoint());
}

}  // namespace cairn::testing
