// The log beside its model: everything that can be read must be what was written.

#include "tests/unit/storage/log_harness.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <limits>

namespace cairn::testing {

using storage::frame_kind;
using storage::read_limits;
using storage::stored_frame;

namespace {

/// Ends a comparison: the power has gone while the log was being read.
struct power_is_gone {};

}  // namespace

template <class T>
const T& log_harness::must(const T& read) const {
  if (read.ok()) return read;
  const auto* sim = dynamic_cast<const sim_env*>(&env_);
  if (read.code() == errc::io_error && sim != nullptr && sim->stopped()) throw power_is_gone{};
  REQUIRE_MESSAGE(read.ok(), read.error().detail);
  return read;
}

std::vector<stored_frame> log_harness::read_all_entries() const {
  std::vector<stored_frame> all;
  auto index = log_->first_index();
  const auto reader = log_->reader();
  while (index < log_->next_index()) {
    auto some = reader->read_entries(index, {});
    must(some);
    REQUIRE_FALSE(some->empty());
    for (auto& frame : *some) {
      REQUIRE(frame.header.index == index);
      index = index.next();
      all.push_back(std::move(frame));
    }
  }
  return all;
}

void log_harness::adopt_what_survived() {
  const auto lowest = log_->lowest_offset();
  const bool lowest_known =
      lowest == lowest_ || (lowest_in_flight_ && lowest > lowest_ && lowest <= *lowest_in_flight_);
  REQUIRE_MESSAGE(lowest_known,
                  fmt::format("lowest offset {}, expected {}", lowest.value(), lowest_.value()));
  lowest_ = lowest;
  lowest_in_flight_.reset();

  const auto kept = log_->next_index().value() - 1;
  REQUIRE_MESSAGE(kept >= acknowledged_,
                  fmt::format("{} entries are left of {} acknowledged ones", kept, acknowledged_));
  REQUIRE_MESSAGE(kept <= entries_.size(),
                  fmt::format("{} entries came back of {}", kept, entries_.size()));
  entries_.resize(kept);
  acknowledged_ = kept;
  published_ = next_offset();
  if (!entries_.empty()) {
    term_ = std::max(term_, entries_.back().term);
    now_ = std::max(now_, entries_.back().timestamp_ms);
  }
  // Of a frame that is gone, its segment's header may still tell the time.
  REQUIRE(log_->last_timestamp_ms() <= now_);
  check_everything();
}

void log_harness::compare_entry(const stored_frame& got, const model_entry& want) const {
  const auto& header = got.header;
  const bool same = header.kind == want.kind && header.term == want.term &&
                    header.index == want.index && header.base_offset == want.base_offset &&
                    header.timestamp_ms == want.timestamp_ms &&
                    header.record_count == want.record_count && got.payload.text() == want.payload;
  REQUIRE_MESSAGE(same,
                  fmt::format("entry {} at offset {}: got index {} offset {} with {} bytes",
                              want.index.value(), want.base_offset.value(), header.index.value(),
                              header.base_offset.value(), got.payload.size()));
}

void log_harness::check_views() const {
  REQUIRE(log_->next_offset() == next_offset());
  REQUIRE(log_->next_index() == next_index());
  REQUIRE(log_->lowest_offset() == lowest_);
  REQUIRE(log_->durable_offset() <= next_offset());
  const auto first = log_->first_index();
  REQUIRE(first <= next_index());
  if (!entries_.empty() && first < next_index()) {
    REQUIRE(log_->last_term() == entries_.back().term);
    REQUIRE(log_->last_timestamp_ms() >= entries_.back().timestamp_ms);
    // What is below the lowest offset may stay in its segment, what is above it may not be missing.
    REQUIRE(entries_[first.value() - 1].base_offset <= lowest_);
  }
  const auto reader = log_->reader();
  REQUIRE(reader->lowest_offset() == lowest_);
  REQUIRE(reader->end_offset() == published_);

  const auto parts = log_->segments();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    REQUIRE(parts[i].sealed == (i + 1 < parts.size()));
    if (i > 0) REQUIRE(parts[i].base_offset == parts[i - 1].next_offset);
  }
  if (!parts.empty()) {
    REQUIRE(parts.back().next_offset == next_offset());
    REQUIRE(parts.front().base_index == first);
  }
}

void log_harness::check_raft_views() const {
  const auto start = log_->start();
  const std::size_t gone = start.index.value();
  REQUIRE(start.index.next() == log_->first_index());
  REQUIRE(start.term == (gone == 0 ? term_id{} : entries_[gone - 1].term));
  REQUIRE(start.next_offset == (gone == 0 ? record_offset{} : entries_[gone - 1].next_offset()));
  std::string config_at_start;
  std::vector<storage::stored_term_run> runs;
  std::vector<model_entry> configs;
  for (const auto& entry : entries_) {
    const bool kept = entry.index > start.index;
    if (entry.kind == frame_kind::config && !kept) config_at_start = entry.payload;
    if (entry.kind == frame_kind::config && kept) configs.push_back(entry);
    if (kept && (runs.empty() || runs.back().term != entry.term)) {
      runs.push_back({entry.index, entry.term});
    }
  }
  const auto found_runs = log_->term_runs();
  must(found_runs);
  REQUIRE(*found_runs == runs);
  REQUIRE(start.configuration.text() == config_at_start);
  const auto found = log_->configs();
  REQUIRE(found.size() == configs.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    REQUIRE(found[i].index == configs[i].index);
    REQUIRE(found[i].term == configs[i].term);
    REQUIRE(found[i].payload.text() == configs[i].payload);
  }
}

void log_harness::check_read(record_offset from, const read_limits& limits) const {
  auto got = log_->reader()->read(from, limits);
  if (from < lowest_) {
    REQUIRE(got.code() == errc::offset_trimmed);
    return;
  }
  if (from > published_) {
    REQUIRE(got.code() == errc::offset_not_written);
    return;
  }
  if (limits.cached_only && got.code() == errc::would_block) return;
  must(got);
  auto want = std::find_if(entries_.begin(), entries_.end(), [&](const model_entry& entry) {
    return entry.kind == frame_kind::data && entry.next_offset() > from;
  });
  std::uint64_t bytes = 0;
  auto end = from;
  for (const auto& frame : *got) {
    while (want != entries_.end() && want->kind != frame_kind::data)
      ++want;
    REQUIRE(want != entries_.end());
    REQUIRE(want->next_offset() <= published_);
    compare_entry(frame, *want);
    bytes += frame.header.stride_bytes();
    end = want->next_offset();
    ++want;
  }
  if (from == published_) REQUIRE(got->empty());
  if (from < published_) REQUIRE_FALSE(got->empty());
  if (got->size() > 1) REQUIRE(bytes <= limits.bytes_max + storage::k_frame_header_bytes);
  // No more than the limits ask for.
  if (got->size() > 1) {
    REQUIRE(got->back().header.base_offset.since(from) < limits.records_max);
  }
}

void log_harness::check_time(unix_ms time) const {
  auto want = published_;
  for (const auto& entry : entries_) {
    if (entry.kind != frame_kind::data || entry.next_offset() > published_) continue;
    if (entry.timestamp_ms < time || entry.next_offset() <= lowest_) continue;
    want = std::max(lowest_, entry.base_offset);
    break;
  }
  const auto got = log_->reader()->find_time(time);
  must(got);
  REQUIRE_MESSAGE(*got == want,
                  fmt::format("time {}: offset {}, expected {}", time, got->value(), want.value()));
}

void log_harness::compare_random_read() {
  read_limits limits;
  if (random_.coin()) limits.bytes_max = random_.below(6000);
  if (random_.coin()) limits.records_max = 1 + random_.below(12);
  limits.cached_only = random_.one_in(4);
  const auto span = published_.value() - std::min(published_.value(), lowest_.value());
  const auto low = lowest_.value() - std::min<std::uint64_t>(lowest_.value(), 2);
  check_read(record_offset(low + random_.below(span + 5)), limits);
  if (!entries_.empty()) {
    const auto first = entries_.front().timestamp_ms;
    const auto length = static_cast<std::uint64_t>(entries_.back().timestamp_ms - first);
    check_time(first - 1 + static_cast<unix_ms>(random_.below(length + 4)));
  }
}

void log_harness::compare_everything() {
  check_views();
  check_raft_views();
  const auto all = read_all_entries();
  const auto first = static_cast<std::size_t>(log_->first_index().value() - 1);
  REQUIRE(first + all.size() == entries_.size());
  for (std::size_t i = 0; i < all.size(); ++i)
    compare_entry(all[i], entries_[first + i]);
  // By offset: every record once, in order, dense.
  auto from = lowest_;
  const auto reader = log_->reader();
  while (from < published_) {
    const auto some = reader->read(from, {.bytes_max = 3000});
    must(some);
    REQUIRE_FALSE(some->empty());
    for (const auto& frame : *some) {
      REQUIRE(frame.header.base_offset <= from);
      REQUIRE(frame.header.next_offset() > from);
      from = frame.header.next_offset();
    }
  }
  REQUIRE(from == std::max(lowest_, published_));
  check_read(lowest_, {});
  check_read(published_, {});
  check_read(published_.plus(1), {});
}

void log_harness::check_everything() {
  try {
    compare_everything();
  } catch (const power_is_gone&) {
  }
}

void log_harness::check_random_read() {
  try {
    compare_random_read();
  } catch (const power_is_gone&) {
  }
}

}  // namespace cairn::testing
