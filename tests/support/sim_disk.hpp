#pragma once
// The disk under sim_env: files with two images, what the kernel shows (cached) and what would be
// found after a power cut (durable). Knows nothing of paths, faults or threads.

#include "storage/base/bytes.hpp"
#include "tests/support/sim_random.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

namespace cairn::testing {

inline constexpr std::uint64_t k_sim_page_bytes = 4096;
/// A disk writes a sector whole or not at all; of a longer write, any set of sectors may arrive.
inline constexpr std::uint64_t k_sim_sector_bytes = 512;

/// How much of what was not synced survives a power cut.
enum class crash_keep : std::uint8_t { at_random, all, none };

/// Bytes of one image. Sparse: what was never written reads as zeros and takes no memory, so
/// positions beyond 4 GiB are cheap. Copies share their pages until one of them writes.
class sparse_image {
public:
  void write(std::uint64_t position, byte_span bytes);
  void read(std::uint64_t position, mutable_byte_span to) const;
  /// Everything from `position` on reads as zeros.
  void clear_from(std::uint64_t position);
  /// Makes page `number` the same as in `from`.
  void take_page(const sparse_image& from, std::uint64_t number);
  [[nodiscard]] bool same_page(const sparse_image& other, std::uint64_t number) const;

private:
  using page = std::array<std::byte, k_sim_page_bytes>;
  [[nodiscard]] page& writable(std::uint64_t number);
  std::map<std::uint64_t, std::shared_ptr<page>> pages_;
};

/// Which pages of a file have a place on the disk: a set of ranges [first, end) of page numbers.
class page_ranges {
public:
  void add(std::uint64_t first, std::uint64_t end);
  void remove_from(std::uint64_t first);
  [[nodiscard]] std::uint64_t count() const;
  /// Pages of [first, end) that are not in the set.
  [[nodiscard]] std::uint64_t missing(std::uint64_t first, std::uint64_t end) const;

private:
  std::map<std::uint64_t, std::uint64_t> ranges_;
};

/// One file, named or not.
class sim_inode {
public:
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint64_t allocated_bytes() const {
    return allocated_.count() * k_sim_page_bytes;
  }
  /// Bytes of disk space that writing [position, position + size) would take in addition.
  [[nodiscard]] std::uint64_t growth_bytes(std::uint64_t position, std::uint64_t size) const;

  [[nodiscard]] std::size_t read(std::uint64_t position, mutable_byte_span to);
  void write(std::uint64_t position, std::vector<std::byte> bytes);
  void allocate(std::uint64_t position, std::uint64_t size);
  void truncate(std::uint64_t size);

  /// The memory that mappings of this file show; shared by all of them.
  using mapped_memory = std::vector<std::byte>;
  /// @pre the range is within the file.
  [[nodiscard]] std::shared_ptr<mapped_memory> map(std::uint64_t size);
  /// Takes what was stored through mappings into the cached image. Aborts when a store went where
  /// the file has no space on the disk, or behind its end: a real one can be a SIGBUS there.
  void fold_mapping();
  /// Later stores through the present mappings no longer reach the file; their memory stays valid.
  void detach_mapping() {
    fold_mapping();
    mapped_.reset();
  }

  /// For a copy of a file: the mappings belong to the original.
  void forget_mapping() { mapped_.reset(); }

  /// fdatasync: the cached image becomes the durable one.
  void sync();
  /// A failed fdatasync: some sectors arrive, some do not, all count as clean from now on (as Linux
  /// does it), so that no later sync writes them. With `evict` the cached pages go too.
  void fail_sync(sim_random& random, bool evict);
  /// Power cut. Writes that were not synced survive by sector, stores through a mapping by page,
  /// each with any of the contents that it had since the last sync; the size is any that the file
  /// had since then. Mappings keep their memory but no longer belong to the file.
  void crash(sim_random& random, crash_keep keep);

  /// What a power cut that keeps nothing would leave.
  [[nodiscard]] std::vector<std::byte> durable_bytes() const;
  [[nodiscard]] std::size_t read_durable(std::uint64_t position, mutable_byte_span to) const;
  /// Changes both images behind the back of everybody: bit rot, or a file made by a test.
  void tamper(std::uint64_t position, byte_span bytes);
  void tamper_size(std::uint64_t size);

private:
  /// A write, or a change of size without data.
  struct unsynced {
    std::uint64_t position = 0;
    std::vector<std::byte> bytes;
    std::uint64_t size_after = 0;
    bool truncates = false;
  };

  /// Makes the file at least this long; mappings show zeros in what is new.
  void grow(std::uint64_t size);
  void make_durable(sim_random& random);
  void forget_pending();
  void revert_to_durable();

  sparse_image cached_;
  std::uint64_t size_ = 0;
  page_ranges allocated_;
  sparse_image durable_;
  std::uint64_t durable_size_ = 0;
  page_ranges durable_allocated_;
  std::vector<unsynced> pending_;        // since the last sync, in order
  std::set<std::uint64_t> dirty_pages_;  // stored through a mapping since the last sync
  std::weak_ptr<mapped_memory> mapped_;
};

}  // namespace cairn::testing
