#include "apps/sim/truth.hpp"

#include "actors/raft/quorum.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::sim {

std::string truth::saw_entries(raft::node_id node, const durable_log& disk, log_index from) {
  if (disk.entries().empty()) return {};
  log_index index = std::max(from, disk.entries().front().index);
  // What stands before the first entry kept is unknown.
  if (index == disk.entries().front().index && index.value() > 1) index = index.next();
  for (; index <= disk.last(); index = index.next()) {
    const entry_facts& entry = *disk.find(index);
    const entry_facts* before = disk.find(raft::prior(index));
    const term_id term_before = before == nullptr ? term_id(0) : before->term;
    const auto [known, first] =
        made_.try_emplace({entry.index, entry.term}, made{entry, term_before});
    if (first || (known->second.entry == entry && known->second.term_before == term_before)) {
      continue;
    }
    return fmt::format("log matching: node {} has another entry ({}, {}) than others", node.value(),
                       index.value(), entry.term.value());
  }
  return {};
}

std::string truth::saw_state(raft::node_id node, const raft::hard_state& state) {
  term_id& term = terms_[node];
  if (state.term < term) {
    return fmt::format("the term of node {} went back from {} to {} on its disk", node.value(),
                       term.value(), state.term.value());
  }
  term = state.term;
  raft::node_id& vote = votes_[{node, state.term}];
  if (vote != raft::k_nobody && vote != state.vote) {
    return fmt::format("node {} voted for {}, then for {} in term {}", node.value(), vote.value(),
                       state.vote.value(), state.term.value());
  }
  vote = state.vote;
  return {};
}

std::string truth::saw_leader(const raft::core& core) {
  const auto [known, first] = leaders_.try_emplace(core.term(), core.leader());
  if (known->second != core.leader()) {
    return fmt::format("election safety: {} and {} lead in term {}", known->second.value(),
                       core.leader().value(), core.term().value());
  }
  if (!first) return {};
  for (log_index i = core.log().start().index.next(); i <= committed(); i = i.next()) {
    if (core.log().term_of(i) == committed_[i.value() - 1].term) continue;
    // A candidate that was paused may learn that it had won when a later leader has long committed.
    if (committed_in_[i.value() - 1] >= core.term()) continue;
    return fmt::format("leader completeness: {} leads in term {} without committed entry {}",
                       core.leader().value(), core.term().value(), i.value());
  }
  return {};
}

std::string truth::saw_commit(const raft::core& core, log_index from,
                              const raft::configuration& before,
                              const std::map<raft::node_id, const durable_log*>& disks) {
  for (log_index i = std::max(from, core.log().start().index).next(); i <= core.commit_index();
       i = i.next()) {
    const term_id term = *core.log().term_of(i);
    if (i <= committed()) {
      if (committed_[i.value() - 1].term == term) continue;
      return fmt::format("state machine safety: entry {} is committed with terms {} and {}",
                         i.value(), committed_[i.value() - 1].term.value(), term.value());
    }
    const entry_facts* entry = nullptr;
    const auto has_it = [&](raft::node_id node) {
      const auto disk = disks.find(node);
      const entry_facts* found = disk == disks.end() ? nullptr : disk->second->find(i);
      if (found == nullptr || found->term != term) return false;
      entry = found;
      return true;
    };
    const bool durable = raft::is_quorum(core.members(), has_it) || raft::is_quorum(before, has_it);
    if (!durable || i != committed().next()) {
      return fmt::format("entry ({}, {}) is committed, but not durable on a quorum", i.value(),
                         term.value());
    }
    if (entry->base_offset != end()) {
      return fmt::format("entry {} begins at offset {}, the one before it ends at {}", i.value(),
                         entry->base_offset.value(), end().value());
    }
    if (!committed_.empty() && entry->timestamp_ms < committed_.back().timestamp_ms) {
      return fmt::format("entry {} has the time {}, the one before it {}", i.value(),
                         entry->timestamp_ms, committed_.back().timestamp_ms);
    }
    committed_.push_back(*entry);
    committed_in_.push_back(core.term());
  }
  return {};
}

std::string truth::saw_ok(const actors::append_outcome& outcome) const {
  if (outcome.index > committed() || outcome.index.value() == 0) {
    return fmt::format("an append was acknowledged at entry {}, but {} are committed",
                       outcome.index.value(), committed().value());
  }
  const entry_facts& entry = committed_[outcome.index.value() - 1];
  const bool inside = outcome.offset >= entry.base_offset &&
                      outcome.offset.plus(outcome.count) <= entry.next_offset();
  if (entry.term == outcome.term && inside && outcome.count > 0) return {};
  return fmt::format(
      "an append was acknowledged at ({}, {}), offset {}, but that entry is of term {} and has "
      "offsets [{}, {})",
      outcome.index.value(), outcome.term.value(), outcome.offset.value(), entry.term.value(),
      entry.base_offset.value(), entry.next_offset().value());
}

}  // namespace cairn::sim
