#include "actors/entry_times.hpp"

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::actors;

namespace {

std::string name_of(raft::node_id node) {
  return "n" + std::to_string(node.value());
}

raft::configuration group_of(std::uint64_t voters, std::uint64_t learners = 0) {
  raft::configuration out;
  for (std::uint64_t i = 1; i <= voters; ++i)
    out.voters.push_back(raft::node_id(i));
  for (std::uint64_t i = 1; i <= learners; ++i)
    out.learners.push_back(raft::node_id(voters + i));
  return out;
}

struct world {
  std::shared_ptr<append_times> counted = std::make_shared<append_times>();
  entry_times times{counted};
  std::uint64_t term = 1;

  void lead(const raft::configuration& members) {
    times.lead(term_id(term), raft::node_id(1), members, name_of);
  }
  void propose(std::uint64_t index, std::uint64_t now_ns, std::uint32_t appends = 1) {
    times.proposed({{.index = log_index(index), .appends = appends, .received_ns = now_ns - 5}},
                   now_ns);
  }
  void ack(std::uint64_t node, std::uint64_t index, std::uint64_t now_ns) {
    times.acknowledged(raft::node_id(node), log_index(index), now_ns);
  }
  [[nodiscard]] time_totals stage(append_stage which) const {
    return counted->stages()[static_cast<std::size_t>(which)];
  }
  [[nodiscard]] std::optional<entry_way> way(std::uint64_t index) const {
    return times.way_of(log_index(index), term_id(term));
  }
};

}  // namespace

TEST_CASE("entry times: an entry's way through a group of three, point by point") {
  world w;
  w.lead(group_of(3));
  w.propose(7, 1'000, 4);
  w.times.sent(raft::node_id(2), log_index(7), log_index(7), 1'100);
  w.times.sent(raft::node_id(3), log_index(7), log_index(7), 1'110);
  w.times.persisted(log_index(7), log_index(7), {1'200, 1'300, 1'700});
  w.ack(2, 7, 2'000);
  w.times.committed(log_index(7), 2'050);
  w.times.published(log_index(7), 2'060);
  w.times.answered(log_index(7), 2'070);
  w.ack(3, 7, 2'500);

  const auto way = w.way(7);
  REQUIRE(way);
  CHECK(way->entry.appends == 4);
  CHECK(way->entry.received_ns == 995);
  CHECK(way->proposed_ns == 1'000);
  CHECK(way->write.begun_ns == 1'200);
  CHECK(way->write.synced_ns == 1'700);
  CHECK(way->quorum_ns == 2'000);
  CHECK(way->committed_ns == 2'050);
  CHECK(way->published_ns == 2'060);
  CHECK(way->answered_ns == 2'070);
  REQUIRE(way->peers.size() == 2);
  CHECK(way->peers[0].node == raft::node_id(2));
  CHECK(way->peers[0].sent_ns == 1'100);
  CHECK(way->peers[0].acked_ns == 2'000);
  CHECK(way->peers[1].acked_ns == 2'500);

  // Four appends in the entry: each stage has four observations of the same length.
  CHECK(w.stage(append_stage::write).count() == 4);
  CHECK(w.stage(append_stage::write).sum_ns == 4 * 100);
  CHECK(w.stage(append_stage::sync).sum_ns == 4 * 400);
  CHECK(w.stage(append_stage::replicate).sum_ns == 4 * 1'000);
  CHECK(w.stage(append_stage::commit).sum_ns == 4 * 1'050);
  CHECK(w.stage(append_stage::answer).sum_ns == 4 * 20);
  CHECK(w.counted->peers().at("n2").sum_ns == 4 * 1'000);
  CHECK(w.counted->peers().at("n3").sum_ns == 4 * 1'500);
}

TEST_CASE("entry times: replicate ends with the voter that makes the quorum, and counts once") {
  world w;
  w.lead(group_of(5, 1));
  w.propose(1, 1'000);
  w.ack(6, 1, 1'100);  // a learner
  w.ack(2, 1, 1'200);
  w.ack(2, 1, 1'250);  // again
  CHECK(w.stage(append_stage::replicate).count() == 0);
  w.ack(3, 1, 1'300);
  CHECK(w.stage(append_stage::replicate).sum_ns == 300);
  w.ack(4, 1, 1'400);
  w.ack(5, 1, 1'500);
  CHECK(w.stage(append_stage::replicate).count() == 1);
  CHECK(w.counted->peers().size() == 5);
}

TEST_CASE("entry times: a node alone replicates nothing, and commits") {
  world w;
  w.lead(group_of(1));
  w.propose(1, 1'000);
  w.times.persisted(log_index(1), log_index(1), {1'010, 1'020, 1'030});
  w.times.committed(log_index(1), 1'040);
  w.times.answered(log_index(1), 1'050);
  CHECK(w.stage(append_stage::replicate).count() == 0);
  CHECK(w.stage(append_stage::commit).sum_ns == 40);
  CHECK(w.stage(append_stage::answer).sum_ns == 10);
}

TEST_CASE("entry times: one acknowledgement, one commit and one write can cover many entries") {
  world w;
  w.lead(group_of(3));
  for (std::uint64_t i = 1; i <= 10; ++i)
    w.propose(i, 1'000 + i);
  w.times.persisted(log_index(3), log_index(5), {2'000, 2'001, 2'002});
  CHECK(w.stage(append_stage::write).count() == 3);
  CHECK(w.way(2)->write.begun_ns == 0);
  w.ack(2, 6, 3'000);
  CHECK(w.stage(append_stage::replicate).count() == 6);
  w.ack(2, 4, 3'100);  // late
  w.ack(2, 10, 3'200);
  CHECK(w.stage(append_stage::replicate).count() == 10);
  w.times.committed(log_index(6), 3'300);
  w.times.committed(log_index(10), 3'400);
  CHECK(w.stage(append_stage::commit).count() == 10);
  CHECK(w.way(6)->committed_ns == 3'300);
  CHECK(w.way(7)->committed_ns == 3'400);
}

TEST_CASE("entry times: the ring forgets the oldest and never speaks of one entry for another") {
  world w;
  w.lead(group_of(3));
  const std::uint64_t last = 3 * entry_times::k_entries_max + 5;
  for (std::uint64_t i = 1; i <= last; ++i)
    w.propose(i, 1'000 + i);
  CHECK_FALSE(w.way(last - entry_times::k_entries_max));
  REQUIRE(w.way(last - entry_times::k_entries_max + 1));
  CHECK(w.way(last)->proposed_ns == 1'000 + last);
  w.times.committed(log_index(last), 90'000);
  CHECK(w.stage(append_stage::commit).count() == entry_times::k_entries_max);
  CHECK_FALSE(w.times.way_of(log_index(last), term_id(2)));
  CHECK_FALSE(w.times.way_of(log_index(0), term_id(1)));
  CHECK_FALSE(w.way(last + 1));
}

TEST_CASE(
    "entry times: what another lead has proposed is not counted, nor by whom it was followed") {
  world w;
  w.lead(group_of(3));
  w.propose(4, 1'000);
  w.times.follow();
  w.ack(2, 4, 2'000);
  w.times.committed(log_index(4), 2'000);
  w.times.answered(log_index(4), 2'000);
  CHECK(w.stage(append_stage::commit).count() == 0);
  CHECK(w.way(4)->committed_ns == 0);  // a trace may still ask for it
  w.term = 3;
  w.lead(group_of(3));
  CHECK_FALSE(w.times.way_of(log_index(4), term_id(1)));
  w.propose(9, 5'000);
  w.ack(2, 9, 6'000);
  w.times.committed(log_index(9), 6'000);
  CHECK(w.stage(append_stage::commit).count() == 1);
  CHECK(w.way(9)->committed_ns == 6'000);
}

TEST_CASE("entry times: members come and go while entries are under way") {
  world w;
  w.lead(group_of(3));
  w.propose(1, 1'000);
  w.ack(2, 1, 1'500);
  auto grown = group_of(3, 1);
  w.lead(grown);
  w.propose(2, 2'000);
  w.ack(4, 2, 2'600);
  REQUIRE(w.way(2)->peers.size() == 3);
  CHECK(w.way(2)->peers[2].acked_ns == 2'600);
  CHECK(w.way(1)->peers[0].acked_ns == 1'500);
  w.ack(9, 2, 2'700);  // a stranger
  w.lead(group_of(2));
  REQUIRE(w.way(2)->peers.size() == 1);
  CHECK(w.way(1)->peers[0].acked_ns == 1'500);
}

TEST_CASE("entry times: of a large group all acknowledgements count, and some have times") {
  world w;
  w.lead(group_of(11));
  w.propose(1, 1'000);
  for (std::uint64_t node = 11; node >= 2; --node)
    w.ack(node, 1, 2'000 + 12 - node);
  CHECK(w.stage(append_stage::replicate).count() == 1);
  CHECK(w.way(1)->quorum_ns == 2'005);
  CHECK(w.way(1)->peers.size() == entry_times::k_peers_max);
  CHECK(w.counted->peers().size() == 10);
}
