#include "tests/sim/raft_truth.hpp"

#include "actors/raft/quorum.hpp"

#include <fmt/format.h>

namespace cairn::testing {

using raft::log_position;

std::optional<term_id> raft_image::term_of(log_index index) const {
  if (index == start.index) return start.term;
  if (index < start.index || index > last()) return std::nullopt;
  return at(index).term;
}

const raft::entry& raft_image::at(log_index index) const {
  CAIRN_CHECK(index > start.index && index <= last(), "no entry {} on disk", index.value());
  return entries[index.since(start.index) - 1];
}

record_offset raft_image::offset_after(log_index index) const {
  return index == start.index ? start_offset : at(index).next_offset();
}

raft::boot_state raft_image::boot() const {
  raft::boot_state boot;
  boot.state = state;
  boot.start = start;
  boot.start_offset = start_offset;
  boot.start_config = start_config;
  boot.last = last();
  boot.next_offset = offset_after(last());
  for (const raft::entry& e : entries) {
    if (boot.terms.empty() || boot.terms.back().term != e.term) {
      boot.terms.push_back({e.index, e.term});
    }
    if (e.kind == raft::entry_kind::config) {
      boot.configs.push_back({e.index, *raft::decode_configuration(e.payload)});
    }
  }
  return boot;
}

void raft_image::apply(const raft::persist_batch& batch, std::size_t step_count) {
  const auto step = [&step_count](bool present) { return present && step_count-- > 0; };
  if (step_count == 0) return;
  if (batch.state && step(true)) state = *batch.state;
  if (step_count == 0) return;
  if (batch.install && step(true)) {
    start = batch.install->last;
    start_offset = batch.install->next_offset;
    start_config = batch.install->config;
    entries.clear();
  }
  if (step_count == 0) return;
  if (batch.truncate_from && step(true)) {
    entries.resize(batch.truncate_from->since(start.index) - 1);
  }
  for (const raft::entry& e : batch.entries) {
    if (step_count-- == 0) return;
    CAIRN_CHECK(e.index == last().next(), "entry {} written after {}", e.index.value(),
                last().value());
    CAIRN_CHECK(e.base_offset == offset_after(last()), "entry {} written at offset {}",
                e.index.value(), e.base_offset.value());
    entries.push_back(e);
  }
}

void raft_image::trim(log_index last_removed, const raft::configuration& config) {
  const auto removed = static_cast<std::ptrdiff_t>(last_removed.since(start.index));
  start_offset = offset_after(last_removed);
  start = {last_removed, *term_of(last_removed)};
  start_config = config;
  entries.erase(entries.begin(), entries.begin() + removed);
}

std::size_t steps_of(const raft::persist_batch& batch) {
  return std::size_t{batch.state.has_value()} + std::size_t{batch.install.has_value()} +
         std::size_t{batch.truncate_from.has_value()} + batch.entries.size();
}

std::uint64_t value_of(const raft::entry& e) {
  return e.kind == raft::entry_kind::data ? load_le<std::uint64_t>(e.payload.data()) : 0;
}

shared_bytes payload_of(std::uint64_t value) {
  std::byte bytes[sizeof(value)];
  store_le(bytes, value);
  return shared_bytes::copy_of(bytes);
}

// Votes are kept over restarts, and log matching: whoever has an entry (index, term) has the same
// one, after the same one (paper 5.3; by induction over all entries written), at the same offset.
std::string raft_truth::saw_write(raft::node_id node, const raft_image& before,
                                  const raft::persist_batch& batch) {
  if (batch.state) {
    if (batch.state->term < before.state.term) return "a term went back on disk";
    const auto [vote, first] = votes_.try_emplace({node, batch.state->term}, batch.state->vote);
    if (!first && vote->second != raft::k_nobody && vote->second != batch.state->vote) {
      return fmt::format("node {} voted twice in term {}", node.value(), batch.state->term.value());
    }
    vote->second = batch.state->vote;
  }
  if (batch.entries.empty()) return {};
  const log_index previous = raft::prior(batch.entries.front().index);
  term_id term_before =
      batch.install ? batch.install->last.term : before.term_of(previous).value_or(term_id(0));
  for (const raft::entry& e : batch.entries) {
    const made now{value_of(e), term_before, e.base_offset};
    const auto [known, first] = made_.try_emplace({e.index, e.term}, now);
    if (!first && known->second != now) {
      return fmt::format("log matching: two different entries ({}, {})", e.index.value(),
                         e.term.value());
    }
    term_before = e.term;
  }
  return {};
}

// Election safety and leader completeness (paper 5.2, 5.4).
std::string raft_truth::saw_leader(const raft::core& core) {
  const auto self = core.leader();
  const auto [known, first] = leaders_.try_emplace(core.term(), self);
  if (known->second != self) {
    return fmt::format("election safety: {} and {} lead in term {}", known->second.value(),
                       self.value(), core.term().value());
  }
  if (!first) return {};
  for (log_index i = core.log().start().index.next(); i <= committed(); i = i.next()) {
    // A candidate that was paused may learn that it had won when a later leader has long committed.
    if (committed_in_[i.value() - 1] >= core.term()) continue;
    if (core.log().term_of(i) != committed_[i.value() - 1].term) {
      return fmt::format("leader completeness: {} leads in term {} without committed entry {}",
                         self.value(), core.term().value(), i.value());
    }
  }
  return {};
}

// State machine safety (paper 5.4), and commit means durable on a quorum.
std::string raft_truth::saw_commit(const raft::core& core, log_index from,
                                   const std::map<raft::node_id, const raft_image*>& disks) {
  for (log_index i = std::max(from, core.log().start().index).next(); i <= core.commit_index();
       i = i.next()) {
    const term_id term = *core.log().term_of(i);
    if (i <= committed()) {
      if (committed_[i.value() - 1].term == term) continue;
      return fmt::format("state machine safety: entry {} is committed with terms {} and {}",
                         i.value(), committed_[i.value() - 1].term.value(), term.value());
    }
    const bool durable = raft::is_quorum(core.members(), [&](raft::node_id node) {
      const auto disk = disks.find(node);
      return disk != disks.end() &&
             (disk->second->term_of(i) == term || disk->second->start.index >= i);
    });
    if (!durable) {
      return fmt::format("entry ({}, {}) is committed, but not durable on a quorum", i.value(),
                         term.value());
    }
    std::uint64_t value = 0;
    for (const auto& [node, disk] : disks) {
      if (disk->start.index < i && disk->term_of(i) == term) value = value_of(disk->at(i));
    }
    committed_.push_back({term, value});
    committed_in_.push_back(core.term());
  }
  return {};
}

std::string raft_truth::saw_ok(std::uint64_t value, raft::log_position position) {
  ++ok_count_;
  if (position.index > committed()) return "acknowledged before it was committed";
  const agreed& entry = committed_[position.index.value() - 1];
  if (entry.term == position.term && entry.value == value) return {};
  return fmt::format("value {} was acknowledged at {}, where {} is", value, position.index.value(),
                     entry.value);
}

std::string raft_truth::check_history() const {
  std::set<std::uint64_t> seen;
  for (const agreed& entry : committed_) {
    if (entry.value == 0) continue;
    if (!seen.insert(entry.value).second) return fmt::format("{} is there twice", entry.value);
    if (not_done_.contains(entry.value)) {
      return fmt::format("{} was reported as not done, and is there", entry.value);
    }
  }
  return {};
}

}  // namespace cairn::testing
