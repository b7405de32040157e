#pragma once
// Store files prepared ahead of use. A write into space that already holds data needs no new block
// from the file system, and its fdatasync no journal commit: half the time for small writes. So
// files are filled with zeros in the background, unless writes are large, and trimmed segments are
// used again.

#include "storage/base/result.hpp"
#include "storage/base/units.hpp"
#include "storage/env.hpp"

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace cairn::storage {

/// A sync of so much is large: the journal commit of reserved space costs less than zeros would.
inline constexpr std::uint64_t k_large_sync_bytes = 256 * k_kib_bytes;

/// Thread-safe.
class spare_segments {
public:
  struct spare {
    std::string path;
    std::uint64_t size_bytes = 0;  ///< reserved on disk, holds data
    bool recycled = false;         ///< the data is an old segment's, not zeros
  };

  spare_segments(env& env, std::string directory, std::uint64_t fill_bytes, std::size_t spares_max);

  /// Takes over a spare file found at start; removes it when there are enough.
  void adopt(const std::string& name, std::uint64_t size_bytes);

  /// A prepared file, or nothing. The caller owns the file from then on.
  [[nodiscard]] std::optional<spare> take();

  /// Gives back a file that take() returned and that was not used after all.
  void give_back(spare unused);

  /// Makes one zero-filled file unless there are enough or the disk is nearly full. Blocks for as
  /// long as the writing takes; other calls do not wait for it. Failing is no harm.
  void prepare_one();

  /// Keeps the file of a trimmed segment for later use, by renaming it, if there is room for one
  /// more. False: the caller removes it. Nobody may read the file any more.
  [[nodiscard]] bool recycle(const std::string& store_path, std::uint64_t size_bytes);

private:
  std::string next_path();
  /// One more than is made ahead: it costs nothing to make, and with it a log that is trimmed as it
  /// grows fills no file with zeros at all. @pre mutex_ is held.
  [[nodiscard]] bool room_for_recycled() const;

  env& env_;
  const std::string directory_;
  const std::uint64_t fill_bytes_;
  const std::size_t spares_max_;
  std::mutex mutex_;
  std::mutex preparing_;
  std::vector<spare> spares_;
  std::uint64_t next_number_ = 0;
};

/// Writes zeros over [position, position + size) in large pieces.
[[nodiscard]] status fill_with_zeros(file& target, std::uint64_t position,
                                     std::uint64_t size_bytes);

}  // namespace cairn::storage
