#pragma once
// What a log's actors tell the outside while they work: metrics in apps/, counters in tests.

#include "actors/append_times.hpp"
#include "storage/base/errc.hpp"

#include <cstdint>
#include <memory>

namespace cairn::actors {

/// One write and one sync.
struct commit_facts {
  std::uint64_t appends = 0;
  std::uint64_t records = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t frames = 0;
  std::uint64_t write_ns = 0;  ///< of the write alone
  std::uint64_t sync_ns = 0;   ///< of the sync alone
};

/// Called from the actors' threads; must be quick and thread-safe.
class log_observer {
public:
  virtual ~log_observer() = default;
  virtual void committed(const commit_facts&) {}
  /// So many appends became entries together.
  virtual void proposed(std::uint64_t /*appends*/) {}
  /// Appends that were refused or failed, by why.
  virtual void append_failed(errc /*code*/, std::uint64_t /*count*/) {}
  /// A read that the page cache answered.
  virtual void cached_read(std::uint64_t /*bytes*/) {}
  virtual void cold_read(errc /*code*/, std::uint64_t /*bytes*/) {}
  /// Where the stages of appends are counted, by whoever measures them; never null.
  [[nodiscard]] const std::shared_ptr<append_times>& times() const { return times_; }

private:
  const std::shared_ptr<append_times> times_ = std::make_shared<append_times>();
};

}  // namespace cairn::actors
