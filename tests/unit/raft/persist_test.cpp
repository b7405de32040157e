// What counts as durable, and what the log in memory knows.

#include "actors/raft/persist_queue.hpp"
#include "tests/unit/raft/group.hpp"

namespace cairn::raft {
namespace {

entry make(std::uint64_t index, std::uint64_t term) {
  entry e;
  e.index = log_index(index);
  e.term = term_id(term);
  e.record_count = 1;
  e.base_offset = record_offset(index - 1);
  return e;
}

log_view empty_log() {
  return log_view({}, {}, {}, log_index(0), {});
}

}  // namespace

TEST_CASE("persist: entries put back during a write are not durable with it (bug 10)") {
  log_view log = empty_log();
  persist_queue queue(log_index(0));
  log.append(make(1, 1));
  log.append(make(2, 1));
  const auto first = queue.issue(log);
  log.truncate_from(log_index(2), record_offset(1));
  queue.truncated(log_index(2));
  log.append(make(2, 2));
  log.truncate_from(log_index(2), record_offset(1));
  queue.truncated(log_index(2));
  log.append(make(2, 1));  // the same entry again
  REQUIRE(queue.finish(first->ticket));
  CHECK(queue.durable() == log_index(1));
  CHECK(queue.covering(log_index(2)) == persist_ticket(2));
  const auto second = queue.issue(log);
  CHECK(second->truncate_from == log_index(2));
  REQUIRE(queue.finish(second->ticket));
  CHECK(queue.durable() == log_index(2));
}

TEST_CASE("persist: an answer for another batch is ignored") {
  log_view log = empty_log();
  persist_queue queue(log_index(0));
  log.append(make(1, 1));
  const auto batch = queue.issue(log);
  CHECK_FALSE(queue.finish(persist_ticket(7)));
  CHECK(queue.finish(batch->ticket));
  CHECK_FALSE(queue.finish(batch->ticket));
}

TEST_CASE("persist: a truncation of what was never written needs no write") {
  log_view log = empty_log();
  persist_queue queue(log_index(0));
  log.append(make(1, 1));
  log.truncate_from(log_index(1), record_offset(0));
  queue.truncated(log_index(1));
  CHECK_FALSE(queue.issue(log).has_value());
}

TEST_CASE("persist: a state that changes during a write goes with the next one (bug 14)") {
  log_view log = empty_log();
  persist_queue queue(log_index(0));
  queue.state_changed({term_id(1), node_id(1)});
  const auto first = queue.issue(log);
  CHECK(queue.covering_state() == first->ticket);
  queue.state_changed({term_id(2), node_id(0)});
  CHECK(queue.covering_state() == first->ticket.next());
  REQUIRE(queue.finish(first->ticket));
  CHECK(queue.issue(log)->state == hard_state{term_id(2), node_id(0)});
}

TEST_CASE("log view: terms are known for entries that are not in memory") {
  log_view log({log_index(10), term_id(2)}, record_offset(40),
               {{log_index(11), term_id(2)}, {log_index(13), term_id(5)}}, log_index(15),
               record_offset(55));
  CHECK(log.term_of(log_index(10)) == term_id(2));
  CHECK(log.term_of(log_index(12)) == term_id(2));
  CHECK(log.term_of(log_index(15)) == term_id(5));
  CHECK_FALSE(log.term_of(log_index(9)).has_value());
  CHECK_FALSE(log.term_of(log_index(16)).has_value());
  CHECK(log.window_first() == log_index(16));
  log.trim_to(log_index(13), record_offset(50));
  CHECK(log.start() == log_position{log_index(13), term_id(5)});
  CHECK(log.term_of(log_index(14)) == term_id(5));
}

TEST_CASE("log view: memory stays within its limit, and keeps what is not durable") {
  log_view log = empty_log();
  for (std::uint64_t i = 1; i <= 10; ++i)
    log.append(make(i, 1));
  log.evict(log_index(4), 5 * k_entry_overhead_bytes);
  CHECK(log.window_first() == log_index(5));
  log.evict(log_index(10), 2 * k_entry_overhead_bytes);
  CHECK(log.window_first() == log_index(9));
  CHECK(log.slice(log_index(9), 1).size() == 1);
}

TEST_CASE("log view: offsets are known at the start, at the end and in memory") {
  log_view log({log_index(10), term_id(2)}, record_offset(40), {{log_index(11), term_id(2)}},
               log_index(12), record_offset(45));
  entry e;
  e.index = log_index(13);
  e.term = term_id(3);
  e.base_offset = record_offset(45);
  e.record_count = 7;
  log.append(e);
  CHECK(log.offset_after(log_index(10)) == record_offset(40));
  CHECK_FALSE(log.offset_after(log_index(11)).has_value());
  CHECK(log.offset_after(log_index(12)) == record_offset(45));
  CHECK(log.offset_after(log_index(13)) == record_offset(52));
  CHECK_FALSE(log.offset_after(log_index(14)).has_value());
  log.truncate_from(log_index(12), record_offset(43));  // as the entry that replaces it says
  CHECK(log.next_offset() == record_offset(43));
  log.trim_to(log_index(11), record_offset(43));
  CHECK(log.start_offset() == record_offset(43));
  log.reset({log_index(20), term_id(4)}, record_offset(90));
  CHECK(log.start_offset() == record_offset(90));
  CHECK(log.next_offset() == record_offset(90));
}

}  // namespace cairn::raft
