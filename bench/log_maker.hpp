#pragma once
// Logs for the storage benchmarks.

#include "bench/support/results.hpp"
#include "storage/background_work.hpp"
#include "storage/posix_env.hpp"
#include "storage/segmented_log.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace cairn::bench {

/// Bytes that do not compress or repeat, the same in every run.
[[nodiscard]] shared_bytes noise(std::size_t size_bytes);

/// A log with what an appender has to keep count of.
class bench_log {
public:
  bench_log(storage::env& env, const std::string& directory, const storage::log_config& config);

  /// Appends one frame: `payload` as `records` records, one millisecond after the one before.
  void append(const shared_bytes& payload, std::uint32_t records = 1);
  /// Appends `count` such frames in one call.
  void append_many(const shared_bytes& payload, std::size_t count, std::uint32_t records = 1);
  /// sync() and publish().
  void commit();

  [[nodiscard]] storage::segmented_log& log() { return *log_; }
  [[nodiscard]] const storage::recovery_report& report() const { return report_; }

  /// Does on this thread what production does in the background, until nothing is left.
  void finish_background_work();

private:
  storage::recovery_report report_;
  std::unique_ptr<storage::segmented_log> log_;
  unix_ms now_ms_;
};

/// A thread that does the log's background work as soon as there is any, as in production.
class background_thread {
public:
  explicit background_thread(std::shared_ptr<storage::background_work> work);
  ~background_thread();
  background_thread(const background_thread&) = delete;
  background_thread& operator=(const background_thread&) = delete;

private:
  std::shared_ptr<storage::background_work> work_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace cairn::bench
