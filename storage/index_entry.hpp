#pragma once
// Entries of an index file and searches over them, docs/formats/index.md. Pure functions on spans;
// the files are segment's business.

#include "storage/store_header.hpp"

#include <cstdint>
#include <span>

namespace cairn::storage {

/// One frame. Relative to the segment's base offset, index and time; position in bytes from the
/// start of the store.
struct index_entry {
  std::uint32_t relative_offset = 0;
  std::uint32_t relative_index = 0;
  std::uint32_t position = 0;
  std::uint32_t relative_time_ms = 0;

  bool operator==(const index_entry&) const = default;
};
static_assert(sizeof(index_entry) == 16);

using index_span = std::span<const index_entry>;

/// The last entry whose records begin at or before `relative_offset`: with frames of no records in
/// front of a data frame at the same offset, the data frame. @pre entries is not empty.
[[nodiscard]] std::size_t find_by_offset(index_span entries, std::uint64_t relative_offset);

/// How many entries begin before `relative_offset`.
[[nodiscard]] std::size_t count_below_offset(index_span entries, std::uint64_t relative_offset);

/// How many entries begin at or before `position`.
[[nodiscard]] std::size_t count_to_position(index_span entries, std::uint64_t position);

/// The first entry that is not older; entries.size() when all are older.
[[nodiscard]] std::size_t find_by_time(index_span entries, std::uint64_t relative_time_ms);

/// True if the entries could be an index: first frame right behind the header, indexes without
/// gaps, positions rising, offsets and times never falling. What they point at has still to be
/// checked against the store.
[[nodiscard]] bool plausible_index(index_span entries);

}  // namespace cairn::storage
