#include "bench/log_maker.hpp"

#include <algorithm>
#include <chrono>
#include <random>

namespace cairn::bench {

using namespace storage;

namespace {
constexpr unix_ms k_first_time_ms = 1'700'000'000'000;
constexpr auto k_poll = std::chrono::milliseconds(2);
}  // namespace

shared_bytes noise(std::size_t size_bytes) {
  std::mt19937_64 random(size_bytes);
  std::vector<std::byte> bytes(size_bytes);
  std::ranges::generate(bytes, [&] { return static_cast<std::byte>(random() & 0xffu); });
  return shared_bytes::copy_of(bytes);
}

bench_log::bench_log(env& env, const std::string& directory, const log_config& config)
    : log_(must(segmented_log::open(env, directory, config, report_))),
      now_ms_(std::max(k_first_time_ms, log_->last_timestamp_ms())) {}

void bench_log::append(const shared_bytes& payload, std::uint32_t records) {
  append_many(payload, 1, records);
}

void bench_log::append_many(const shared_bytes& payload, std::size_t count, std::uint32_t records) {
  std::vector<frame_input> frames(count);
  log_index index = log_->next_index();
  for (auto& frame : frames) {
    frame.term = term_id(1);
    frame.index = index;
    frame.timestamp_ms = ++now_ms_;
    frame.record_count = records;
    frame.payload.push_back(payload);
    index = index.next();
  }
  static_cast<void>(must(log_->append(frames)));
}

void bench_log::commit() {
  must(log_->sync());
  log_->publish(log_->durable_offset());
}

void bench_log::finish_background_work() {
  while (log_->background()->run_one()) {
  }
}

background_thread::background_thread(std::shared_ptr<background_work> work)
    : work_(std::move(work)), thread_([this] {
        while (!stop_.load(std::memory_order_relaxed)) {
          if (!work_->run_one()) std::this_thread::sleep_for(k_poll);
        }
      }) {}

background_thread::~background_thread() {
  stop_ = true;
  thread_.join();
}

}  // namespace cairn::bench
