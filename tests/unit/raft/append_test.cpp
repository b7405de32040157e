// The follower's side of the log, one test per claim.

#include "tests/unit/raft/group.hpp"

namespace cairn::raft {
namespace {

using testing::booted;
using testing::config_of;
using testing::nodes;
using testing::raft_node;

configuration three() {
  configuration c;
  c.voters = nodes({1, 2, 3});
  return c;
}

// Entries of one record each in a log that begins with entry 1 at offset 0.
append_request append(std::uint64_t prev_index, std::uint64_t prev_term,
                      const std::vector<std::uint64_t>& terms, std::uint64_t commit = 0) {
  append_request request;
  request.prev = {log_index(prev_index), term_id(prev_term)};
  request.commit = log_index(commit);
  for (const std::uint64_t term : terms) {
    entry e;
    e.index = log_index(++prev_index);
    e.term = term_id(term);
    e.record_count = 1;
    e.base_offset = record_offset(prev_index - 1);
    e.payload = shared_bytes::copy_of(as_byte_span("payload"));
    request.entries.push_back(std::move(e));
  }
  return request;
}

}  // namespace

TEST_CASE("append: refused when the entry before is missing or differs (paper 5.3)") {
  raft_node node(config_of(1), booted(three(), {1, 1, 2}, 3));
  node.receive(2, 3, append(5, 3, {3}));
  node.receive(2, 3, append(3, 3, {3}));
  const auto answers = node.sent<append_response>();
  REQUIRE(answers.size() == 2);
  CHECK_FALSE(answers[0].second.accepted);
  CHECK(answers[0].second.index == log_index(5));
  CHECK(answers[0].second.hint == log_position{log_index(3), term_id(2)});
  CHECK_FALSE(answers[1].second.accepted);
  CHECK(node.core.log().last_index() == log_index(3));
}

TEST_CASE("append: the hint skips all entries of later terms at once (paper 5.3)") {
  raft_node node(config_of(1), booted(three(), {1, 1, 4, 4, 4, 4}, 5));
  node.receive(2, 5, append(6, 3, {5}));
  CHECK(node.sent_one<append_response>().hint == log_position{log_index(2), term_id(1)});
}

TEST_CASE("append: a conflict removes the entry and all that follow (paper 5.3; bug 4)") {
  raft_node node(config_of(1), booted(three(), {1, 1, 2, 2, 2}, 2));
  node.receive(2, 3, append(2, 1, {3}));
  CHECK(node.core.log().last() == log_position{log_index(3), term_id(3)});
  node.write_done();  // the term
  REQUIRE(node.writing.has_value() == false);
}

TEST_CASE("append: the write of a conflict names what goes before what comes (bug 4)") {
  raft_node node(config_of(1), booted(three(), {1, 1, 2, 2, 2}, 3));
  node.receive(2, 3, append(2, 1, {3}));
  const persist_batch batch = node.write_done();
  CHECK(batch.truncate_from == log_index(3));
  REQUIRE(batch.entries.size() == 1);
  CHECK(batch.entries[0].position() == log_position{log_index(3), term_id(3)});
}

TEST_CASE("append: a late request does not shorten a log that agrees (paper 5.3; bug 3)") {
  raft_node node(config_of(1), booted(three(), {}, 2));
  node.instant_disk = true;
  node.receive(2, 2, append(0, 0, {2, 2, 2, 2}));
  node.receive(2, 2, append(0, 0, {2, 2}));
  node.receive(2, 2, append(1, 2, {}));
  CHECK(node.core.log().last_index() == log_index(4));
}

TEST_CASE("append: entries before the start of the log are no conflict (bug 3)") {
  raft_node node(config_of(1), booted(three(), {2, 2}, 2, 10, 2));
  node.instant_disk = true;
  node.receive(2, 2, append(7, 1, {2, 2, 2, 2, 2, 2}, 9));
  const auto answer = node.sent_one<append_response>();
  CHECK(answer.accepted);
  CHECK(answer.index == log_index(13));
  CHECK(node.core.log().start().index == log_index(10));
}

TEST_CASE("append: commit follows only what the request verified (paper figure 2; bug 2)") {
  raft_node node(config_of(1), booted(three(), {1, 1, 1, 1}, 2));
  node.receive(2, 2, append(2, 1, {}, 4));  // entries 3 and 4 may conflict
  CHECK(node.core.commit_index() == log_index(2));
}

TEST_CASE("append: acknowledged when durable, not before (bug 6)") {
  raft_node node(config_of(1), booted(three(), {}, 2));
  node.receive(2, 2, append(0, 0, {2, 2}));
  node.receive(2, 2, append(2, 2, {}));      // a probe of what is being written
  node.receive(2, 2, append(0, 0, {2, 2}));  // and a duplicate
  CHECK(node.sent<append_response>().empty());
  node.receive(2, 2, heartbeat_request{});
  CHECK(node.sent<heartbeat_response>().size() == 1);
  node.write_done();
  CHECK(node.sent_one<append_response>().index == log_index(2));
}

TEST_CASE("append: entries that arrive during a write go with the next one") {
  raft_node node(config_of(1), booted(three(), {}, 2));
  node.receive(2, 2, append(0, 0, {2}));
  node.receive(2, 2, append(1, 2, {2}));
  node.receive(2, 2, append(2, 2, {2}));
  CHECK(node.write_done().entries.size() == 1);
  CHECK(node.write_done().entries.size() == 2);
  CHECK(node.sent<append_response>().back().second.index == log_index(3));
}

TEST_CASE("append: a committed entry is never contradicted") {
  raft_node node(config_of(1), booted(three(), {}, 2));
  node.instant_disk = true;
  node.receive(2, 2, append(0, 0, {2, 2}, 2));
  node.receive(3, 3, append(0, 0, {3}));
  REQUIRE_FALSE(node.notices.empty());
  CHECK(node.notices.back().kind == notice_kind::message_refused);
  CHECK(node.core.log().last() == log_position{log_index(2), term_id(2)});
}

TEST_CASE("append: a configuration is in force at once, and gone when truncated (bugs 5, 28)") {
  raft_node node(config_of(1), booted(three(), {}, 2));
  node.instant_disk = true;
  configuration two = three();
  two.learners = nodes({4});
  append_request request = append(0, 0, {2, 2});
  request.entries[1].kind = entry_kind::config;
  request.entries[1].record_count = 0;
  request.entries[1].payload = encode(two);
  node.receive(2, 2, request);
  CHECK(node.core.members().learners == nodes({4}));
  node.receive(3, 3, append(1, 2, {3}));
  CHECK(node.core.members().learners.empty());
}

TEST_CASE("append: a log shorter than what it acknowledged ends the replica (bug 11)") {
  raft_node node(config_of(1), booted(three(), {2}, 2));
  node.receive(2, 2, heartbeat_request{log_index(5), 1, false, {}});
  CHECK(node.core.fenced());
  CHECK(node.notices.back().kind == notice_kind::entries_lost);
  node.receive(2, 3, vote_request{{log_index(9), term_id(2)}, false, false});
  CHECK(node.outbox.empty());
}

TEST_CASE("append: what is committed is visible once it is durable here too (bug 60)") {
  raft_node node(config_of(1), booted(three(), {}, 2));
  node.receive(2, 2, append(0, 0, {2, 2}, 2));
  CHECK(node.core.commit_index() == log_index(2));
  CHECK(node.visible == log_index(0));
  node.write_done();
  CHECK(node.visible == log_index(2));
}

TEST_CASE("append: a follower whose disk is slow takes no more than its limit") {
  raft::core_config config = config_of(1);
  config.unpersisted_bytes_max = 100;
  raft_node node(config, booted(three(), {}, 2));
  node.receive(2, 2, append(0, 0, {2, 2}));
  node.receive(2, 2, append(2, 2, {2}));  // dropped
  CHECK(node.core.log().last_index() == log_index(2));
  node.write_done();
  node.receive(2, 2, append(2, 2, {2}));
  CHECK(node.core.log().last_index() == log_index(3));
}

TEST_CASE("append: offsets must follow each other within a message and after the log") {
  raft_node node(config_of(1), booted(three(), {1, 1, 2, 2}, 3));
  append_request gap = append(2, 1, {3, 3});
  gap.entries[1].base_offset = record_offset(4);
  CHECK(malformed({node_id(2), node_id(1), term_id(3), gap}) == "offsets are not contiguous");
  append_request far = append(2, 1, {3});
  far.entries[0].base_offset = k_offset_limit;
  CHECK(malformed({node_id(2), node_id(1), term_id(3), far}) == "offset out of range");
  append_request other = append(4, 2, {3});
  other.entries[0].base_offset = record_offset(5);  // the log says 4
  node.receive(2, 3, other);
  append_request beyond = append(2, 1, {3});
  beyond.entries[0].base_offset = record_offset(9);  // not known exactly, but the log ends at 4
  node.receive(2, 3, beyond);
  REQUIRE(node.notices.size() == 2);
  CHECK(node.notices[1].kind == notice_kind::message_refused);
  CHECK(node.core.log().last_index() == log_index(4));
  CHECK(node.core.log().next_offset() == record_offset(4));
}

TEST_CASE("append: after a truncation the next offset is that of the entry that replaces") {
  raft_node node(config_of(1), booted(three(), {1, 1, 2, 2, 2}, 3));
  append_request request = append(2, 1, {3});
  request.entries[0].record_count = 10;
  node.receive(2, 3, request);
  CHECK(node.core.log().next_offset() == record_offset(12));
  CHECK(node.core.status().next_offset == record_offset(12));
}

TEST_CASE("snapshot: replaces a log that conflicts at its last entry (bugs 35, 37)") {
  raft_node node(config_of(1), booted(three(), {1, 1, 1, 1}, 2));
  snapshot content;
  content.last = {log_index(3), term_id(2)};
  content.next_offset = record_offset(3);
  content.config = three();
  node.receive(2, 2, snapshot_request{content});
  CHECK(node.core.log().start() == content.last);
  CHECK(node.core.log().last_index() == log_index(3));
  CHECK(node.outbox.empty());
  CHECK(node.write_done().install->last == content.last);
  CHECK(node.sent_one<append_response>().index == log_index(3));
  CHECK(node.visible == log_index(3));
  node.receive(2, 2, append(3, 2, {2}));
  CHECK(node.core.log().last_index() == log_index(4));
}

TEST_CASE("snapshot: of what the log has already, changes nothing (paper section 7)") {
  raft_node node(config_of(1), booted(three(), {2, 2, 2}, 2));
  snapshot content;
  content.last = {log_index(2), term_id(2)};
  content.next_offset = record_offset(2);
  content.config = three();
  node.receive(2, 2, snapshot_request{content});
  CHECK(node.core.log().last_index() == log_index(3));
  CHECK(node.core.commit_index() == log_index(2));
  CHECK(node.sent_one<append_response>().index == log_index(2));
}

TEST_CASE("snapshot: arrives during a write of the old log (bug 36)") {
  raft_node node(config_of(1), booted(three(), {}, 2));
  node.receive(2, 2, append(0, 0, {2, 2}, 1));
  snapshot content;
  content.last = {log_index(9), term_id(2)};
  content.next_offset = record_offset(9);
  content.config = three();
  node.receive(2, 2, snapshot_request{content});
  node.write_done();
  CHECK(node.sent<append_response>().back().second.index == log_index(2));
  CHECK(node.visible == log_index(0));
  node.write_done();
  CHECK(node.visible == log_index(9));
}

}  // namespace cairn::raft
