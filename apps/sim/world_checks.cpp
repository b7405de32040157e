// The promises that are checked after every event.

#include "actors/raft/invariants.hpp"
#include "apps/sim/world.hpp"
#include "storage/hard_state.hpp"

#include <fmt/format.h>

namespace cairn::sim {

void world::check_core(std::uint64_t index) {
  machine& m = *machines_[index];
  const raft::core& core = m.replica->core();
  raft::core_status now = core.status();
  std::string broken = raft::broken_invariant(now, replica_config(index).core);
  if (broken.empty()) broken = raft::broken_transition(m.status, now);
  if (broken.empty() && now.as == raft::role::leader) broken = truth_.saw_leader(core);
  if (broken.empty() && now.commit > m.status.commit) {
    std::map<raft::node_id, const durable_log*> disks;
    for (const auto& other : machines_)
      disks[other->node] = &other->durable;
    broken = truth_.saw_commit(core, m.status.commit, m.status.config, disks);
  }
  if (broken.empty() && m.replica->range().next > truth_.end()) {
    broken = "readers were shown what is not committed";
  }
  if (!broken.empty()) return fail(index, broken);
  follow_sessions(index);
  if (!failure_.empty()) return;
  const bool elected = now.as == raft::role::leader &&
                       (m.status.as != raft::role::leader || now.term > m.status.term);
  const bool committed = now.as == raft::role::leader && now.commit > m.status.commit;
  m.status = std::move(now);
  if (elected) was_elected(index);
  if (committed && m.relay_term == m.status.term && faults_) relay(index);
}

// What a message says must be on the sender's disk when it leaves (reliability: terms, votes,
// acknowledgements).
void world::check_shown(std::uint64_t index, const raft::message& message) {
  const machine& m = *machines_[index];
  const auto* asks = std::get_if<raft::vote_request>(&message.body);
  const auto* votes = std::get_if<raft::vote_response>(&message.body);
  const bool pre = (asks != nullptr && asks->pre) || (votes != nullptr && votes->pre);
  if (!pre && message.term > m.durable_state.term) {
    return fail(index, fmt::format("shows term {} when {} is on its disk", message.term.value(),
                                   m.durable_state.term.value()));
  }
  if (votes != nullptr && votes->granted && !pre &&
      (m.durable_state.term != message.term || m.durable_state.vote != message.to)) {
    return fail(index, fmt::format("votes for {} in term {} before that is on its disk",
                                   message.to.value(), message.term.value()));
  }
  const auto* accepts = std::get_if<raft::append_response>(&message.body);
  if (accepts != nullptr && accepts->accepted && accepts->index > m.durable.last() &&
      accepts->index > m.durable_start) {
    return fail(index, fmt::format("acknowledges entry {} when {} is the last on its disk",
                                   accepts->index.value(), m.durable.last().value()));
  }
}

raft::hard_state world::durable_state_of(const machine& m) const {
  const std::string path = k_log_directory + "/hard_state";
  const auto bytes = m.disk.durable_bytes(path);
  if (!bytes) return {};
  testing::sim_env copy;
  copy.put_file(path, *bytes);
  const auto file = storage::hard_state_file::open(copy, path);
  if (!file) return {};
  raft::hard_state state{file->current().term, raft::k_nobody};
  const auto vote = actors::parse_vote(file->current().voted_for);
  if (vote) state.vote = *vote;
  return state;
}

// Storage says that all of the batch is durable: look at the disk.
void world::check_persisted(std::uint64_t index, const raft::persist_batch& batch) {
  machine& m = *machines_[index];
  std::string broken;
  if (batch.state) {
    m.durable_state = durable_state_of(m);
    if (m.durable_state != *batch.state) broken = "term or vote is not on the disk after its sync";
    if (broken.empty()) broken = truth_.saw_state(m.node, m.durable_state);
  }
  if (batch.install) m.durable_start = batch.install->last.index;
  log_index known = m.durable.last();
  if (batch.install || batch.truncate_from) {
    m.durable.reload();
    known = log_index(0);
  } else {
    m.durable.follow();
  }
  if (broken.empty()) broken = truth_.saw_entries(m.node, m.durable, known.next());
  for (const raft::entry& e : batch.entries) {
    const entry_facts* found = m.durable.find(e.index);
    if (found != nullptr && found->term == e.term && found->base_offset == e.base_offset) continue;
    broken = fmt::format("entry ({}, {}) is not on the disk after its sync: {}", e.index.value(),
                         e.term.value(), m.durable.position_text());
    break;
  }
  const log_index last = batch.entries.empty() ? m.durable.last() : batch.entries.back().index;
  if (broken.empty() && m.durable.last() != last) {
    broken = fmt::format("entry {} is still on the disk, the log ends at {}",
                         m.durable.last().value(), last.value());
  }
  if (!broken.empty()) fail(index, broken);
}

// What was durable before must be there, and what is there must be durable.
void world::check_recovered(std::uint64_t index, const raft::boot_state& boot) {
  machine& m = *machines_[index];
  const std::deque<entry_facts> before = m.durable.entries();
  m.durable.reload();
  m.durable_start = boot.start.index;
  for (const entry_facts& e : before) {
    if (e.index <= boot.start.index || e.index > m.sure_to) continue;
    const entry_facts* found = m.durable.find(e.index);
    if (found != nullptr && *found == e) continue;
    return fail(index, fmt::format("entry ({}, {}) was durable, and is gone after a restart: {}",
                                   e.index.value(), e.term.value(), m.durable.position_text()));
  }
  if (boot.last > boot.start.index && boot.last != m.durable.last()) {
    return fail(index, fmt::format("starts with entry {} as its last, but the disk has {}",
                                   boot.last.value(), m.durable.last().value()));
  }
  const raft::hard_state state = durable_state_of(m);
  std::string broken;
  if (state != boot.state) broken = "starts with another term or vote than is on its disk";
  m.durable_state = state;
  if (broken.empty()) broken = truth_.saw_state(m.node, state);
  if (broken.empty()) broken = truth_.saw_entries(m.node, m.durable, log_index(0));
  if (!broken.empty()) fail(index, broken);
}

}  // namespace cairn::sim
