#include "storage/index_entry.hpp"

#include "storage/base/check.hpp"

#include <algorithm>

namespace cairn::storage {

std::size_t count_below_offset(index_span entries, std::uint64_t relative_offset) {
  const auto it = std::ranges::partition_point(
      entries, [&](const index_entry& e) { return e.relative_offset < relative_offset; });
  return static_cast<std::size_t>(it - entries.begin());
}

std::size_t find_by_offset(index_span entries, std::uint64_t relative_offset) {
  CAIRN_CHECK(!entries.empty(), "search in an empty index");
  const std::size_t above = count_below_offset(entries, relative_offset + 1);
  return above == 0 ? 0 : above - 1;
}

std::size_t count_to_position(index_span entries, std::uint64_t position) {
  const auto it = std::ranges::partition_point(
      entries, [&](const index_entry& e) { return e.position <= position; });
  return static_cast<std::size_t>(it - entries.begin());
}

std::size_t find_by_time(index_span entries, std::uint64_t relative_time_ms) {
  const auto it = std::ranges::partition_point(
      entries, [&](const index_entry& e) { return e.relative_time_ms < relative_time_ms; });
  return static_cast<std::size_t>(it - entries.begin());
}

bool plausible_index(index_span entries) {
  if (entries.empty()) return true;
  if (entries[0].relative_offset != 0 || entries[0].position != k_store_header_bytes) return false;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].relative_index != i) return false;
    if (i == 0) continue;
    const auto& before = entries[i - 1];
    if (entries[i].position <= before.position ||
        entries[i].relative_offset < before.relative_offset ||
        entries[i].relative_time_ms < before.relative_time_ms) {
      return false;
    }
  }
  return true;
}

}  // namespace cairn::storage
