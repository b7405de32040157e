#pragma once
// Lower bounds of what is durable and of what readers were shown, kept in a mapped page: cost
// nothing per sync and survive a killed process.
//
// After a kill it tells recovery that a bad frame below it is damage to acknowledged data and not a
// write cut short. After a power cut it may be old, never too high: it is only raised after a sync,
// and lowered durably before a cut.

#include "storage/base/ids.hpp"
#include "storage/base/result.hpp"
#include "storage/env.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace cairn::storage {

/// Owner: one thread; but for set_published(), which belongs to whoever holds the lock that guards
/// publishing.
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

  /// The last entry that readers were shown, as far as the page tells; 0: nothing is known. Old
  /// after a power cut, never too high: entries are shown when they are durable, and stay.
  [[nodiscard]] log_index published() const { return published_; }
  void set_published(log_index last);

  /// Makes the mark durable.
  [[nodiscard]] status sync();

private:
  durable_mark(std::unique_ptr<file> file, std::unique_ptr<mapping> map);
  struct loaded {
    std::uint64_t sequence = 0;
    std::optional<mark> value;
  };
  [[nodiscard]] static loaded load(byte_span page);
  void load_published();

  std::unique_ptr<file> file_;
  std::unique_ptr<mapping> map_;
  std::uint64_t sequence_ = 0;
  std::optional<mark> current_;
  std::uint64_t published_sequence_ = 0;
  log_index published_;
};

}  // namespace cairn::storage
