#include "actors/append_plan.hpp"

#include "proto/append_stamp.hpp"
#include "storage/base/check.hpp"

#include <fmt/format.h>

namespace cairn::actors {

namespace {

std::string missed_text(record_offset expected, record_offset next) {
  return fmt::format("expected offset {}, but the next offset is {}", expected.value(),
                     next.value());
}

}  // namespace

append_plan::append_plan(const std::vector<append_batch>& batches, const append_position& at)
    : end_(at.next_offset) {
  std::size_t count = 0;
  for (const auto& batch : batches)
    count += batch.items.size();
  outcomes_.reserve(count);
  expected_.reserve(count);
  for (const auto& batch : batches) {
    for (const auto& item : batch.items)
      decide(item, at);
  }
}

append_plan::append_plan(const std::vector<append_item>& items, const append_position& at)
    : end_(at.next_offset) {
  outcomes_.reserve(items.size());
  expected_.reserve(items.size());
  for (const auto& item : items)
    decide(item, at);
}

void append_plan::decide(const append_item& item, const append_position& at) {
  expected_.push_back(item.expected_offset);
  auto& outcome = outcomes_.emplace_back();
  outcome.id = item.id;
  if (item.deadline_ns < at.now_ns) {
    outcome.code = errc::unavailable;
    outcome.detail = "the time of the request ran out before its write began";
  } else if (item.conditional && item.expected_offset != end_) {
    outcome.code = errc::expected_offset_missed;
    outcome.offset = end_;
    outcome.detail = missed_text(item.expected_offset, end_);
  } else {
    place(item, at);
  }
}

void append_plan::place(const append_item& item, const append_position& at) {
  CAIRN_CHECK(item.record_count > 0, "append {} has no records", item.id);
  const std::uint64_t bytes = item.payload.size();
  const bool stamped = proto::is_stamped(item.payload.span());
  const bool merge = !frames_.empty() && open_frame_bytes_ + bytes <= k_merged_payload_bytes &&
                     open_frame_stamped_ == stamped;
  if (!merge) {
    auto& frame = frames_.emplace_back();
    frame.term = at.term;
    frame.index = at.next_index.plus(frames_.size() - 1);
    frame.timestamp_ms = at.timestamp_ms;
    open_frame_bytes_ = 0;
    open_frame_stamped_ = stamped;
  }
  auto& frame = frames_.back();
  frame.record_count += item.record_count;
  frame.payload.push_back(item.payload);
  open_frame_bytes_ += bytes;

  auto& outcome = outcomes_.back();
  outcome.offset = end_;
  outcome.count = item.record_count;
  outcome.timestamp_ms = at.timestamp_ms;
  outcome.term = at.term;
  outcome.index = frame.index;
  end_ = end_.plus(item.record_count);
  ++accepted_;
  records_ += item.record_count;
  payload_bytes_ += bytes;
}

void append_plan::fail(errc code, const std::string& detail, record_offset next_offset) {
  for (std::size_t i = 0; i < outcomes_.size(); ++i) {
    auto& outcome = outcomes_[i];
    if (outcome.code == errc::expected_offset_missed) {
      if (code == errc::outcome_unknown) {
        outcome.code = errc::unavailable;
        outcome.detail = detail;
      } else if (expected_[i] == next_offset) {
        outcome.code = code;
        outcome.detail = detail;
      } else {
        outcome.offset = next_offset;
        outcome.detail = missed_text(expected_[i], next_offset);
      }
    } else if (outcome.code == errc::none) {
      const auto id = outcome.id;
      outcome = append_outcome{};
      outcome.id = id;
      outcome.code = code;
      outcome.detail = detail;
    }
  }
  end_ = next_offset;
}

}  // namespace cairn::actors
