#pragma once
// One segment: a store file, its index file, and what is known of them. The log's owner thread
// writes; readers come with handles from the segment cache.

#include "storage/base/ids.hpp"
#include "storage/base/result.hpp"
#include "storage/env.hpp"
#include "storage/index_entry.hpp"
#include "storage/scan.hpp"
#include "storage/store_header.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace cairn::storage {

/// Open files of a segment. Shared by readers; the descriptors close with the last of them.
struct segment_handles {
  std::unique_ptr<file> store;
  std::unique_ptr<file> index;
  std::unique_ptr<mapping> map;
  /// Used instead of the mapping when an index had to be rebuilt and could not be written.
  std::vector<index_entry> rebuilt;

  /// The first `count` entries. @pre that many have been published.
  [[nodiscard]] index_span entries(std::uint64_t count) const;
  /// For the writer: room for that many entries in all.
  [[nodiscard]] std::span<index_entry> writable_entries() const;
};

class segment {
public:
  segment(store_header header, const std::string& directory);

  const store_header header;
  const std::string store_path;
  const std::string index_path;

  // Owner thread only.
  store_extent extent;
  std::uint64_t allocated_bytes =
      0;  ///< space up to here is reserved: a write inside cannot meet a full disk
  std::uint64_t durable_bytes = k_store_header_bytes;
  /// Space up to here holds data, of whatever kind: a sync of what is written there needs no
  /// journal commit of the file system.
  std::uint64_t filled_bytes = k_store_header_bytes;
  std::uint64_t syncs = 0;  ///< since it became the active one

  // Any thread. Entries and bytes below these are complete in index and store.
  std::atomic<std::uint64_t> entries{0};
  /// Those of them that lie wholly below the published end. Readers look at no others: the rest may
  /// be cut and written again. Never falls.
  std::atomic<std::uint64_t> published_entries{0};
  /// Where they end. Written before published_entries: who reads it afterwards may see more, never
  /// less.
  std::atomic<std::uint64_t> published_bytes{k_store_header_bytes};
  std::atomic<std::uint64_t> end_bytes{k_store_header_bytes};
  std::atomic<bool> sealed{false};
  /// Set when a lookup met an entry that the store contradicts: the next open builds the index
  /// anew.
  std::atomic<bool> index_suspect{false};

  // For the cache.
  std::mutex handles_mutex;
  std::shared_ptr<segment_handles> handles;
  bool removed = false;  ///< its files have gone or are going: nobody may make them anew
  std::atomic<std::uint64_t> last_used{0};

  /// Takes over what was written or found. Owner thread.
  void advance(const store_extent& to);
};

/// Opens both files of an existing segment for reading and checks that the index fits
/// `segment.entries`; an index that does not is rebuilt from the store. corruption if the store
/// does not hold what it should.
[[nodiscard]] result<std::shared_ptr<segment_handles>> open_sealed_handles(env& env,
                                                                           segment& target);

/// Writes a whole index file under another name, syncs it and puts it in place. Never over the old
/// file itself: readers may have that mapped, and a page that is cut off under a mapping kills the
/// process.
[[nodiscard]] status write_index_file(env& env, segment& target, index_span entries);

/// Gives back the reserved space behind the last frame and entry of a sealed segment; its files
/// then are what a graceful close leaves. Any thread, while others read. Speed and space only:
/// errors leave the segment as it was.
void seal_files(env& env, segment& target);

}  // namespace cairn::storage
