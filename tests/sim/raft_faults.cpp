// What happens to the world: crashes, partitions, and what clients and operators ask for.

#include "tests/sim/raft_world.hpp"

#include <algorithm>

namespace cairn::testing {

void raft_world::happen(fault f) {
  if (!faults_) return;
  using kind = fault::kind;
  switch (f.what) {
    case kind::crash:
      // Often all at once: what is only in memory is then gone everywhere.
      if (random_.one_in(4)) {
        for (std::uint64_t i = 0; i < machines_.size(); ++i)
          crash(i);
      } else {
        crash(random_.below(machines_.size()));
      }
      return at_fault(f.what, swarm_.crash_interval);
    case kind::partition:
      partition();
      return at_fault(f.what, swarm_.partition_interval);
    case kind::hang: {
      // The next writes take long: longer than an election, sometimes than the stall limit.
      const std::uint64_t usual = swarm_.disk_max;
      swarm_.disk_max = 1200;
      propose();
      swarm_.disk_max = usual;
      return at_fault(f.what, swarm_.hang_interval);
    }
    case kind::members:
      change_members();
      return at_fault(f.what, swarm_.member_interval);
    case kind::transfer:
      transfer();
      return at_fault(f.what, swarm_.transfer_interval);
    case kind::trim:
      trim();
      return at_fault(f.what, swarm_.trim_interval);
    case kind::propose:
      propose();
      return at_fault(f.what, swarm_.propose_interval);
    case kind::read:
      read();
      return at_fault(f.what, swarm_.read_interval);
  }
}

void raft_world::partition() {
  one_way_ = random_.one_in(3);
  for (std::uint64_t& side : side_)
    side = random_.below(2);
  events_.push(
      {now_ + 50 + random_.below(500), ++order_, 1000, 0, std::make_shared<happening>(heal{})});
}

std::uint64_t raft_world::any_alive() {
  const std::uint64_t first = random_.below(machines_.size());
  for (std::uint64_t i = 0; i < machines_.size(); ++i) {
    const std::uint64_t index = (first + i) % machines_.size();
    if (machines_[index].core) return index;
  }
  return first;
}

// The one with the highest term: others may believe that they lead.
std::optional<std::uint64_t> raft_world::leader() {
  std::optional<std::uint64_t> found;
  for (std::uint64_t i = 0; i < machines_.size(); ++i) {
    const auto& core = machines_[i].core;
    if (!core || core->as() != raft::role::leader) continue;
    if (!found || core->term() > machines_[*found].core->term()) found = i;
  }
  return found;
}

void raft_world::propose() {
  std::uint64_t index = any_alive();
  if (!random_.one_in(4)) index = leader().value_or(index);
  machine& m = machines_[index];
  if (!m.core) return;
  const std::uint64_t value = last_value_ += 2;
  m.open_proposals.insert(value);
  raft::propose in;
  in.id = raft::proposal_id(value);
  in.record_count = 1 + static_cast<std::uint32_t>(value / 2 % 3);
  in.payload = payload_of(value);
  give(index, std::move(in));
}

void raft_world::read() {
  std::uint64_t index = any_alive();
  if (random_.coin()) index = leader().value_or(index);
  machine& m = machines_[index];
  if (!m.core) return;
  const std::uint64_t id = ++last_read_;
  m.open_reads[id] = truth_.committed();
  give(index, raft::read_index{raft::read_id(id)});
}

void raft_world::transfer() {
  const std::uint64_t index = leader().value_or(any_alive());
  give(index, raft::transfer_leadership{raft::node_id(1 + random_.below(machines_.size()))});
}

void raft_world::change_members() {
  const std::uint64_t index = leader().value_or(any_alive());
  machine& m = machines_[index];
  if (!m.core) return;
  raft::change_membership in;
  // Numbers of data proposals are even.
  const std::uint64_t id = (last_value_ += 2) + 1;
  in.id = raft::proposal_id(id);
  const std::uint64_t count = 1 + random_.below(2);
  for (std::uint64_t i = 0; i < count; ++i) {
    using action = raft::member_change::action;
    const raft::node_id node(1 + random_.below(machines_.size()));
    const auto what = std::array{action::add_voter, action::add_voter, action::add_learner,
                                 action::remove}[random_.below(4)];
    in.changes.push_back({what, node});
  }
  m.open_proposals.insert(id);
  give(index, std::move(in));
}

void raft_world::trim() {
  const std::uint64_t index = any_alive();
  machine& m = machines_[index];
  // Storage does not cut what it is writing over.
  if (!m.core || m.writing) return;
  const log_index start = m.disk.start.index;
  const log_index visible = std::min(m.last_status.visible, m.disk.last());
  if (visible <= start.plus(3)) return;
  const log_index last = start.plus(1 + random_.below(visible.since(start) - 2));
  if (m.core->log().start().index > last) return;
  m.disk.trim(last, m.core->configs().at(last));
  give(index, raft::log_trimmed{last, m.disk.start_offset});
}

}  // namespace cairn::testing
