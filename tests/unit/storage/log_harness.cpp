#include "tests/unit/storage/log_harness.hpp"

#include "storage/background_work.hpp"
#include "storage/base/units.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <limits>

namespace cairn::testing {

using storage::frame_input;
using storage::frame_kind;
using storage::read_limits;
using storage::stored_frame;

storage::log_config small_config() {
  storage::log_config config;
  config.segment_bytes = 4 * k_kib_bytes;
  config.index_bytes = 16 * 16;
  config.prefill_bytes = 2 * k_kib_bytes;
  config.open_segments_max = 2;
  config.spare_segments_max = 1;
  config.log_id = 0x1234;
  return config;
}

std::string store_path(std::uint64_t base) {
  return fmt::format("{}/{:020}.store", log_harness::k_directory, base);
}

std::string index_path(std::uint64_t base) {
  return fmt::format("{}/{:020}.index", log_harness::k_directory, base);
}

log_harness::log_harness(storage::env& env, storage::log_config config, std::uint64_t seed)
    : env_(env), config_(config), random_(seed) {}

log_harness::log_harness(const log_harness& from, storage::env& env)
    : env_(env),
      config_(from.config_),
      random_(from.random_),
      entries_(from.entries_),
      acknowledged_(from.acknowledged_),
      lowest_(from.lowest_),
      published_(from.published_),
      lowest_in_flight_(from.lowest_in_flight_),
      term_(from.term_),
      now_(from.now_),
      payload_number_(from.payload_number_) {}

std::unique_ptr<log_harness> log_harness::fork(storage::env& env) const {
  return std::unique_ptr<log_harness>(new log_harness(*this, env));
}

record_offset log_harness::next_offset() const {
  return entries_.empty() ? record_offset{} : entries_.back().next_offset();
}

log_index log_harness::next_index() const {
  return log_index(entries_.size() + 1);
}

bool log_harness::failed(const status& result) {
  if (result.ok()) return false;
  last_error_ = result.error();
  const bool env_is_to_blame = result.code() == errc::io_error || result.code() == errc::disk_full;
  REQUIRE_MESSAGE(env_is_to_blame, last_error_.detail);
  return true;
}

bool log_harness::open() {
  REQUIRE(log_ == nullptr);
  report_ = {};
  auto opened = storage::segmented_log::open(env_, k_directory, config_, report_);
  if (!opened) {
    last_error_ = opened.error();
    REQUIRE_MESSAGE((opened.code() == errc::io_error || opened.code() == errc::disk_full),
                    last_error_.detail);
    return false;
  }
  log_ = std::move(*opened);
  adopt_what_survived();
  return true;
}

void log_harness::abandon() {
  log_.reset();
}

bool log_harness::close() {
  const bool ok = !failed(log_->close());
  if (ok) acknowledged_ = entries_.size();
  log_.reset();
  return ok;
}

model_entry log_harness::make_entry(frame_kind kind, std::uint32_t records, std::string payload) {
  return {kind, term_, {}, {}, now_, records, std::move(payload)};
}

bool log_harness::append_one(std::string payload, std::uint32_t record_count, frame_kind kind) {
  return append_entries({make_entry(kind, record_count, std::move(payload))});
}

bool log_harness::append(std::size_t frames, std::size_t payload_bytes_max) {
  std::vector<model_entry> batch;
  for (std::size_t i = 0; i < frames; ++i) {
    if (random_.one_in(8)) term_ = term_.next();
    now_ += static_cast<unix_ms>(random_.below(3));
    // Never the same twice, so that a record in the wrong place is noticed.
    auto payload = fmt::format("<{}>", payload_number_++);
    const auto size = random_.below(payload_bytes_max + 1);
    while (payload.size() < size)
      payload += static_cast<char>(random_.next());
    const auto kind =
        random_.one_in(6) ? static_cast<frame_kind>(2 + random_.below(3)) : frame_kind::data;
    const auto records =
        kind == frame_kind::data ? static_cast<std::uint32_t>(1 + random_.below(5)) : 0;
    batch.push_back(make_entry(kind, records, std::move(payload)));
  }
  return append_entries(std::move(batch));
}

bool log_harness::append_entries(std::vector<model_entry> batch) {
  std::vector<frame_input> inputs;
  auto offset = next_offset();
  auto index = next_index();
  for (auto& entry : batch) {
    entry.index = index;
    entry.base_offset = offset;
    index = index.next();
    offset = entry.next_offset();
    frame_input input;
    input.kind = entry.kind;
    input.term = entry.term;
    input.index = entry.index;
    input.timestamp_ms = entry.timestamp_ms;
    input.record_count = entry.record_count;
    input.base_offset = entry.base_offset;
    // In pieces, as the gateway hands it over.
    const auto bytes = shared_bytes::copy_of(as_byte_span(entry.payload));
    const auto cut = random_.below(bytes.size() + 1);
    input.payload = {bytes.slice(0, cut), bytes.slice(cut, bytes.size() - cut)};
    inputs.push_back(std::move(input));
  }
  const auto base = next_offset();
  const auto got = log_->append(inputs);
  // "overloaded" is an answer of its own for a segment full of entries without records.
  if (got.code() == errc::overloaded) return true;
  if (got.code() == errc::disk_full) {
    last_error_ = got.error();
    REQUIRE(log_->next_offset() == base);
    REQUIRE_FALSE(log_->fenced());
    return false;
  }
  // After io_error nobody can say which of them are on the disk.
  entries_.insert(entries_.end(), batch.begin(), batch.end());
  if (!got) return !failed(got.error());
  REQUIRE(*got == base);
  REQUIRE(log_->next_offset() == next_offset());
  return true;
}

bool log_harness::sync() {
  if (failed(log_->sync())) return false;
  acknowledged_ = entries_.size();
  REQUIRE(log_->durable_offset() == next_offset());
  return true;
}

bool log_harness::acknowledge() {
  if (!sync()) return false;
  log_->publish(next_offset());
  published_ = next_offset();
  return true;
}

bool log_harness::roll() {
  if (failed(log_->roll())) return false;
  acknowledged_ = entries_.size();
  return true;
}

bool log_harness::truncate_some(std::size_t entries_max) {
  std::size_t keep = entries_.size();
  const auto first_kept = static_cast<std::size_t>(log_->first_index().value() - 1);
  for (std::size_t i = 0; i < entries_max && keep > first_kept; ++i) {
    if (entries_[keep - 1].next_offset() <= published_) break;
    --keep;
  }
  if (keep == entries_.size()) return true;
  // From now on they may be gone, whether it succeeds or not.
  acknowledged_ = std::min(acknowledged_, keep);
  if (failed(log_->truncate_suffix(log_index(keep + 1)))) return false;
  entries_.resize(keep);
  term_ = term_.next();  // what replaces them comes from another leader
  REQUIRE(log_->next_offset() == next_offset());
  REQUIRE(log_->next_index() == next_index());
  return true;
}

bool log_harness::front_is_visible() const {
  const auto parts = log_->segments();
  // Entries without records may stand at its end that are not.
  return parts.size() > 1 && parts[0].next_offset <= published_ &&
         parts[1].base_index <= log_->publisher().published().next();
}

void log_harness::take_trim() {
  REQUIRE(log_->lowest_offset() >= lowest_);
  lowest_ = log_->lowest_offset();
  // Nothing stays that lies wholly below, but for the segment that is written.
  const auto front = log_->segments();
  if (!front.empty()) {
    REQUIRE((!front[0].sealed || front[0].next_offset > lowest_ || !front_is_visible()));
  }
}

bool log_harness::trim_to(record_offset offset) {
  lowest_in_flight_ = std::max(lowest_, offset);
  if (failed(log_->trim_prefix(offset))) return false;
  REQUIRE(log_->lowest_offset() == std::max(lowest_, offset));
  lowest_in_flight_.reset();
  take_trim();
  return true;
}

bool log_harness::trim_to_bytes(std::uint64_t bytes) {
  // Whatever it may reach: the base of the active segment.
  lowest_in_flight_ = published_;
  if (failed(log_->trim_to_bytes(bytes))) return false;
  lowest_in_flight_.reset();
  take_trim();
  // Only whole sealed segments, and only what readers may have seen.
  const auto parts = log_->segments();
  if (parts.size() > 1 && front_is_visible()) {
    REQUIRE(log_->size_bytes() <= bytes);
  }
  return true;
}

bool log_harness::trim_older_than(unix_ms before) {
  lowest_in_flight_ = published_;
  if (failed(log_->trim_older_than(before))) return false;
  lowest_in_flight_.reset();
  take_trim();
  const auto parts = log_->segments();
  if (parts.size() > 1 && front_is_visible()) {
    REQUIRE(parts.front().last_timestamp_ms >= before);
  }
  return true;
}

bool log_harness::reserve(std::uint64_t bytes) {
  const auto before = log_->next_offset();
  const auto got = log_->reserve(bytes);
  REQUIRE(log_->next_offset() == before);
  if (got.code() == errc::disk_full) {
    last_error_ = got.error();
    return false;
  }
  if (failed(got)) return false;
  REQUIRE(log_->room_bytes() >= bytes);
  return true;
}

void log_harness::work() {
  while (log_->background()->run_one()) {
  }
}

}  // namespace cairn::testing
