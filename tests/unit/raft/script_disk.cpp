#include "tests/unit/raft/script_world.hpp"

#include <algorithm>

namespace cairn::testing {

using namespace raft;

// In the order that ready.hpp gives.
void script_disk::write(const persist_batch& batch) {
  if (batch.state) state = *batch.state;
  if (batch.install) {
    start = batch.install->last;
    start_offset = batch.install->next_offset;
    start_config = batch.install->config;
    entries.clear();
  }
  if (batch.truncate_from) {
    std::erase_if(entries, [&](const entry& e) { return e.index >= *batch.truncate_from; });
  }
  for (const entry& e : batch.entries) {
    CAIRN_CHECK(e.index == last().index.next(), "entry {} written behind {}", e.index.value(),
                last().index.value());
    entries.push_back(e);
  }
}

void script_disk::trim(log_index last_removed, const configuration& config) {
  while (!entries.empty() && entries.front().index <= last_removed) {
    start = entries.front().position();
    start_offset = entries.front().next_offset();
    entries.erase(entries.begin());
  }
  CAIRN_CHECK(start.index == last_removed, "trimmed to {} instead of {}", start.index.value(),
              last_removed.value());
  start_config = config;
}

log_position script_disk::last() const {
  return entries.empty() ? start : entries.back().position();
}

record_offset script_disk::offset_after(log_index index) const {
  record_offset offset = start_offset;
  for (const entry& e : entries) {
    if (e.index <= index) offset = e.next_offset();
  }
  return offset;
}

boot_state script_disk::boot() const {
  boot_state boot;
  boot.state = state;
  boot.start = start;
  boot.start_offset = start_offset;
  boot.start_config = start_config;
  boot.last = last().index;
  boot.next_offset = offset_after(boot.last);
  for (const entry& e : entries) {
    if (boot.terms.empty() || boot.terms.back().term != e.term) {
      boot.terms.push_back({e.index, e.term});
    }
    if (e.kind == entry_kind::config) {
      boot.configs.push_back({e.index, decode_configuration(e.payload).value()});
    }
    boot.last_timestamp_ms = e.timestamp_ms;
  }
  return boot;
}

}  // namespace cairn::testing
