#include "actors/append_plan.hpp"

#include <doctest/doctest.h>

namespace cairn::actors {
namespace {

append_item item_of(request_id id, std::size_t bytes, std::uint32_t records = 1) {
  append_item item;
  item.id = id;
  item.payload = shared_bytes::copy_of(as_byte_span(std::string(bytes, 'x')));
  item.record_count = records;
  item.deadline_ns = 1'000;
  return item;
}

std::vector<append_batch> batch_of(std::vector<append_item> items) {
  std::vector<append_batch> batches(1);
  batches[0].items = std::move(items);
  return batches;
}

append_position position(std::uint64_t next_offset) {
  return {.next_offset = record_offset{next_offset},
          .next_index = log_index{5},
          .term = term_id{2},
          .timestamp_ms = 77,
          .now_ns = 500};
}

TEST_CASE("append plan: small neighbours become one frame and keep their own offsets") {
  append_plan plan(batch_of({item_of(1, 10, 2), item_of(2, 20, 3)}), position(100));
  REQUIRE(plan.frames().size() == 1);
  const auto& frame = plan.frames()[0];
  CHECK(frame.record_count == 5);
  CHECK(frame.payload.size() == 2);
  CHECK(frame.index == log_index{5});
  CHECK(frame.term == term_id{2});
  CHECK(frame.timestamp_ms == 77);
  CHECK(plan.outcomes()[0].offset == record_offset{100});
  CHECK(plan.outcomes()[1].offset == record_offset{102});
  CHECK(plan.outcomes()[1].count == 3);
  CHECK(plan.end() == record_offset{105});
}

TEST_CASE("append plan: a frame stops growing at the merge limit and a large append stays whole") {
  const auto limit = k_merged_payload_bytes;
  append_plan plan(batch_of({item_of(1, limit - 1), item_of(2, 1), item_of(3, 1),
                             item_of(4, 3 * limit), item_of(5, 1)}),
                   position(0));
  REQUIRE(plan.frames().size() == 4);
  CHECK(plan.frames()[0].payload.size() == 2);
  CHECK(plan.frames()[1].payload.size() == 1);
  CHECK(plan.frames()[2].payload[0].size() == 3 * limit);
  CHECK(plan.frames()[3].index == log_index{8});
  CHECK(plan.outcomes()[4].index == log_index{8});
  CHECK(plan.accepted() == 5);
}

TEST_CASE("append plan: an expected offset is held against what stands before it in the group") {
  auto fits = item_of(2, 1);
  fits.conditional = true;
  fits.expected_offset = record_offset{11};
  auto misses = item_of(3, 1);
  misses.conditional = true;
  misses.expected_offset = record_offset{11};
  append_plan plan(batch_of({item_of(1, 1), fits, misses}), position(10));
  CHECK(plan.outcomes()[1].code == errc::none);
  CHECK(plan.outcomes()[1].offset == record_offset{11});
  CHECK(plan.outcomes()[2].code == errc::expected_offset_missed);
  CHECK(plan.end() == record_offset{12});
}

TEST_CASE("append plan: an append whose time has run out is refused and takes no offset") {
  auto late = item_of(1, 1);
  late.deadline_ns = 499;
  append_plan plan(batch_of({late, item_of(2, 1)}), position(10));
  CHECK(plan.outcomes()[0].code == errc::unavailable);
  CHECK(plan.outcomes()[1].offset == record_offset{10});
}

TEST_CASE("append plan: after a refused write an expected offset is judged by what really is") {
  auto chained = item_of(2, 1);  // right only if the first one had been stored
  chained.conditional = true;
  chained.expected_offset = record_offset{11};
  auto stale = item_of(3, 1);  // wrong in the group, right without it
  stale.conditional = true;
  stale.expected_offset = record_offset{10};
  append_plan plan(batch_of({item_of(1, 1), chained, stale}), position(10));
  REQUIRE(plan.outcomes()[2].code == errc::expected_offset_missed);
  plan.fail(errc::disk_full, "no room", record_offset{10});
  CHECK(plan.outcomes()[0].code == errc::disk_full);
  CHECK(plan.outcomes()[1].code == errc::disk_full);
  CHECK(plan.outcomes()[2].code == errc::disk_full);
  CHECK(plan.end() == record_offset{10});
}

TEST_CASE("append plan: after a failed sync only what may be stored is unknown") {
  auto missed = item_of(2, 1);
  missed.conditional = true;
  missed.expected_offset = record_offset{3};
  append_plan plan(batch_of({item_of(1, 1), missed}), position(10));
  plan.fail(errc::outcome_unknown, "sync failed", record_offset{10});
  CHECK(plan.outcomes()[0].code == errc::outcome_unknown);
  CHECK(plan.outcomes()[1].code == errc::unavailable);
}

}  // namespace
}  // namespace cairn::actors
