#pragma once
// Lets readers see entries, from whichever thread learns first that they are committed.

#include "storage/base/ids.hpp"
#include "storage/base/result.hpp"

#include <memory>

namespace cairn::storage {

struct log_shared;

/// Thread-safe, also against the writer that appends, rolls, truncates and trims meanwhile. Copies
/// share the log; may outlive it.
class log_publisher {
public:
  explicit log_publisher(std::shared_ptr<log_shared> shared);

  /// Lets readers see everything up to and including entry `last`; returns the offset behind its
  /// last record. Never goes back: an entry below the published one changes nothing. Takes a lock
  /// for a few instructions, and looks into an index file only for entries that were there when the
  /// log was opened. @pre the log has the entry, durably, and will never truncate it.
  /// corruption, io_error: it cannot be found out where the entry ends; nothing has changed.
  [[nodiscard]] result<record_offset> publish(log_index last) const;

  /// The last entry that readers see, or that lies before the start of the log.
  [[nodiscard]] log_index published() const;

private:
  std::shared_ptr<log_shared> shared_;
};

}  // namespace cairn::storage
