#pragma once
// A lower bound of what is durable, kept in a mapped page: costs nothing per sync and survives a
// killed process.
//
// After a kill it tells recovery that a bad frame below it is damage to acknowledged data and not a
// write cut short. After a power cut it may be old, never too high: it is only raised after a sync,
// and lowered durably before a cut.

#include "storage/base/result.hpp"
#include "storage/env.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace cairn::storage {

/// Owner: one thread.
class durable_mark {
public:
  struct mark {
    std::uint64_t identity = 0;        ///< of the active segment
    std::uint64_t base_offset = 0;     ///< of the active segment: one that starts there has existed
    std::uint64_t position_bytes = 0;  ///< everything below is durable
    /// Set by a graceful close: the checksum of the cut index file. 0 while the log is open.
    std::uint64_t index_checksum = 0;

    bool operator==(const mark&) const = default;
  };

  /// Opens or makes the file; an unusable one is made anew, without a mark.
  [[nodiscard]] static result<std::unique_ptr<durable_mark>> open(env& env,
                                                                  const std::string& path);

  /// The newest intact mark in the file, if there is one. Changes nothing.
  [[nodiscard]] static result<std::optional<mark>> read(env& env, const std::string& path);

  /// The newest intact mark.
  [[nodiscard]] const std::optional<mark>& current() const { return current_; }

  /// Replaces the mark in memory. Reaches the disk whenever the kernel likes.
  void set(const mark& next);

  /// Forgets the mark: the log holds no data on purpose. In memory, as set().
  void clear();

  /// Makes the mark durable.
  [[nodiscard]] status sync();

private:
  durable_mark(std::unique_ptr<file> file, std::unique_ptr<mapping> map);
  struct loaded {
    std::uint64_t sequence = 0;
    std::optional<mark> value;
  };
  [[nodiscard]] static loaded load(byte_span page);

  std::unique_ptr<file> file_;
  std::unique_ptr<mapping> map_;
  std::uint64_t sequence_ = 0;
  std::optional<mark> current_;
};

}  // namespace cairn::storage
