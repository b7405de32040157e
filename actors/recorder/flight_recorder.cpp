#include "actors/recorder/flight_recorder.hpp"

#include "actors/raft/archive_fields.hpp"
#include "actors/recorder/dump.hpp"
#include "storage/base/check.hpp"

#include <algorithm>

namespace cairn::actors {
namespace {

/// After an image that did not fit: the state must have shrunk first.
constexpr std::uint32_t k_pause_takes = 1024;

}  // namespace

flight_recorder::flight_recorder(std::uint64_t ring_bytes, recorder_identity identity)
    : identity_(std::move(identity)), chunk_bytes_(ring_bytes / k_chunks) {
  CAIRN_CHECK(ring_bytes >= k_ring_bytes_min, "a ring of {} bytes", ring_bytes);
  // Not zeroed: pages that were never written take no memory.
  for (chunk& c : chunks_)
    c.bytes = std::make_unique_for_overwrite<std::byte[]>(chunk_bytes_);
}

// An event is there wholly, or not at all.
template <class Write>
void flight_recorder::write(const Write& event) {
  if (blind_) return;
  chunk& c = chunks_[current_];
  const std::uint64_t used = c.used.load(std::memory_order_relaxed);
  raft::image_writer to({c.bytes.get() + used, chunk_bytes_ - used});
  event(to);
  if (to.full()) {
    blind_ = true;
    return;
  }
  c.used.store(used + to.size_bytes(), std::memory_order_release);
}

std::uint64_t flight_recorder::passed_us() {
  const std::uint64_t now_us = std::max(monotonic_us_, last_us_);
  return now_us - std::exchange(last_us_, now_us);
}

void flight_recorder::input(const raft::input& in) {
  ++counts_.inputs;
  write([&](raft::image_writer& to) {
    to.byte(static_cast<std::uint8_t>(recorded_kind::input));
    to.number(passed_us());
    pass(to, in);
  });
  if (blind_) {
    ++counts_.missed;
  } else {
    auto& inputs = chunks_[current_].inputs;  // nobody else writes it
    inputs.store(inputs.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
}

void flight_recorder::taking() {
  write([&](raft::image_writer& to) {
    to.byte(static_cast<std::uint8_t>(recorded_kind::take));
    to.number(passed_us());
  });
}

void flight_recorder::drawn(std::uint64_t number) {
  write([&](raft::image_writer& to) {
    to.byte(static_cast<std::uint8_t>(recorded_kind::drawn));
    to.number(number);
  });
}

void flight_recorder::done(std::uint32_t fingerprint) {
  write([&](raft::image_writer& to) {
    to.byte(static_cast<std::uint8_t>(recorded_kind::done));
    std::array<std::byte, sizeof fingerprint> bytes{};
    store_le(bytes.data(), fingerprint);
    to.raw(bytes);
  });
}

void flight_recorder::settled(const raft::core& core) {
  const raft::leadership lead{core.as(), core.term(), core.leader()};
  if (lead != lead_) {
    lead_ = lead;
    if (!blind_) kept_ = current_;
  }
  if (pause_ > 0) {
    --pause_;
    return;
  }
  // The last quarter is for what comes before the core can be asked for its state again.
  const std::uint64_t used = chunks_[current_].used.load(std::memory_order_relaxed);
  if (blind_ || used > chunk_bytes_ / 4 * 3) begin_chunk(core);
}

void flight_recorder::begin_chunk(const raft::core& core) {
  std::size_t next = (current_ + 1) % k_chunks;
  if (next == kept_) next = (next + 1) % k_chunks;
  chunk& c = chunks_[next];
  // Both sides announce themselves and then look at the other, in one order of all: so never do
  // both go on.
  c.beginning.store(true);
  if (copying_.load() > 0) return c.beginning.store(false);
  c.used.store(0, std::memory_order_relaxed);
  raft::image_writer to({c.bytes.get(), chunk_bytes_});
  last_us_ = std::max(monotonic_us_, last_us_);
  const bool continues = !blind_;
  pass(to, continues, last_us_, wall_ms_);
  core.save(to);
  blind_ = to.full();
  if (blind_) {
    pause_ = k_pause_takes;
  } else {
    current_ = next;
    c.sequence.store(++sequence_, std::memory_order_relaxed);
    c.inputs.store(0, std::memory_order_relaxed);
    c.began_ms.store(wall_ms_, std::memory_order_relaxed);
    c.used.store(to.size_bytes(), std::memory_order_release);
    ++counts_.images;
  }
  c.beginning.store(false);
}

recorder_extent flight_recorder::extent() const {
  recorder_extent out;
  for (const chunk& c : chunks_) {
    if (c.used.load(std::memory_order_acquire) == 0) continue;
    out.inputs += c.inputs.load(std::memory_order_relaxed);
    const unix_ms began = c.began_ms.load(std::memory_order_relaxed);
    if (out.first_ms == 0 || began < out.first_ms) out.first_ms = began;
  }
  return out;
}

std::vector<std::byte> flight_recorder::dump(const std::string& reason, unix_ms now_ms) const {
  std::vector<raw_chunk> copies;
  copying_.fetch_add(1);
  for (const chunk& c : chunks_) {
    if (c.beginning.load()) continue;
    const std::uint64_t used = c.used.load(std::memory_order_acquire);
    if (used == 0) continue;
    copies.push_back({c.sequence.load(std::memory_order_relaxed), {}});
    copies.back().bytes.assign(c.bytes.get(), c.bytes.get() + used);
  }
  copying_.fetch_sub(1);
  std::sort(copies.begin(), copies.end(),
            [](const auto& a, const auto& b) { return a.sequence < b.sequence; });
  return encode_dump({identity_, reason, now_ms}, copies);
}

}  // namespace cairn::actors
